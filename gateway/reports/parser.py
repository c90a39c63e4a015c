"""The words of `venue-gateway report`, apart from its code, so that other commands need not load that."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from gateway.catalogue import say


def add_report_parser(verbs: Any, parents: Sequence[argparse.ArgumentParser]) -> Any:
    """`report` below the main command; `parents` bring at least `--state`. Gives what takes further reports."""
    text = say("reports to print and to hand over: a page, a table of the samples, a signed bundle")
    report = verbs.add_parser("report", help=text, description=text)
    kinds = report.add_subparsers(dest="report", metavar=say("REPORT"), required=True)

    def kind(name: str, text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = kinds.add_parser(name, help=text, description=text, parents=list(parents))
        parser.set_defaults(handler="gateway.reports.cli:report_main")
        parser.add_argument("--config", type=Path, help=say("the venue's file (default: the one last in force)"))
        parser.add_argument(
            "--out", type=Path, metavar="DIR", help=say("where it goes (default: a new directory here)")
        )
        parser.add_argument(
            "--device", action="append", default=[], metavar="NAME", help=say("only this meter; may be repeated")
        )
        parser.add_argument("--no-samples", action="store_true", help=say("without the table of every sample"))
        return parser

    noise = kind("noise", say("sound levels of a time: figures, limits, events, gaps"))
    noise.add_argument("--from", dest="start", metavar="TIME", help=say("2026-06-07 or 2026-06-07T09:00"))
    noise.add_argument("--to", dest="end", metavar="TIME", help=say("likewise (default: a day later)"))

    complaint = kind("complaint", say("the answer to a complaint: was it too loud, and can the record tell?"))
    complaint.add_argument("--at", required=True, metavar="TIME", help=say("when it was: 2026-06-07T09:40"))
    complaint.add_argument("--tolerance", default="15m", metavar="15m", help=say("so long before and after"))
    complaint.add_argument("--place", action="append", default=[], help=say("only meters that stand there"))

    text = say("one day of the venue: sessions, noise, air, alarms, duties, entrances, lost time, gaps")
    day = kind("day", text)
    day.add_argument("--day", type=date.fromisoformat, metavar="2026-06-07", help=say("default: today"))
    return kinds
