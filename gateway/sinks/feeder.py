"""Reads the journal for a pump: a thread of its own, because a card may stall, and a pump never waits for the card.

It answers one question after another and keeps nothing. An answer of None says that the journal could not be read;
the pump asks again later.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from drivers.quantities import Stream
from gateway import payloads
from gateway.environment.minutes import Minute
from gateway.errors import Unavailable
from gateway.payloads import Below, Origin
from gateway.sinks.outbox import Wish
from gateway.sinks.telemetry import ReadingsWish
from gateway.values import Event, Readings
from gateway.worker import idle_s

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """Events `first` to `last` (by `seq`) of a run of a stream, which a station asks for again."""

    stream: Stream
    run: str
    first: int
    last: int


Question = Wish | ReadingsWish | Piece | Literal["begin", "awaiting", "newest"]


class EventSource(Protocol):
    """The journal of events, as `journal.events.EventReader` reads it."""

    def after(self, number: int, limit: int) -> Sequence[Event]: ...
    def awaiting_receipt(self) -> Sequence[Event]: ...
    def piece(self, stream: Stream, run: str, first: int, last: int) -> Sequence[Event]: ...
    def cursor(self, sink: str) -> int: ...
    def last(self) -> tuple[int, object]: ...
    def close(self) -> None: ...


class ReadingSource(Protocol):
    """The journal of readings: blocks in the order in which they were kept, each with its place."""

    def after(self, place: int, limit: int) -> Sequence[tuple[int, Sequence[Readings]]]: ...
    def cursor(self, sink: str) -> int: ...
    def newest(self) -> int: ...
    def close(self) -> None: ...


class RecordSource(Protocol):
    """The records of sound levels: minutes as they were committed, and the messages that they complete."""

    def after(self, place: int, limit: int) -> Sequence[tuple[int, list[Minute]]]: ...
    def messages(self, low: int, rows: Iterable[tuple[int, list[Minute]]], *, historical: bool) -> Sequence[Below]: ...
    def newest(self) -> int: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Begun:
    cursor: int
    last: int
    readings_cursor: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """Events of a `Wish`: all of them up to and with `upto`."""

    upto: int
    events: list[Event]


@dataclass(frozen=True, slots=True)
class Packed:
    """Messages of a `ReadingsWish`, with `count` readings in all."""

    upto: int
    messages: list[Below]
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """`result` is Begun, Found, list of Event, Packed or the newest place; None when the journal cannot be read."""

    question: Question
    result: Any


class Feeder:
    """Readers are opened in this thread, at the first question and again after an error."""

    def __init__(
        self,
        sink: str,
        origin: Origin,
        events: Callable[[], EventSource],
        readings: Callable[[], ReadingSource] | None = None,
        records: Callable[[], RecordSource] | None = None,
    ) -> None:
        self._sink = sink
        self._origin = origin
        self._open_events = events
        self._open_readings = readings
        self._open_records = records
        self._questions: queue.SimpleQueue[tuple[Question, Callable[[Answer], None]] | None] = queue.SimpleQueue()
        self._events: EventSource | None = None
        self._readings: ReadingSource | None = None
        self._records: RecordSource | None = None
        self._well = True

    @property
    def has_readings(self) -> bool:
        return self._open_readings is not None

    def ask(self, question: Question, give: Callable[[Answer], None]) -> None:
        """For any thread; `give` is called from the feeder's: it must put and return."""
        self._questions.put((question, give))

    def run(self, stop: threading.Event) -> None:
        try:
            longest_s = idle_s(stop, lambda: self._questions.put(None))
            while not stop.is_set():
                try:
                    asked = self._questions.get(timeout=longest_s)
                except queue.Empty:
                    continue
                if asked is not None:
                    question, give = asked
                    give(Answer(question, self._try(question)))
        finally:
            self._close()

    def _try(self, question: Question) -> Any:
        try:
            result = self._answer(question)
        except (Unavailable, sqlite3.Error, OSError) as error:
            if self._well:
                log.warning("event=journal-unreadable sink=%s error=%r", self._sink, str(error))
            self._well = False
            self._close()
            return None
        if not self._well:
            log.info("event=journal-readable sink=%s", self._sink)
        self._well = True
        return result

    def _answer(self, question: Question) -> Any:
        match question:
            case Wish():
                return self._events_of(question)
            case ReadingsWish():
                return self._readings_of(question)
            case Piece(stream, run, first, last):
                return list(self._event_source().piece(stream, run, first, last))
            case "begin":
                events = self._event_source()
                place = self._reading_source().cursor(self._sink) if self.has_readings else None
                return Begun(events.cursor(self._sink), events.last()[0], place)
            case "awaiting":
                return list(self._event_source().awaiting_receipt())
            case "newest":
                records = self._record_source()
                return max(self._reading_source().newest(), records.newest() if records is not None else 0)

    def _events_of(self, wish: Wish) -> Found:
        """The journal holds all streams in one order: look on until enough of this one are found."""
        found: list[Event] = []
        at = wish.low
        while at < wish.high and len(found) < wish.limit:
            page = [event for event in self._event_source().after(at, wish.limit) if event.number <= wish.high]
            found += [event for event in page if event.stream == wish.stream]
            at = page[-1].number if len(page) == wish.limit else wish.high
        return Found(at, found)

    def _readings_of(self, wish: ReadingsWish) -> Packed:
        """Readings, and the records that were committed with them: one cursor goes over both."""
        blocks = [block for block in self._reading_source().after(wish.low, wish.limit) if block[0] <= wish.high]
        upto = blocks[-1][0] if len(blocks) == wish.limit else wish.high
        records, messages = self._record_source(), []
        if records is not None:
            rows = [row for row in records.after(wish.low, wish.limit) if row[0] <= upto]
            if len(rows) == wish.limit:
                upto = rows[-1][0]
                blocks = [block for block in blocks if block[0] <= upto]
            messages = list(records.messages(wish.low, rows, historical=wish.historical)) if rows else []
        answers = [answer for _, block in blocks for answer in block]
        messages = [*payloads.readings(self._origin, answers, historical=wish.historical), *messages]
        return Packed(upto, messages, sum(len(answer.readings) for answer in answers))

    def _event_source(self) -> EventSource:
        if self._events is None:
            self._events = self._open_events()
        return self._events

    def _reading_source(self) -> ReadingSource:
        if self._readings is None:
            assert self._open_readings is not None  # noqa: S101  asked only where there are readings
            self._readings = self._open_readings()
        return self._readings

    def _record_source(self) -> RecordSource | None:
        if self._records is None and self._open_records is not None:
            self._records = self._open_records()
        return self._records

    def _close(self) -> None:
        for source in (self._events, self._readings, self._records):
            if source is not None:
                source.close()
        self._events = self._readings = self._records = None
