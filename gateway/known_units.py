"""What each device called itself when it was first met: kept over restarts, so that swapped adapters are refused.

    {"co2-hall": {"driver": "senseair_s8", "identity": "00a1b2c3"}, ...}     in units.json of the state directory

An `identity` in the configuration goes before what was met. A device that leaves the configuration is forgotten.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from gateway.journal.files import write_durably
from gateway.sources.unit import BoundDevice
from gateway.worker import idle_s

log = logging.getLogger(__name__)

FILE = "units.json"


@dataclass(frozen=True, slots=True)
class _Met:
    device: str
    driver: str
    identity: str


class KnownUnits:
    """`enter` before the sources begin; `run` owns the file. A card that cannot be written costs only the memory."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self._news: queue.SimpleQueue[_Met | frozenset[str] | None] = (
            queue.SimpleQueue()
        )  # or the devices that there are
        self._known = _read(self._path)

    def enter(self, devices: Iterable[BoundDevice]) -> tuple[BoundDevice, ...]:
        """The same devices, each with what it is known to call itself, and told to say what it does."""
        entered = []
        for device in devices:
            known = self._known.get(device.name, {})
            remembered = known.get("identity") if known.get("driver") == device.driver.name else None
            met = partial(self._meet, device.name, device.driver.name)
            entered.append(replace(device, identity=device.identity or remembered, met=met))
        self._news.put(frozenset(device.name for device in entered))
        return tuple(entered)

    def run(self, stop: threading.Event) -> None:
        longest_s = idle_s(stop, lambda: self._news.put(None))
        while not stop.is_set():
            try:
                news = self._news.get(timeout=longest_s)
            except queue.Empty:
                continue
            if news is None:
                continue
            if isinstance(news, frozenset):
                known = {name: entry for name, entry in self._known.items() if name in news}
            else:
                known = {**self._known, news.device: {"driver": news.driver, "identity": news.identity}}
            if known != self._known:
                self._known = known  # replaced as a whole: `enter` may be reading it
                self._write()

    def _meet(self, name: str, driver: str, identity: str) -> None:
        self._news.put(_Met(name, driver, identity))

    def _write(self) -> None:
        try:
            write_durably(self._path, json.dumps(self._known, ensure_ascii=False, indent=1).encode())
        except OSError as error:
            log.warning("event=units-not-kept error=%r", str(error))


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}
