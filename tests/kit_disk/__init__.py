"""A card that hangs, fills up, becomes read-only or fails, under a whole real process (F-DISK). See README.md."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from pathlib import Path
from typing import Self

_SOURCE = Path(__file__).with_name("sick_card.c")


class SickCard:
    """Makes the files below `directory` sick for processes started with `env()`; healthy until told otherwise."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        beside = self.directory.with_name(self.directory.name + ".sick-card")
        self._library, self._control = beside.with_suffix(".so"), beside.with_suffix(".control")

    def __enter__(self) -> Self:
        command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", self._library, _SOURCE, "-ldl"]
        subprocess.run(command, check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()

    def env(self) -> dict[str, str]:
        """The environment of a process that has this card."""
        return {
            **os.environ,
            "LD_PRELOAD": str(self._library),
            "SICK_CARD_DIR": str(self.directory),
            "SICK_CARD_CONTROL": str(self._control),
        }

    def stall(self, seconds: float) -> None:
        """Every sync hangs until then, or until `heal`."""
        self._say(f"stall {time.monotonic() + seconds:.3f}")

    def fail(self, name: str) -> None:
        """`ENOSPC`: what would grow a file fails, until something is removed. Any other: whatever would write fails."""
        self._say("full" if name == "ENOSPC" else f"fail {getattr(errno, name)}")

    def heal(self) -> None:
        self._say("")

    def _say(self, line: str) -> None:
        new = self._control.with_suffix(".new")
        new.write_text(line)
        new.replace(self._control)
