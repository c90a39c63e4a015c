"""The command line of the exam day: `log` and `drill`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gateway.catalogue import say
from gateway.day.entries import ENTRIES
from gateway.day.wording import INCIDENTS


def add_day_parsers(verbs: Any, stateful: argparse.ArgumentParser, tables: argparse.ArgumentParser) -> None:
    """`verbs`: what argparse's add_subparsers gave."""
    text = say("make an entry: a duty, an incident, airing, a session held or moved")
    log = verbs.add_parser("log", help=text, description=text, parents=[stateful, tables])
    log.set_defaults(handler="gateway.local:log_main", verb="log")
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
    drill.set_defaults(handler="gateway.local:drill_main", verb="drill")
    drill.add_argument(
        "name", nargs="?", metavar="NAME", help=say("a leak button: an alarm of its own, at most 15 min")
    )
    drill.add_argument(
        "--contact", metavar="NAME", help=say("test any contact: its first short press within 60 s is a drill")
    )
    drill.add_argument("--end", action="store_true", help=say("end the drill of this contact"))
    _pin(drill)


def _pin(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--by", required=True, metavar="PERSON", help=say("who acts: a person of the configuration"))
    verb.add_argument("--note", help=say("a note or reason"))
    verb.add_argument("--pin-file", type=Path, help=say("file with the PIN (default: asked for)"))
