"""`venue-gateway journal tail / export / verify`: the record of a running or of a dead gateway, read only."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from gateway.catalogue import N_, say
from gateway.errors import Refused
from gateway.journal.reader import EventReader
from gateway.journal.restore_cli import backup_main, restore_main
from gateway.journal.verify import Finding, verify
from gateway.values import Event
from gateway.vocabulary import word

PAGE = 500
FOLLOW_EVERY_S = 0.5
COLUMNS = (
    *("time", "clock", "stream", "alarm", "kind", "severity", "transition", "state", "place", "point", "value", "unit"),
    *("limit", "quality", "set", "session", "reason", "by", "note", "drill", "simulated", "activation", "revision"),
    *("id", "run", "seq", "hash", "previous", "sig"),
)


def journal_main(args: argparse.Namespace) -> int:
    """One of the verbs; 0 when done and, for `verify`, when the record is whole."""
    if args.journal_verb == "restore":
        return restore_main(args)
    if args.journal_verb == "verify-bundle":
        return _verify_bundle(args)
    if not (args.state / "events.db").exists():
        raise Refused(say("there is no record in {path}; give the state directory with --state", path=args.state))
    match args.journal_verb:
        case "tail":
            return _tail(args)
        case "export":
            return _export(args)
        case "backup":
            return backup_main(args)
        case _:
            return _verify(args)


# ---- tail -------------------------------------------------------------------------------------------------------


def _tail(args: argparse.Namespace) -> int:
    reader = EventReader(args.state)
    last = 0
    events = reader.latest(args.lines) if args.stream is None else _last_of(reader, args.stream, args.lines)
    wait = threading.Event()
    while True:
        for event in events:
            last = event.number
            if args.stream in (None, event.stream):
                print(event.body.decode() if args.json else _line(event), flush=True)
        if not args.follow:
            reader.close()
            return 0
        if not events:
            wait.wait(FOLLOW_EVERY_S)
        events = reader.after(last, PAGE) if last else reader.latest(1)


def _last_of(reader: EventReader, stream: str, count: int) -> list[Event]:
    found = [event for event in _all(reader) if event.stream == stream]
    return found[-count:]


def _line(event: Event) -> str:
    fields = json.loads(event.body)
    text = fields.get("text") or {}
    value = "" if fields.get("value") is None else f"{fields['value']} {fields.get('unit') or ''}".strip()
    parts = [
        fields.get("time") or event.at.text(),
        event.stream,
        event.alarm,
        word(fields.get("transition") or ""),
        value,
    ]
    parts.append(say("{text}", text=text) if text else "")
    if fields.get("by"):
        parts.append(f"[{fields['by']}]")
    # Notes are foreign text: nothing in them may steer a terminal.
    return "  ".join("".join(c if c.isprintable() else "?" for c in str(part)) for part in parts if part)


# ---- export -----------------------------------------------------------------------------------------------------


def _all(reader: EventReader) -> Iterator[Event]:
    page = reader.after(0, PAGE)
    while page:
        yield from page
        page = reader.after(page[-1].number, PAGE)


def _export(args: argparse.Namespace) -> int:
    reader = EventReader(args.state)
    chosen = (e for e in _all(reader) if args.stream in (None, e.stream) and _recent(e, args.since))
    if args.csv:
        _write_csv(chosen, sys.stdout)
    else:
        for event in chosen:
            print(event.body.decode())
    reader.close()
    return 0


def _recent(event: Event, since: datetime | None) -> bool:
    if since is None:
        return True
    at = datetime.fromisoformat(json.loads(event.body).get("time") or event.at.text())
    return at >= since if since.tzinfo is not None else at.replace(tzinfo=None) >= since


def _write_csv(events: Iterable[Event], out: TextIO) -> None:
    out.write("\ufeff")  # or spreadsheets take the Chinese for something else
    writer = csv.writer(out)
    writer.writerow([*COLUMNS, "text"])
    for event in events:
        fields = json.loads(event.body)
        text = say("{text}", text=fields["text"]) if fields.get("text") else ""
        writer.writerow([_cell(fields.get(name)) for name in COLUMNS] + [_cell(text)])


def _cell(value: Any) -> Any:
    """Spreadsheets take a text that begins like this for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


# ---- verify -----------------------------------------------------------------------------------------------------


def _verify(args: argparse.Namespace) -> int:
    verdict = verify(args.state, _heads(args.head) if args.head else (), args.key)
    first = verdict.findings[0] if verdict.findings else None
    if args.json:
        bad = [{**_as_dict(finding), "fault": finding.fault.name.lower()} for finding in verdict.findings]
        aged = None if verdict.aged is None else {"total": verdict.aged.total, "until": verdict.aged.until}
        said = {"events": verdict.events, "whole": not bad, "bad": bad, "after": verdict.after, "aged": aged}
        print(json.dumps(said))
        return 1 if bad else 0
    if verdict.after is not None:
        unread = N_("it follows {file}, which could not be read: not proven to join it")
        how = N_("it follows {file}") if verdict.joined else unread
        print(say(how, file=verdict.after))
    if verdict.aged is not None:
        text = N_("{total} events until {until} aged out before these, as event {number} states and signs")
        print(say(text, total=verdict.aged.total, until=verdict.aged.until, number=verdict.aged.number))
    if first is None:
        print(say("{count} events: none removed, altered, reordered, inserted or forked", count=verdict.events))
        if args.head is None:
            print(say("whether the last ones were removed shows only with --head and heads kept by the far side"))
        return 0
    print(
        say(
            "{count} events, {bad} not as they were written. The first:",
            count=verdict.events,
            bad=len(verdict.findings),
        )
    )
    print(_words(first))
    return 1


def _heads(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text("utf-8")
        heads = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise Refused(say("{path} holds no heads as JSON lines: {error}", path=path, error=error)) from error
    if not all(isinstance(head, dict) for head in heads):
        raise Refused(say("{path} holds no heads as JSON lines: {error}", path=path, error="{}"))
    return heads


def _as_dict(finding: Finding) -> dict[str, Any]:
    names = ("number", "stream", "run", "seq", "hash", "detail")
    return {name: getattr(finding, name) for name in names}


def _words(finding: Finding) -> str:
    where = say(
        "event {number} of {stream}, run {run}, seq {seq}, hash {hash}",
        number="?" if finding.number is None else finding.number,
        stream=finding.stream or "?",
        run=finding.run or "?",
        seq=finding.seq,
        hash=finding.hash or "?",
    )
    return f"{where}\n  {say(finding.fault)}" + (f" ({finding.detail})" if finding.detail else "")


def _verify_bundle(args: argparse.Namespace) -> int:
    """A report's bundle; it needs no record beside it."""
    from gateway.reports import bundle  # noqa: PLC0415  only for this

    manifest = bundle.read(args.file, args.key)
    if args.json:
        print(json.dumps(manifest, ensure_ascii=False))
        return 0
    print(say("whole, and signed by {key}", key=manifest["key"]))
    if args.key is None:
        print(say("Compare this key with the one that the command centre keeps (meta), or give it with --key."))
    print(
        say(
            "{report} of {venue}, {start} to {end}, made {made}",
            report=manifest["report"],
            venue=manifest["venue"],
            start=manifest["from"],
            end=manifest["to"],
            made=manifest["made"],
        )
    )
    return 0
