"""`venue-gateway report drill`: the record of drills (演练记录) as a page that prints."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.catalogue import say
from gateway.day.wording import SILENT
from gateway.errors import Refused
from gateway.journal.reader import EventReader
from gateway.vocabulary import word

PAGE = 1000


def events(state: Path, reason: str) -> Iterator[dict[str, Any]]:
    """The bodies of all events with this reason, in order. Raises Refused when there is no record."""
    if not (state / "events.db").exists():
        raise Refused(say("there is no record in {path}; give the state directory with --state", path=state))
    reader, number = EventReader(state), 0
    try:
        while page := reader.after(number, PAGE):
            number = page[-1].number
            for event in page:
                body = json.loads(event.body)
                if body.get("reason") == reason and isinstance(body.get("details"), dict):
                    yield body
    finally:
        reader.close()


def drill_main(args: argparse.Namespace) -> int:
    found = list(events(args.state, "drill-record"))[-args.last :]
    if not found:
        raise Refused(say("no drill that is over is in the record"))
    if args.json:
        print(json.dumps([{"event": body["hash"], **body["details"]} for body in found], ensure_ascii=False))
        return 0
    from gateway.pages import render  # noqa: PLC0415  the template engine is for pages alone

    out: Path = args.out or Path(f"drill-{found[-1]['time'][:16].replace(':', '')}.html")
    page = render(
        "drill.html", venue=found[-1]["venue"], simulated=found[-1]["simulated"], drills=[*map(_drill, found)]
    )
    out.write_text(page, encoding="utf-8")
    print(out)
    return 0


def _drill(body: dict[str, Any]) -> dict[str, Any]:
    """One drill as the page shows it."""
    details = body["details"]
    hops = [(say("raised at the venue"), 0 if details["raised"] else None)]
    hops.append((say("stored on the card"), details["stored_ms"]))
    hops += [(say("accepted by {name}", name=sink), ms) for sink, ms in details["accepted_ms"].items()]
    hops += [
        (say("received and signed for at {name}", name=station), ms) for station, ms in details["received_ms"].items()
    ]
    person = details["acknowledged_by"]
    seen = say("acknowledged by {name}", name=person) if person else say("acknowledged")
    hops.append((seen, details["acknowledged_ms"]))
    return {
        "alarm": details.get("alarm") or details["contact"],  # as it was called in records of before
        "place": body["place"],
        "how": say("test of the contact by hand") if details["how"] == "test" else say("drill by command"),
        "by": details["by"] or "-",
        "note": body["note"] or "-",
        "raised": (details["raised"] or "-")[:23].replace("T", " "),
        "clock": word(details["clock"] or "-"),
        "hops": [(name, None if ms is None else f"{ms / 1000:.3f} s") for name, ms in hops],
        "silent": [say(SILENT[name]) if name in SILENT else name for name in details["silent"]],
        "ended": word(details["ended"]),
        "hash": body["hash"],
        "seq": body["seq"],
        "run": body["run"],
    }
