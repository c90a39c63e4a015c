"""The command line of the exam day: `log`, `drill`, `accept`, and its reports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.catalogue import say
from gateway.day.entries import ENTRIES
from gateway.day.wording import INCIDENTS


def add_day_parsers(verbs: Any, stateful: argparse.ArgumentParser, tables: argparse.ArgumentParser) -> None:
    """`verbs`: what argparse's add_subparsers gave."""
    text = say("make an entry: a duty, an incident, airing, a session held or moved")
    log = verbs.add_parser("log", help=text, description=text, parents=[stateful, tables])
    log.set_defaults(handler="gateway.persons.local:log_main", verb="log")
    log.add_argument("kind", choices=[*ENTRIES], metavar="KIND", help=say("one of: {known}", known=", ".join(ENTRIES)))
    log.add_argument("--with", dest="second", metavar="PERSON", help=say("the second person, at the same terminal"))
    log.add_argument("--room", metavar="ROOM", help=say("disinfection and ventilation: the room"))
    log.add_argument("--to", metavar="PLACE", help=say("custody-moved: where to"))
    log.add_argument("--session", metavar="NAME", help=say("session-moved: which session"))
    log.add_argument("--until", metavar="11:45", help=say("session-moved: its new end, by the venue's clock"))
    log.add_argument(
        "--incident", choices=[*INCIDENTS], metavar="KIND", help=say("incident: {known}", known=", ".join(INCIDENTS))
    )
    log.add_argument("--gate", metavar="NAME", help=say("second-measurement: which entrance"))
    log.add_argument("--number", metavar="N", help=say("second-measurement: the running number"))
    log.add_argument("--value", metavar="36.8", help=say("second-measurement: degC"))
    _pin(log)
    log.add_argument("--with-pin-file", type=Path, help=say("file with the PIN of the second person"))
    text = say("hold a drill: the whole way to the far end and back, every message marked")
    drill = verbs.add_parser("drill", help=text, description=text, parents=[stateful, tables])
    drill.set_defaults(handler="gateway.persons.local:drill_main", verb="drill")
    drill.add_argument(
        "name", nargs="?", metavar="NAME", help=say("any alarm of the venue: one of its own for it, at most 15 min")
    )
    drill.add_argument(
        "--contact", metavar="NAME", help=say("test any contact: its first short press within 60 s is a drill")
    )
    drill.add_argument("--end", action="store_true", help=say("end the drill of this alarm"))
    _pin(drill)

    text = say("walk through every sensor and every alarm to the far end; ends in a sheet to sign")
    accept = verbs.add_parser("accept", help=text, description=text, parents=[stateful])
    accept.set_defaults(handler="gateway.accept.cli:accept_main")
    accept.add_argument("--by", required=True, metavar="PERSON", help=say("who acts: a person of the configuration"))
    accept.add_argument("--pin-file", type=Path, help=say("file with the PIN (default: asked for)"))
    accept.add_argument(
        "--file", type=Path, default=Path("acceptance.json"), help=say("where it is kept, to go on with")
    )
    accept.add_argument("--out", type=Path, default=Path("acceptance.html"), help=say("the sheet"))
    accept.add_argument(
        "--only", nargs="+", metavar="NAME", help=say("try only these contacts, rules or streams this time")
    )
    accept.add_argument("--again", action="store_true", help=say("test what was in order already, too"))


def add_day_reports(reports: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    """`reports`: what takes the kinds of `report`."""
    text = say("drills and tests: who, when, how long each hop took, what did not answer")
    drill = reports.add_parser("drill", help=text, description=text, parents=list(parents))
    drill.set_defaults(handler="gateway.day.drill_sheet:drill_main")
    drill.add_argument("--last", type=int, default=1, metavar="N", help=say("so many (default: {count})", count=1))
    drill.add_argument("--out", type=Path, metavar="FILE.html", help=say("where the page goes"))
    drill.add_argument("--json", action="store_true", help=say("print JSON"))
    text = say("every disturbance of every session, to the millisecond")
    lost = reports.add_parser("lost-time", help=text, description=text, parents=list(parents))
    lost.set_defaults(handler="gateway.day.lost_report:lost_main")
    lost.add_argument("--csv", action="store_true", help=say("a table for spreadsheets"))
    lost.add_argument("--json", action="store_true", help=say("print JSON"))


def _pin(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--by", required=True, metavar="PERSON", help=say("who acts: a person of the configuration"))
    verb.add_argument("--note", help=say("a note or reason"))
    verb.add_argument("--pin-file", type=Path, help=say("file with the PIN (default: asked for)"))
