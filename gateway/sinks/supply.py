"""Between a pump and the journal: what to ask the feeder, where its answers go, how far the cursors stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.moment import Moment
from gateway.sinks.feeder import Answer, Begun, Feeder, Found, Packed, Question
from gateway.sinks.outbox import Outbox, Wish
from gateway.sinks.telemetry import ReadingsWish, Telemetry

NEWEST_EVERY_S = 2.0  # how often the journal is asked for readings
AGAIN_S = 5.0  # after it could not be read


@dataclass(frozen=True, slots=True)
class Cursors:
    """Cursor moves, put on the journals' queues."""

    events: Callable[[str, int], None]
    readings: Callable[[str, int], None] | None = None


class Supply:
    """Owned by one pump's thread; `give` is called from the feeder's, and must put and return."""

    def __init__(
        self,
        sink: str,
        outbox: Outbox,
        telemetry: Telemetry,
        feeder: Feeder,
        *,
        cursors: Cursors,
        give: Callable[[Answer], None],
    ) -> None:
        self._sink = sink
        self._outbox = outbox
        self._telemetry = telemetry
        self._feeder = feeder
        self._cursors = cursors
        self._give = give
        self._begun = False
        self._newest_due_ns = 0
        self._ask_due_ns = 0
        self._told: tuple[int | None, int | None] = (None, None)

    def connected(self) -> None:
        self._newest_due_ns = 0

    def ask(self, now: Moment) -> None:
        """Ask for whatever is wanted now."""
        if now.mono_ns < self._ask_due_ns:
            return
        if not self._begun:
            self._ask_due_ns = now.after(AGAIN_S).mono_ns
            self._put("begin")
            return
        for wish in self._outbox.wishes():
            self._put(wish)
        if self._outbox.wants_awaiting():
            self._put("awaiting")
        if not self._feeder.has_readings:
            return
        if now.mono_ns >= self._newest_due_ns:
            self._newest_due_ns = now.after(NEWEST_EVERY_S).mono_ns
            self._put("newest")
        if reading_wish := self._telemetry.wish(now):
            self._put(reading_wish)

    def take(self, answer: Answer, now: Moment) -> None:
        if answer.result is None:
            self._ask_due_ns = now.after(AGAIN_S).mono_ns
        match answer.question, answer.result:
            case "begin", Begun() as begun if not self._begun:
                self._begin(begun)
            case Wish() as wish, Found(upto, events):
                self._outbox.fill(wish, upto, events)
            case Wish() as wish, None:
                self._outbox.not_filled(wish)
            case "awaiting", events:
                self._outbox.fill_awaiting(events)
            case "newest", int(newest):
                self._telemetry.grown(newest)
            case ReadingsWish() as wish, Packed(upto, messages, count):
                self._telemetry.fill(wish, upto, messages, count)
            case ReadingsWish() as wish, None:
                self._telemetry.not_filled(wish)
            case _:
                pass  # "begin" or "newest" without an answer: asked again in time

    def move_cursors(self) -> None:
        """Tell the journals what is proven by now."""
        events, readings = self._outbox.cursor(), self._telemetry.cursor()
        if events is not None and events != self._told[0]:
            self._cursors.events(self._sink, events)
        if readings is not None and readings != self._told[1] and self._cursors.readings is not None:
            self._cursors.readings(self._sink, readings)
        self._told = (events, readings)

    def _begin(self, begun: Begun) -> None:
        self._begun = True
        self._ask_due_ns = 0
        self._outbox.begin(begun.cursor, begun.last)
        if begun.readings_cursor is not None:
            self._telemetry.begin(begun.readings_cursor)

    def _put(self, question: Question) -> None:
        self._feeder.ask(question, self._give)
