"""What the parts of the engine see of the venue: its state, read; a finding handed in; what stands shown anew.

`Engine` is one. Its parts (`acts.py`, `answers.py`, `deeds.py`, `calibrating.py`, `day/`) know this, and those of one
another that they are given; none knows the engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from gateway.alarm import book
from gateway.alarm.book import Book
from gateway.alarm.findings import Finding
from gateway.configuration.config import Config
from gateway.contacts.lamp import LampStep
from gateway.contacts.lamps import Lamps
from gateway.contacts.seals import Seals
from gateway.contacts.watches import ContactWatch
from gateway.machine.health import Health
from gateway.moment import Moment
from gateway.payloads import Origin
from gateway.points import Points
from gateway.screening.gate import Gate
from gateway.sinks.feeder import Piece
from gateway.sparing import Sparing
from gateway.values import Canary, Notice, Readings, SinkState, StorageState


class Outputs(book.Outputs, Protocol):
    """Where everything goes. Every method only puts on a queue."""

    def readings(self, readings: Readings) -> None: ...
    def lamp(self, contact: str, step: LampStep, *, sound: bool) -> None: ...
    def say(self, topic: str, payload: bytes) -> None: ...
    def resend(self, piece: Piece) -> None: ...
    def storage(self, *, failing: bool) -> None: ...
    def nonces(self, sink: str) -> tuple[str, ...]: ...
    def hurry(self, sink: str | None) -> None: ...
    def call(self, notice: Notice) -> None: ...
    def siren(self, *, on: bool) -> None: ...
    def alive(self) -> None: ...
    def card(self) -> dict[str, Any]: ...
    def session(self, until_s: float | None) -> None: ...  # seconds since 1970; None: none is on
    def retire(self, name: str) -> None: ...
    def calibrating(self, device: str, until: Moment | None) -> None: ...


class Venue(Protocol):
    """The state is the engine's. A reload puts new values in its place: a part keeps the venue, not what it holds."""

    config: Config
    config_sha256: str
    origin: Origin
    book: Book
    out: Outputs
    health: Health
    points: Points
    seals: Seals
    lamps: Lamps
    watches: dict[str, ContactWatch]
    sparing: Sparing
    gates: dict[str, Gate]
    links: dict[str, SinkState]
    canaries: dict[str, Canary]
    storage: dict[str, StorageState]
    stored: int  # number of the last event that is known to be on the card
    disarmed: tuple[str, ...]  # kept armed against the configuration

    def find_all(self, findings: Iterable[Finding]) -> None:
        """Into the book, with what follows from it at once: lamps, drills, patrols' tags."""

    def show(self, now: Moment) -> None:
        """Lamps, seals and the siren as they stand now."""
