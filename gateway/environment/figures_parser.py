"""The command line of `venue-gateway figures`."""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

from gateway.catalogue import say


def add_figures_parser(verbs: Any, stateful: argparse.ArgumentParser, tables: argparse.ArgumentParser) -> None:
    """`verbs`: what argparse's add_subparsers gave."""
    text = say("what was measured, hour by hour: means, percentiles, valid share, estimates")
    verb = verbs.add_parser("figures", help=text, description=text, parents=[stateful, tables])
    verb.set_defaults(handler="gateway.environment.figures_cli:figures_main")
    verb.add_argument("point", nargs="?", metavar="POINT", help=say("a point or a device (default: all)"))
    verb.add_argument("--day", type=date.fromisoformat, metavar="2026-06-07", help=say("default: today"))
    verb.add_argument(
        "--airing", metavar="12:00-13:00", help=say("whether the fall of CO2 (POINT) proves that a room was aired then")
    )
