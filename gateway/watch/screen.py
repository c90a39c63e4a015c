"""A terminal on which only those lines are written again that have changed: a quiet second costs no byte."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Self, TextIO

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # the second screen, without a cursor; and back


class Screen:
    """Used in a `with`. `paint` takes whole lines, with their colours."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._before: list[str] = []

    def __enter__(self) -> Self:
        self._out.write(f"{_ENTER}\x1b[2J")
        return self

    def __exit__(self, *_: object) -> None:
        self._out.write(_LEAVE)
        self._out.flush()

    def forget(self) -> None:
        """The terminal has another size: everything is written again."""
        self._before = []
        self._out.write("\x1b[2J")

    def paint(self, lines: Sequence[str]) -> None:
        gone = len(self._before) - len(lines)
        now = [*lines, *[""] * max(0, gone)]
        for number, line in enumerate(now):
            if number >= len(self._before) or self._before[number] != line:
                self._out.write(f"\x1b[{number + 1};1H{line}\x1b[0m\x1b[K")
        self._before = list(lines)
        self._out.flush()
