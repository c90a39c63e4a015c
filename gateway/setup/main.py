"""`venue-gateway setup`: section by section, kept after each, saved only when the whole is good."""

from __future__ import annotations

import argparse
import copy
import os
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.catalogue import N_, choose, say
from gateway.errors import Refused
from gateway.setup import sections
from gateway.setup.answers import answers_main
from gateway.setup.draft import Draft, recalled
from gateway.setup.guard import Broker, contacts
from gateway.setup.instruments import Instruments, serial_ports
from gateway.setup.terminal import BackError, Terminal

Ask = Callable[[Terminal, Draft], None]
Section = tuple[str, str, Ask]  # its key in what is kept, its title, its questions


def setup_main(args: argparse.Namespace) -> int:
    if args.answers is not None:
        return answers_main(args.answers, args.common, args.out)
    terminal = Terminal()
    if args.lang is None:
        choose(terminal.choose("语言 / language", [("zh", "中文"), ("en", "English")], "zh"))
    try:
        draft = _begun(terminal, args.config)
        steps = _sections(args)
        for number, step in enumerate(steps, 1):
            if step[0] not in draft.done:
                _section(terminal, draft, step, f"{number}/{len(steps)}")
        return _finish(terminal, draft, steps)
    except KeyboardInterrupt:
        terminal.tell()
        terminal.tell(say("What was answered is kept. Go on with: venue-gateway setup {file}", file=args.config))
        return 1


def _sections(args: argparse.Namespace) -> Sequence[Section]:
    return (
        ("venue", N_("The venue"), sections.venue),
        ("sessions", N_("The exam"), sections.sessions),
        ("people", N_("People"), sections.people),
        ("stations", N_("Who confirms alarms"), sections.stations),
        ("contacts", N_("Leak button, door, siren"), contacts),
        ("instruments", N_("Instruments and limits"), Instruments(serial_ports(args.port), args.state)),
        ("broker", N_("Where it goes"), Broker(test=not args.no_test)),
    )


def _begun(terminal: Terminal, path: Path) -> Draft:
    """What was kept, or the file that is there, or nothing yet."""
    if not os.access(path.parent, os.W_OK):
        raise Refused(say("you may not write into {folder}: begin the command with sudo", folder=path.parent))
    kept = recalled(path)
    if kept is not None and terminal.yes(say("go on where you stopped"), default=True):
        return kept
    tables = {}
    if path.exists():
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Refused(say("{file} cannot be used: {why}", file=path, why=str(error))) from error
        terminal.tell(say("{file} is there: its answers are proposed. Comments in it are not kept.", file=path))
    else:
        terminal.tell(
            say("Enter takes what stands in brackets, ? explains, < begins a section again, Ctrl-C keeps all.")
        )
    return Draft(path, tables)


def _section(terminal: Terminal, draft: Draft, section: Section, count: str) -> None:
    key, title, ask = section
    before = copy.deepcopy(draft.tables)
    while True:
        terminal.title(f"{count}  {say(title)}")
        try:
            ask(terminal, draft)
        except BackError:
            draft.tables = copy.deepcopy(before)
            continue
        if key not in draft.done:
            draft.done.append(key)
        draft.keep()
        return


def _finish(terminal: Terminal, draft: Draft, steps: Sequence[Section]) -> int:
    """Shows the file and what is wrong or weak; sections may be answered again until it is good."""
    while True:
        terminal.title(say("The file"))
        terminal.raw(draft.text())
        checked = draft.check()
        for problem in checked.problems:
            terminal.tell(f"! {problem}")
        options = [("save", say("save it"))] if checked.good else []
        options += [(key, say("again: {section}", section=say(title))) for key, title, _ in steps]
        options += [("later", say("stop here; everything is kept"))]
        what = terminal.choose(say("what now"), options, options[0][0] if checked.good else "")
        if what == "save":
            return _saved(terminal, draft)
        if what == "later":
            raise KeyboardInterrupt
        section = next(step for step in steps if step[0] == what)
        _section(terminal, draft, section, "")


def _saved(terminal: Terminal, draft: Draft) -> int:
    before = draft.save()
    terminal.tell(say("{file} is written.", file=draft.path))
    if before is not None:
        terminal.tell(say("What was there before is in {file}.", file=before))
    terminal.tell(say("Next: venue-gateway doctor {file}", file=draft.path))
    return 0
