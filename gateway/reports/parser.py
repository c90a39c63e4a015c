"""The words of `venue-gateway report`, apart from its code, so that other commands need not load that."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from gateway.catalogue import say


def add_report_parser(verbs: Any, _parents: Sequence[argparse.ArgumentParser]) -> Any:
    """`report` below the main command. Gives what takes the reports."""
    text = say("reports to print and to hand over")
    report = verbs.add_parser("report", help=text, description=text)
    return report.add_subparsers(dest="report", metavar=say("REPORT"), required=True)
