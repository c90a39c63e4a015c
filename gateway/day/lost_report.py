"""`venue-gateway report lost-time`: every disturbance of every session, and what they make together."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from gateway.catalogue import both, say
from gateway.day.drill_sheet import events
from gateway.day.wording import CAUSES

COLUMNS = ("session", "cause", "name", "from", "to", "lost_s", "listening", "measured", "sure", "why", "event")


def lost_main(args: argparse.Namespace) -> int:
    rows = [{**body["details"], "event": body["hash"]} for body in events(args.state, "disturbance-ended")]
    if args.json:
        print(json.dumps({"disturbances": rows, "sessions": of_the_record(rows)}, ensure_ascii=False))
    elif args.csv:
        sys.stdout.write("\ufeff")  # or spreadsheets take the Chinese for something else
        writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    else:
        for line in lines(rows):
            print(line)
    return 0


def totals(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds lost of each session; where disturbances lie over each other the time counts once."""
    spans: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        start_s = datetime.fromisoformat(row["from"]).timestamp()
        spans.setdefault(str(row["session"]), []).append((start_s, start_s + float(row["lost_s"])))
    return {session: round(_union(each), 3) for session, each in spans.items()}


def of_the_record(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The same of all that is kept: a session of a name that was there on several days, as in a mock exam, is told with
    its day.
    """
    dated = [(row, str(row["session"]), str(row["from"])[:10]) for row in rows]
    days = {name: {day for _, each, day in dated if each == name} for _, name, _ in dated}
    return totals({**row, "session": f"{name} {day}" if len(days[name]) > 1 else name} for row, name, day in dated)


def _union(spans: list[tuple[float, float]]) -> float:
    lost_s, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        lost_s += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return lost_s


def lines(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return [say("no disturbance of a session is in the record")]
    found = []
    for row in rows:
        cause = say("{cause}", cause=both(CAUSES[row["cause"]]))
        sure = "" if row["sure"] else "  " + say("(clock not set: not sure)")
        where = say("in the listening test") if row["listening"] else ""
        start, end = row["from"][5:23].replace("T", " "), row["to"][11:23]
        found.append(
            f"{row['session']}  {start} - {end}  {row['lost_s']:9.3f} s  {cause} ({row['name']}) {where}{sure}".rstrip()
        )
    found += [
        say("{session}: {lost} s in all", session=name, lost=f"{lost:.3f}")
        for name, lost in of_the_record(rows).items()
    ]
    return found
