"""A program in a real pseudo-terminal, and a person at it who waits for a question before answering."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\x1b[=>]")


class Person:
    """Runs `venue-gateway WORDS` at a terminal of so many columns. `said` is everything on the screen so far."""

    def __init__(self, *words: object, columns: int = 80, rows: int = 30, **env: str) -> None:
        self.said = ""
        self._seen = 0
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(ROOT)
            variables = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8", **env}
            os.execve(sys.executable, [sys.executable, "-m", "gateway", *map(str, words)], variables)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def sees(self, words: str, timeout_s: float = 30.0) -> str:
        """What was said since the last time, up to and with these words."""
        end = time.monotonic() + timeout_s
        while True:
            text = _CONTROL.sub("", self.said)
            at = text.find(words, self._seen)
            if at >= 0:
                since, self._seen = text[self._seen : at + len(words)], at + len(words)
                return since
            assert time.monotonic() < end, f"{words!r} was not said; last: {text[self._seen :][-1500:]}"
            assert self._read(0.2) or text.find(words, self._seen) >= 0, f"it ended; last: {text[-1500:]}"

    def types(self, *answers: tuple[str, str]) -> None:
        """Waits for each question, then answers it."""
        for question, answer in answers:
            self.sees(question)
            os.write(self._terminal, f"{answer}\n".encode())

    def presses(self, key: bytes) -> None:
        os.write(self._terminal, key)

    def ends(self, timeout_s: float = 30.0) -> int:
        """Its exit code."""
        end = time.monotonic() + timeout_s
        while self._read(0.2):
            assert time.monotonic() < end, self.said[-1500:]
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def _read(self, timeout_s: float) -> bool:
        """Whether the program may still say something."""
        if not select.select([self._terminal], [], [], timeout_s)[0]:
            return True
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # how a pseudo-terminal says that the other end has closed
            return False
        self.said += data.decode("utf-8", "replace")
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._terminal)
