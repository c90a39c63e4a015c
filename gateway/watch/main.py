"""Asks the running gateway once a second, and shows what came."""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from gateway.catalogue import say
from gateway.errors import Refused, Unavailable
from gateway.persons.control import ask
from gateway.watch.screen import Screen
from gateway.watch.view import Snapshot, facts, page

EVERY_S = 1.0
_LIMITS_EVERY = 10  # rounds: limits change with the hour, values with the second


class Watcher:
    """What was answered last, and when."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._seen = Snapshot()
        self._heard = time.monotonic()
        self._round = 0

    def look(self) -> Snapshot:
        """A new snapshot; the old one with its age and the reason when nobody answers."""
        try:
            seen = Snapshot(self._ask("status"), self._ask("alarms"), self._ask("points"))
            due = self._round % _LIMITS_EVERY == 0 or seen.status.get("session") != self._seen.status.get("session")
            seen.limits = self._ask("limits") if due else self._seen.limits
        except (Unavailable, Refused) as error:
            old = self._seen
            age_s = time.monotonic() - self._heard
            return Snapshot(old.status, old.alarms, old.points, old.limits, age_s, str(error))
        self._seen, self._heard = seen, time.monotonic()
        self._round += 1
        return seen

    def _ask(self, verb: str) -> Any:
        answer = ask(self._state, {"verb": verb})
        if not answer.get("ok"):
            raise Refused(str(answer.get("error")))
        return answer[verb]


def watch_main(args: argparse.Namespace) -> int:
    """Until Ctrl-C. On a terminal a page; else, or with --plain, a line for each change."""
    watcher, stop = Watcher(args.state), threading.Event()
    try:
        if args.once:
            size = shutil.get_terminal_size()
            print("\n".join(line.plain for line in page(watcher.look(), size.columns, 1000)))
        elif args.plain or not sys.stdout.isatty():
            _lines(watcher, stop)
        else:
            _paint(watcher, stop)
    except KeyboardInterrupt:
        pass
    return 0


def _paint(watcher: Watcher, stop: threading.Event) -> None:
    with Screen() as screen:
        size = shutil.get_terminal_size()
        while True:
            now = shutil.get_terminal_size()
            if now != size:
                screen.forget()
                size = now
            lines = page(watcher.look(), size.columns, size.lines - 1)
            foot = Text(say("Ctrl-C ends it; why an alarm stands: venue-gateway why ALARM"), style="dim")
            room = [Text("")] * max(0, size.lines - 1 - len(lines))
            screen.paint([coloured(line, size.columns) for line in (*lines, *room, foot)])
            stop.wait(EVERY_S)


def coloured(line: Text, width: int) -> str:
    """One line with its colours as the terminal wants them."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system="standard", highlight=False)
    line.truncate(width, overflow="ellipsis")
    console.print(line, end="", soft_wrap=True)
    return out.getvalue()


def _lines(watcher: Watcher, stop: threading.Event) -> None:
    before: Mapping[str, str] = {}
    while True:
        now = facts(watcher.look())
        stamp = f"{datetime.now().astimezone():%H:%M:%S}"
        for key in dict.fromkeys((*before, *now)):
            if before.get(key) != now.get(key):
                gone = say("{what}: over", what=key.partition(" ")[2])
                print(f"{stamp} {now.get(key, gone)}", flush=True)
        before = now
        stop.wait(EVERY_S)
