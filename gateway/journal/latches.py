"""The latched leak, seal and tamper alarms in a small file of their own, so that a sick database cannot forget them.

    {"generation": 7, "latches": {"leak-button": {...}}, "sha256": "..."}   (sha256 of the canonical rest)

Two files in turn, `latches.0` and `latches.1`: whatever is torn, the other one is the generation before.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.journal.chain import canonical
from gateway.journal.database import words
from gateway.journal.files import write_durably
from gateway.moment import Clock
from gateway.values import StorageState
from gateway.worker import idle_s

log = logging.getLogger(__name__)

FIRST_DELAY_S, LAST_DELAY_S = 0.2, 5.0


@dataclass(frozen=True, slots=True)
class Latches:
    """What the files say. `damaged`: a file is there that cannot be trusted, so a latch may be missing here."""

    latched: Mapping[str, Any]
    generation: int  # 0: nothing was ever written, or nothing of it is left
    damaged: bool


def read_latches(directory: Path) -> Latches:
    """The newest whole generation. Torn, zeroed, foreign or unreadable files count as damaged; never raises."""
    newest = Latches({}, 0, damaged=False)
    damaged = False
    for turn in (0, 1):
        try:
            found = _parse(_path(directory, turn).read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            damaged = True
            continue
        if found.generation > newest.generation:
            newest = found
    return Latches(newest.latched, newest.generation, damaged)


def _path(directory: Path, generation: int) -> Path:
    return directory / f"latches.{generation % 2}"


def _parse(data: bytes) -> Latches:
    content = json.loads(data)
    if not isinstance(content, dict) or not isinstance(content.get("latches"), dict):
        raise ValueError("not a file of latches")  # noqa: TRY004  one error for whatever is wrong with a file
    if content.pop("sha256", None) != hashlib.sha256(canonical(content)).hexdigest():
        raise ValueError("its checksum does not fit")
    return Latches(content["latches"], int(content["generation"]), damaged=False)


def _form(latched: Mapping[str, Any], generation: int) -> bytes:
    content: dict[str, Any] = {"generation": generation, "latches": dict(latched)}
    content["sha256"] = hashlib.sha256(canonical(content)).hexdigest()
    return canonical(content) + b"\n"


class LatchWriter:
    """Keeps the file up to date from a thread of its own; `put` is for any thread, and the newest mapping wins."""

    def __init__(self, directory: Path, clock: Clock, tell: Callable[[object], None]) -> None:
        self._directory, self._clock, self._tell = directory, clock, tell
        found = read_latches(directory)
        self._generation = found.generation
        self._wanted: Mapping[str, Any] = found.latched
        self._written: Mapping[str, Any] = found.latched
        self._wake = threading.Event()
        self._error: str | None = None
        self._failures = 0

    def put(self, latched: Mapping[str, Any]) -> None:
        """These, and no others, are latched now. The mapping must not be changed afterwards. Never blocks."""
        self._wanted = latched
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        longest_s = idle_s(stop, self._wake.set)
        settled = True
        while not stop.is_set():
            if settled:
                self._wake.wait(longest_s)
            self._wake.clear()
            settled = self._settle()
            if not settled:
                delay_s = min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** min(self._failures - 1, 10))
                stop.wait(self._clock.pause(delay_s))
        self._settle()

    def _settle(self) -> bool:
        """Write what is wanted, if it is not there; False when the card refused."""
        wanted = self._wanted
        if wanted == self._written:
            return True
        try:
            write_durably(_path(self._directory, self._generation + 1), _form(wanted, self._generation + 1))
        except OSError as error:
            self._failures += 1
            self._say(words(error, self._directory), 1)
            return False
        self._generation += 1
        self._written = wanted
        self._failures = 0
        self._say(None, 0)
        return True

    def _say(self, error: str | None, waiting: int) -> None:
        if error != self._error:
            self._error = error
            log.warning("event=storage store=latches state=%r", error or "well")
            self._tell(StorageState("latches", error, waiting, 0, self._clock.now()))
