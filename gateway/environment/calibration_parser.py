"""`venue-gateway calibrate DEVICE`: a field check of a sound level meter, by a named person."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from gateway.catalogue import say


def add_calibration_parser(verbs: Any, stateful: argparse.ArgumentParser, tables: argparse.ArgumentParser) -> None:
    """`verbs`: what argparse's add_subparsers gave."""
    text = say("enter a field check of a sound level meter: what it showed with the calibrator on")
    verb = verbs.add_parser("calibrate", help=text, description=text, parents=[stateful, tables])
    verb.set_defaults(handler="gateway.environment.calibration_parser:calibrate_main", verb="calibrate")
    verb.add_argument("name", metavar="DEVICE", help=say("a sound level meter of the configuration"))
    verb.add_argument(
        "--begin",
        action="store_true",
        help=say("the calibrator goes on now: nothing counts until the check is entered"),
    )
    verb.add_argument("--level", type=float, metavar="93.8", help=say("what the meter showed, in dB"))
    verb.add_argument("--reference", type=float, metavar="94.0", help=say("the calibrator's level (default: 94.0)"))
    verb.add_argument("--adjusted", type=float, metavar="94.0", help=say("what it shows after it was set right"))
    verb.add_argument(
        "--for",
        dest="lasting",
        metavar="5m",
        help=say("how long the calibrator was on (default: since --begin, or 5m)"),
    )
    verb.add_argument("--by", required=True, metavar="PERSON", help=say("who acts: a person of the configuration"))
    verb.add_argument("--note", help=say("a note or reason"))
    verb.add_argument("--pin-file", type=Path, help=say("file with the PIN (default: asked for)"))


def calibrate_main(args: argparse.Namespace) -> int:
    from gateway.persons.local import act  # noqa: PLC0415  the parser is built for every command

    given = {name: getattr(args, name) for name in ("level", "reference", "adjusted")}
    request = {name: value for name, value in given.items() if value is not None}
    answer = act(args, name=args.name, begin=args.begin, **request)
    print(json.dumps(answer, ensure_ascii=False) if args.json else answer["text"])
    return 0
