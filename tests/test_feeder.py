"""The feeder reads the journal for a pump, says when it cannot, and is asked again."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from kit_mqtt import Broker, Listener, QuickClock, running, until
from test_mqtt import MemoryJournal, Venue

from gateway.errors import Unavailable
from gateway.journal.events import EventWriter
from gateway.journal.reader import EventReader
from gateway.payloads import Origin
from gateway.sinks.feeder import Answer, Feeder, Found, Piece
from gateway.sinks.outbox import Wish

ORIGIN = Origin("zj-no1", "9f2c61d0a4e81b37", ZoneInfo("Asia/Shanghai"))


class Stubborn(MemoryJournal):
    """A card that does not answer every other time."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.asked = 0
        self.closed = 0
        self._error = error

    def after(self, number: int, limit: int) -> Any:
        self.asked += 1
        if self.asked % 2:
            raise self._error
        return super().after(number, limit)

    def cursor(self, sink: str) -> int:
        self.after(0, 0)
        return super().cursor(sink)

    def awaiting_receipt(self) -> Any:
        self.after(0, 0)
        return super().awaiting_receipt()

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    "error", [Unavailable("stalled"), sqlite3.OperationalError("disk I/O error"), OSError(5, "EIO")]
)
def test_a_card_that_cannot_be_read_is_asked_again(tmp_path: Path, error: Exception) -> None:
    """F8: whatever reading raises, the pump goes on, asks again, and everything arrives in the end."""
    journal = Stubborn(error)
    before = Venue(tmp_path, journal=journal)
    for _ in range(3):
        before.press(None)
    venue = Venue(tmp_path, QuickClock(50), journal)
    with Broker(tmp_path) as broker, Listener(broker.port) as listener, venue.delivering(broker.port):
        until(lambda: len(listener.on("custody/event")) >= 3)
        until(lambda: journal.cursors.get("mqtt") == 3)

    assert journal.closed >= 2


def asked(feeder: Feeder, question: Any) -> Any:
    answers: list[Answer] = []
    feeder.ask(question, answers.append)
    return until(lambda: answers)[0].result


def test_one_stream_is_read_out_of_all(tmp_path: Path) -> None:
    """The journal holds all streams in one order; each answer says up to where it has looked."""
    venue = Venue(tmp_path)
    for number in range(100):
        venue.event(None, "custody" if number % 10 == 0 else "environment")
    feeder = Feeder("mqtt", ORIGIN, lambda: venue.journal)
    with running(feeder.run):
        first = asked(feeder, Wish("custody", 0, 95, 4))
        second = asked(feeder, Wish("custody", first.upto, 95, 4))
        nothing = asked(feeder, Wish("screening", 0, 95, 10))

    assert [1, 11, 21, 31] == [event.number for event in first.events][:4]
    assert [event.number for event in first.events + second.events] == list(range(1, second.upto + 1, 10))
    assert Found(95, []) == nothing


def test_from_the_real_journal(tmp_path: Path) -> None:
    """C4: events committed by one run are delivered by the next; its cursor and receipts are kept."""
    venue = Venue(tmp_path)
    writer = EventWriter(tmp_path, venue.clock, venue.told.append)
    writer.open()
    with running(writer.run):
        events = [venue.press(None) for _ in range(3)]
        for event in events:
            writer.put(event)
        writer.received(1, events[0].hash, "county", 0)
        writer.advance("mqtt", 1)
    feeder = Feeder("mqtt", ORIGIN, lambda: EventReader(tmp_path))
    with running(feeder.run):
        begun = asked(feeder, "begin")
        found = asked(feeder, Wish("custody", begun.cursor, begun.last, 10))
        piece = asked(feeder, Piece("custody", venue.origin.run, 2, 3))
        awaiting = asked(feeder, "awaiting")

    assert (1, 3, None) == (begun.cursor, begun.last, begun.readings_cursor)
    assert [event.body for event in events[1:]] == [event.body for event in found.events]
    assert [2, 3] == [event.seq for event in piece]
    assert [2, 3] == [event.number for event in awaiting]
