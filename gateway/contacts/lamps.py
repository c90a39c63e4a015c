"""Which step the lamp beside a contact shows, from where its alarm stands and how far its message has come."""

from __future__ import annotations

from typing import Protocol

from drivers.contact import ContactState
from gateway.alarm.book import Book, Page
from gateway.alarm.words import drill_of
from gateway.alarms import UNACKNOWLEDGED
from gateway.contacts.lamp import LampStep
from gateway.contacts.watches import ContactWatch
from gateway.moment import Moment

NOT_DELIVERED_S = 30.0  # after that without a receipt the lamp says so


class Lighting(Protocol):
    def lamp(self, contact: str, step: LampStep, *, sound: bool) -> None: ...


class Lamps:
    """Owned by the engine's thread; says only what changed."""

    def __init__(self, book: Book, outputs: Lighting) -> None:
        self._book = book
        self._out = outputs
        self._shown: dict[str, tuple[LampStep, bool]] = {}

    def steps(self) -> dict[str, LampStep]:
        """What each lamp shows now."""
        return {name: step for name, (step, _) in self._shown.items()}

    def forget(self) -> None:
        """The pins were claimed anew: everything is said again."""
        self._shown.clear()

    def show(self, watch: ContactWatch, stored: int, now: Moment) -> None:
        """`stored`: number of the last event on the card."""
        if watch.config.lamp_pin is None and watch.config.buzzer_pin is None:
            return
        page = self._book.pages[watch.name]
        drill = self._book.pages[drill_of(watch.name)].alarm
        unseen = page.alarm.state in UNACKNOWLEDGED or drill.state in UNACKNOWLEDGED
        sound = unseen and not watch.config.silent
        shown = (self._step(watch, page, stored, now), sound)
        if self._shown.get(watch.name) != shown:
            self._shown[watch.name] = shown
            self._out.lamp(watch.name, shown[0], sound=sound)

    def _step(self, watch: ContactWatch, page: Page, stored: int, now: Moment) -> LampStep:
        alarm = page.alarm
        if not alarm.standing and self._book.pages[drill_of(watch.name)].alarm.standing:
            return LampStep.DRILL
        if not alarm.standing:
            faults = (self._book.pages.get(f"{watch.name}-{fault}") for fault in ("line", "pin"))
            faulty = any(fault is not None and fault.alarm.standing for fault in faults)
            return LampStep.FAULT if faulty or watch.state is ContactState.UNKNOWN else LampStep.SAFE
        if alarm.acknowledged is not None:
            return LampStep.ACKNOWLEDGED
        if alarm.received_by:
            return LampStep.RECEIVED
        if alarm.escalating is not None and now.seconds_since(alarm.escalating) > NOT_DELIVERED_S:  # since the press
            return LampStep.NOT_DELIVERED
        return LampStep.STORED if page.opening <= stored else LampStep.PRESSED
