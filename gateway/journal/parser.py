"""The words of `venue-gateway journal`, apart from its code, so that other commands need not load that."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from gateway.catalogue import say
from gateway.values import STREAMS


class Subparsers(Protocol):
    def add_parser(self, name: str, **kwargs: Any) -> argparse.ArgumentParser: ...


def add_journal_parser(subparsers: Subparsers, parents: Sequence[argparse.ArgumentParser] = ()) -> None:
    """`journal` below the main command; `parents` bring at least `--state`."""
    text = say("the record: follow, export, prove")
    journal = subparsers.add_parser("journal", help=text, description=text)
    verbs = journal.add_subparsers(dest="journal_verb", metavar=say("COMMAND"), required=True)

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        parser = verbs.add_parser(name, help=text, description=text, parents=list(parents))
        parser.set_defaults(handler="gateway.journal.cli:journal_main")
        return parser

    tail = verb("tail", say("the last events, and those that come"))
    tail.add_argument("-n", "--lines", type=int, default=20, help=say("how many (default: {count})", count=20))
    tail.add_argument("-f", "--follow", action="store_true", help=say("go on until Ctrl-C"))
    tail.add_argument("--stream", choices=STREAMS, help=say("only this stream"))
    tail.add_argument("--json", action="store_true", help=say("print JSON"))

    export = verb("export", say("all events as a table or as JSON lines, to standard output"))
    form = export.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help=say("a table for spreadsheets"))
    form.add_argument("--jsonl", action="store_true", help=say("the events byte for byte, one a line (the default)"))
    export.add_argument("--since", type=_time, metavar="TIME", help=say("from then on: 2026-06-07 or 2026-06-07T09:00"))
    export.add_argument("--stream", choices=STREAMS, help=say("only this stream"))

    copy = verb("backup", say("one file of everything worth keeping, while the gateway runs"))
    copy.add_argument("file", type=Path, metavar="FILE", help=say("the file to make"))
    copy.add_argument("--no-readings", action="store_true", help=say("minute records only, not every reading"))

    back = verb("restore", say("what a backup would bring back; with --yes it does, under a new identity"))
    back.add_argument("file", type=Path, metavar="FILE", help=say("made by journal backup"))
    back.add_argument("--yes", action="store_true", help=say("do it; what is there now is kept aside"))

    proof = verb("verify", say("prove that nothing was removed, altered, reordered or inserted"))
    proof.add_argument(
        "--head", type=Path, metavar="FILE", help=say("heads kept by the far side (JSON lines): finds a removed end")
    )
    proof.add_argument(
        "--key", action="append", default=[], help=say("the device's public key, as kept by the far side")
    )
    proof.add_argument("--json", action="store_true", help=say("print JSON"))

    bundle = verb("verify-bundle", say("prove a report's bundle: signature, and every file in it"))
    bundle.add_argument("file", type=Path, metavar="FILE", help=say("bundle.zip of a report"))
    bundle.add_argument("--key", help=say("the gateway's public key, as kept by the far side (ed25519:...)"))
    bundle.add_argument("--json", action="store_true", help=say("print JSON"))


def add_replace_parser(subparsers: Subparsers, parents: Sequence[argparse.ArgumentParser] = ()) -> None:
    """`replace`, beside `journal`."""
    text = say("this board takes the place of a dead one: its backup and configuration, a new identity")
    parser = subparsers.add_parser("replace", help=text, description=text, parents=list(parents))
    parser.set_defaults(handler="gateway.journal.restore_cli:replace_main")
    parser.add_argument("config", type=Path, metavar="CONFIG", help=say("the venue's TOML file"))
    parser.add_argument("--backup", type=Path, metavar="FILE", help=say("the newest backup; without: an empty record"))


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(say("{text} is no time such as 2026-06-07T09:00", text=repr(text))) from error
