"""The record of events: what it promises while the card is well, damaged, or somebody else's."""

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.quantities import Stream
from gateway.journal import events as module
from gateway.journal.chain import Chain, Identity, new_run
from gateway.journal.events import EventReader, EventWriter
from gateway.moment import Moment, SystemClock
from gateway.values import Event, SetAside, StorageState, Stored

CLOCK = SystemClock()


class Venue:
    """A writer with its thread, what it told, and a chain that makes events."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.told: list[Any] = []
        self.readers: list[EventReader] = []
        self.identity = Identity.open(directory, CLOCK.now())
        self.start()

    def start(self) -> None:
        self.writer = EventWriter(self.directory, CLOCK, self.told.append)
        self.stored: list[int] = []
        self.writer.listen(lambda s: self.stored.append(s.number))
        self.found = self.writer.open()
        self.chain = Chain(new_run(), "zj-no1", self.found.number, self.found.heads, self.identity)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.writer.run, args=(self.stop,))

    def run(self) -> None:
        self.thread.start()

    def make(self, stream: Stream = "environment", alarm: str = "noise", **flags: bool) -> Event:
        return self.chain.make(stream, {"alarm": alarm, "transition": "raised"}, at=CLOCK.now(), **flags)

    def put(
        self, count: int = 1, stream: Stream = "environment", state: bytes | None = None, **flags: bool
    ) -> list[Event]:
        events = [self.make(stream, **flags) for _ in range(count)]
        for event in events:
            self.writer.put(event, state)
        return events

    def end(self) -> None:
        self.stop.set()
        if self.thread.is_alive():
            self.thread.join(10)
        while self.readers:
            self.readers.pop().close()

    def restart(self) -> None:
        self.end()
        self.start()

    def reader(self) -> EventReader:
        self.readers.append(EventReader(self.directory))
        return self.readers[-1]


def wait_for(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    tick = threading.Event()
    for _ in range(int(timeout_s / 0.01)):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("waited in vain")


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    venue = Venue(tmp_path)
    yield venue
    venue.end()


def test_stored_means_readable(venue: Venue) -> None:
    """C4: what `Stored` names is in the file, byte for byte, in order, for a reader of its own."""
    venue.run()
    events = venue.put(3)
    wait_for(lambda: venue.stored and venue.stored[-1] == events[-1].number)

    assert events == venue.reader().after(0, 10)
    assert events[1:2] == venue.reader().after(1, 1)


def test_next_run_goes_on(venue: Venue) -> None:
    """F16: a clean stop keeps everything that waits; the next run goes on after it, and knows alarms and cursors."""
    venue.run()
    first = venue.put(2, state=b'{"state":"latched"}') + venue.put(1, "custody")
    venue.writer.advance("mqtt", 2)
    venue.restart()

    assert (3, {"noise": b'{"state":"latched"}'}, {"mqtt": 2}) == (
        venue.found.number,
        venue.found.alarms,
        venue.found.cursors,
    )
    assert {"environment": first[1].hash, "custody": first[2].hash} == {s: h.hash for s, h in venue.found.heads.items()}
    assert venue.found.error is None
    assert (3, venue.found.heads) == venue.reader().last()


def test_cursor_never_goes_back_nor_ahead_of_the_card(venue: Venue) -> None:
    """C5: a cursor only rises, and never beyond what is on the card, so that no event is skipped after a restart."""
    venue.run()
    events = venue.put(3)
    wait_for(lambda: venue.stored and venue.stored[-1] == 3)
    for number in (2, 1, 99):
        venue.writer.advance("mqtt", number)
    venue.writer.advance("second", 3)
    venue.put(1)
    venue.end()

    assert 3 == venue.reader().cursor("second")
    assert venue.reader().cursor("mqtt") in {0, 2}  # 99 stands for nothing here and is not written
    assert 0 == venue.reader().cursor("nobody")
    assert events == venue.reader().after(venue.reader().cursor("nobody"), 3)


def test_receipts(venue: Venue) -> None:
    """C7: an event that needs a receipt is awaited until a station has signed, also by the next run."""
    venue.run()
    leak, door = venue.put(2, "custody", urgent=True, needs_receipt=True)
    venue.put(1)
    venue.writer.received(leak.number, leak.hash, "county-command", 1_780_000_000_000_000_000)
    venue.restart()

    assert [door] == venue.reader().awaiting_receipt()
    assert {"county-command": 1_780_000_000_000_000_000} == venue.reader().receipts(leak.number - 1)[leak.number]


def test_pieces_of_a_run(venue: Venue) -> None:
    """A station that missed some asks for a range by `seq`, and gets that of this run and stream only."""
    venue.run()
    events = venue.put(5)
    venue.put(5, "custody")
    venue.end()

    assert events[1:4] == venue.reader().piece("environment", venue.chain.run, 2, 4)


def test_group_commit(venue: Venue) -> None:
    """F9: what waits together is committed together."""
    venue.put(200)
    venue.run()
    wait_for(lambda: venue.stored)

    assert [200] == venue.stored


def test_nothing_there_yet(tmp_path: Path) -> None:
    """A reader of a state directory without a record finds nothing, and makes nothing."""
    reader = EventReader(tmp_path)

    assert ([], [], 0, (0, {}), {}) == (
        reader.after(0, 9),
        reader.awaiting_receipt(),
        reader.cursor("x"),
        reader.last(),
        reader.alarms(),
    )
    assert [] == list(tmp_path.iterdir())


def test_modes(venue: Venue) -> None:
    """The record may be read by the group and by nobody else, its log included."""
    venue.run()
    venue.put(1)
    wait_for(lambda: venue.stored)
    modes = {p.name: p.stat().st_mode & 0o777 for p in venue.directory.glob("events.db*")}

    assert {"events.db": 0o640, "events.db-wal": 0o640, "events.db-shm": 0o640} == modes


# ---- damage -----------------------------------------------------------------------------------------------------


def zero(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def garble_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 512] = b"\xa5" * 512
    path.write_bytes(data)


def cut_short(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 + 100])


@pytest.mark.parametrize("damage", [zero, garble_pages, cut_short])
def test_damaged_file(venue: Venue, damage: Callable[[Path], None]) -> None:
    """F6: a damaged file is put aside with its time, unchanged; a new one names it; that is told."""
    venue.run()
    venue.put(50)
    venue.end()
    damage(venue.directory / "events.db")
    before = (venue.directory / "events.db").read_bytes()
    venue.start()
    venue.run()
    later = venue.put(1)
    venue.end()
    (aside,) = (t.file for t in venue.told if isinstance(t, SetAside))

    assert before == (venue.directory / aside).read_bytes()
    assert aside.startswith("events.db.2")
    assert aside.endswith("Z.corrupt")
    assert aside == venue.reader().meta()["after"]
    assert later == venue.reader().after(later[0].number - 1, 10)
    assert later[0].number > 50


def test_what_the_damaged_file_owed(venue: Venue) -> None:
    """F6: what a damaged file still owed, and its cursors, go over into the new one if readable."""
    venue.run()
    leak = venue.put(1, "custody", needs_receipt=True)
    rest = venue.put(3)
    venue.writer.advance("mqtt", 3)
    venue.end()
    with sqlite3.connect(venue.directory / "events.db") as connection:  # an index that lies: quick_check finds it
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'by_seq'")
    connection.close()
    venue.start()

    assert ["SetAside"] == [type(t).__name__ for t in venue.told if not isinstance(t, StorageState)]
    assert leak == venue.reader().awaiting_receipt()
    assert [*leak, *rest[2:]] == venue.reader().after(0, 10)
    assert (4, 3) == (venue.found.number, venue.reader().cursor("mqtt"))
    assert rest[-1].hash == venue.found.heads["environment"].hash


def test_full_card_while_a_new_file_begins(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """F6, F7: put aside but no room for the new file: at the next attempt it begins with what the old one owed."""
    venue.run()
    leak = venue.put(1, "custody", needs_receipt=True)
    venue.end()
    with sqlite3.connect(venue.directory / "events.db") as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'by_seq'")
    connection.close()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        venue.start()
        assert not (venue.directory / "events.db").exists()
    venue.run()
    (later,) = venue.put(1)
    wait_for(lambda: later.number in venue.stored)

    assert leak == venue.reader().awaiting_receipt()
    assert 1 == sum(isinstance(t, SetAside) for t in venue.told)


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_damage_while_running(venue: Venue) -> None:
    """F6: a file that goes bad under a running writer is put aside, and what waits is kept in the new one."""
    venue.run()
    venue.put(50)
    venue.restart()
    reader = venue.reader()
    assert 50 == len(reader.after(0, 100))
    garble_pages(venue.directory / "events.db")
    venue.writer._connection.execute("PRAGMA shrink_memory")  # so that it reads what is there now
    venue.run()
    later = venue.put(3, "custody")
    wait_for(lambda: later[-1].number in venue.stored)

    assert later == reader.after(later[0].number - 1, 10)
    assert 1 == sum(isinstance(t, SetAside) for t in venue.told)


def test_log_without_its_file(venue: Venue) -> None:
    """F6: a log whose file is gone or empty is put aside, not deleted."""
    (venue.directory / "events.db").unlink()
    log = venue.directory / "events.db-wal"
    log.write_bytes(b"what SQLite would delete")
    venue.writer._close()
    log.write_bytes(b"what SQLite would delete")
    venue.start()

    assert ["what SQLite would delete"] == [p.read_text() for p in venue.directory.glob("events.db.*.corrupt-wal")]


def test_newer_file_is_left_alone(venue: Venue) -> None:
    """A file of a newer version is not damage: nothing in it changes, the run goes on from memory and says so."""
    venue.end()
    venue.writer._close()
    with sqlite3.connect(venue.directory / "events.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = (venue.directory / "events.db").read_bytes()
    venue.start()
    venue.run()
    events = venue.put(1, "custody")
    wait_for(lambda: isinstance(venue.told[-1], StorageState) and venue.told[-1].waiting)

    assert "the file was written by a newer version of this program and is left alone" == venue.found.error
    assert venue.writer.oldest_waiting(events[0].at.after(7)) == pytest.approx(7)
    assert [] == venue.stored
    venue.end()
    assert before == (venue.directory / "events.db").read_bytes()


# ---- memory and time --------------------------------------------------------------------------------------------


def test_memory_is_bounded_but_for_custody(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """C6: while nothing can be written, events beyond the bound are given up and counted; of custody none is."""
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    venue.put(15)
    leaks = venue.put(5, "custody", urgent=True)
    venue.run()
    wait_for(lambda: leaks[-1].number in venue.stored)

    assert 5 == venue.writer.lost
    assert list(range(1, 11)) + [e.number for e in leaks] == [e.number for e in venue.reader().after(0, 99)]


def test_oldest_waiting(venue: Venue) -> None:
    """A commit that hangs is seen by whoever asks how long the oldest event has been waiting."""
    assert 0 == venue.writer.oldest_waiting(CLOCK.now())
    (event,) = venue.put(1)

    assert 3.5 == venue.writer.oldest_waiting(event.at.after(3.5))
    venue.run()
    wait_for(lambda: venue.stored)
    assert 0 == venue.writer.oldest_waiting(event.at.after(3.5))


def test_a_stored_number_is_never_another_event(venue: Venue) -> None:
    """The chain never forks: an event under a number that is taken by another one stays out, and that is said."""
    venue.run()
    venue.put(1)
    wait_for(lambda: venue.stored)
    other = Chain(new_run(), "zj-no1", 0, {}, venue.identity).make("gateway", {"alarm": "x"}, at=CLOCK.now())
    venue.writer.put(other)
    wait_for(lambda: any(isinstance(t, StorageState) and t.error for t in venue.told))

    assert [1] == venue.stored
    assert "environment" == venue.reader().after(0, 9)[0].stream


def test_listener_gets_the_moment(venue: Venue) -> None:
    """`Stored` carries the moment of the commit, after the event's own."""
    got: list[Stored] = []
    venue.writer.listen(got.append)
    venue.run()
    (event,) = venue.put(1)
    wait_for(lambda: got)

    assert 0 <= got[0].at.seconds_since(event.at) < 5
    assert Moment(1, 2) < got[0].at
