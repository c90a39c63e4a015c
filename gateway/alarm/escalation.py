"""The steps of [escalation] act: send again, the second broker, the modem, the siren.

When a step is due is the alarm's own matter (`alarms.py`); here it is taken. A broker that refuses an event of custody,
or has nobody who listens, is not waited for: the next other path is taken at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.alarm.book import Book, Page
from gateway.alarms import UNACKNOWLEDGED, Alarm, Given, Signal, Transition
from gateway.moment import Moment
from gateway.values import Notice


class Paths(Protocol):
    """Ways beside the usual one. Every method only puts on a queue."""

    def hurry(self, sink: str | None) -> None: ...  # what has no receipt goes out now; None: on every broker
    def call(self, notice: Notice) -> None: ...
    def siren(self, *, on: bool) -> None: ...


class Escalation:
    """Owned by the engine's thread. `silent`: whether an alarm must make no sound at the venue."""

    def __init__(self, book: Book, paths: Paths, silent: Callable[[str], bool]) -> None:
        self._book = book
        self._paths = paths
        self._silent = silent
        self._wailing: dict[str, str | None] = {}  # alarm: the activation for which the siren was asked
        self._on = False

    def resume(self) -> None:
        """After a restart: the siren goes on for what had come to it and nobody has answered, and the modem sends its
        message again, because nobody knows whether it had.
        """
        for page in self._book.pages.values():
            alarm = page.alarm
            taken = {step.to for step in page.definition.escalation[: alarm.escalation_step]}
            if "siren" in taken:
                self._wail(page)
            if "modem" in taken and alarm.state in UNACKNOWLEDGED:
                self._call(page.definition.kind, alarm)

    def passed(self, page: Page, transition: Transition) -> None:
        """A transition was recorded; if it is a step, it is taken."""
        if transition.name != "escalated":
            return
        match transition.given.to:
            case "resend":
                self._paths.hurry(None)
            case "second-broker":
                self._paths.hurry("second")
            case "modem":
                self._call(page.definition.kind, transition.alarm)
            case "siren":
                self._wail(page)

    def not_taken(self, number: int, now: Moment) -> None:
        """The first broker refused an event or nobody listens there: every step up to the next other path is due now.

        While the first one may still deliver it, what the second one does brings nothing forward.
        """
        sent = self._book.sent_as(number)
        page = None if sent is None else self._book.pages.get(sent.alarm)
        if sent is None or page is None or not sent.needs_receipt or number < page.opening:
            return
        if page.alarm.escalating is None or page.alarm.received_by or "mqtt" not in sent.refused:
            return
        steps = [step.to for step in page.definition.escalation[page.alarm.escalation_step :]]
        wanted = ("modem",) if "second" in sent.refused else ("second-broker", "modem")
        upto = next((index for index, to in enumerate(steps) if to in wanted), None)
        for to in steps[: upto + 1] if upto is not None else ():
            self._book.signal(page.definition.name, Signal.ESCALATE, now, Given(to=to))

    def show(self) -> None:
        """The siren is silent once everybody's alarm that came to it was acknowledged."""
        for name, activation in tuple(self._wailing.items()):
            alarm = self._book.alarm(name)
            if alarm is None or alarm.state not in UNACKNOWLEDGED or alarm.activation != activation:
                del self._wailing[name]
        if bool(self._wailing) != self._on:
            self._on = bool(self._wailing)
            self._paths.siren(on=self._on)

    def say_again(self) -> None:
        """The pins were claimed anew."""
        self._paths.siren(on=self._on)

    def _call(self, kind: str, alarm: Alarm) -> None:
        self._paths.call(Notice(alarm.name, kind, alarm.raised, drill=alarm.drill))

    def _wail(self, page: Page) -> None:
        """A siren cannot be marked as a drill, so a drill never has one."""
        if not page.alarm.drill and not self._silent(page.definition.name):
            self._wailing[page.definition.name] = page.alarm.activation
