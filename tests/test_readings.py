"""The record of readings: blocks, cursors, ageing, and what goes on from memory while the card refuses."""

import random
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit_record import opened

from drivers.base import Quality
from gateway.journal import ageing, blocks
from gateway.journal import readings as module
from gateway.journal.readings import Keep, ReadingsReader, ReadingsWriter
from gateway.moment import ClockState, Moment
from gateway.values import Dropped, Reading, Readings, SetAside, StorageState

CST = timezone(timedelta(hours=8))
START = Moment(1_780_794_723_123_000_000, 5_000_000_000_000)  # 2026-06-07, 09:12:03 at the venue
DAY_S = 86_400.0


class HandClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> Moment:
        return self.at

    def pause(self, seconds: float) -> float:
        return seconds

    def move(self, seconds: float) -> None:
        self.at = self.at.after(seconds)


class Venue:
    """A writer that takes a turn when it is told to."""

    def __init__(self, directory: Path, keep: Keep | None = None) -> None:
        self.directory, self.keep = directory, keep
        self.clock = HandClock()
        self.told: list[Any] = []
        self.start()

    def start(self) -> None:
        self.writer = ReadingsWriter(self.directory, self.clock, self.told.append, CST, self.keep)
        self.reader = ReadingsReader(self.directory, self.writer)

    def end(self) -> None:
        self.reader.close()
        stop = threading.Event()
        stop.set()
        self.writer.run(stop)

    def turn(self, *values: float) -> list[Readings]:
        """Four seconds pass, in which these were read."""
        self.clock.move(4)
        answers = [answer(self.clock.now(), v) for v in values]
        for item in answers:
            self.writer.put(item)
        self.writer._turn()
        return answers

    def values(self, place: int = 0, limit: int = 100) -> list[float | None]:
        return [a.readings[0].value for _, block in self.reader.after(place, limit) for a in block]

    def files(self) -> list[str]:
        return sorted(p.name for p in self.directory.glob("readings-*.db"))

    @property
    def dropped(self) -> list[tuple[str, int, int, bool]]:
        return [(m.file, m.count, m.undelivered, m.kept) for m in self.told if isinstance(m, Dropped)]

    @property
    def states(self) -> list[str | None]:
        return [m.error for m in self.told if isinstance(m, StorageState)]


def answer(at: Moment, value: float | None, device: str = "gate-noise") -> Readings:
    return Readings(device, (Reading(f"{device}/laf", value, Quality.GOOD, at),))


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    venue = Venue(tmp_path / "state")
    venue.directory.mkdir()
    yield venue
    venue.end()


MOMENTS = st.builds(
    Moment,
    st.integers(0, 2**62).map(lambda n: n // 1_000_000 * 1_000_000),
    st.integers(0, 2**62).map(lambda n: n // 1_000_000 * 1_000_000),
    st.sampled_from(ClockState),
)
NAMES = st.text("ab/_-考", min_size=1, max_size=8)


@st.composite
def answers(draw: st.DrawFn) -> Readings:
    device, at = draw(NAMES), draw(MOMENTS)
    points = NAMES | NAMES.map(lambda name: f"{device}/{name}")
    reading = st.builds(
        Reading,
        points,
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(Quality),
        st.just(at),
        st.none() | NAMES,
    )
    return Readings(device, tuple(draw(st.lists(reading, min_size=1, max_size=4))))


@settings(max_examples=50)
@given(st.lists(answers(), min_size=1, max_size=5))
def test_blocks_round_trip(block: list[Readings]) -> None:
    """What goes into a block comes out of it: points, values, qualities, reasons, clock states, times to the ms."""
    assert block == blocks.decode(blocks.encode(block))


@pytest.mark.parametrize(
    "data", [b"", b"x", blocks.zlib.compress(b"[2,0,0,[]]"), blocks.zlib.compress(b"[1,0,0,[[]]]")]
)
def test_bad_blocks(data: bytes) -> None:
    """Bytes that are no block of this form raise ValueError, and no number comes out of them."""
    with pytest.raises(ValueError, match="block of readings"):
        blocks.decode(data)


def test_written_and_read(venue: Venue) -> None:
    """C5: readings come out in order from memory and card alike, each block with its place, which cursors use."""
    first = venue.turn(51.0, 52.0)
    venue.turn(53.0)
    places = [place for place, _ in venue.reader.after(0, 10)]
    venue.writer.advance("mqtt", places[0])
    venue.turn(54.0)

    assert first == venue.reader.after(0, 1)[0][1]
    assert [53.0, 54.0] == venue.values(places[0])
    assert (places[0], 0) == (venue.reader.cursor("mqtt"), venue.reader.cursor("influxdb"))
    assert places[1] < venue.reader.newest()
    assert () == venue.writer.memory


def test_restart_goes_on(venue: Venue) -> None:
    """F16: a stop writes what waits; the next run's places lie after, also when the clock went back a fortnight."""
    venue.turn(51.0)
    venue.writer.advance("mqtt", venue.reader.newest())
    venue.writer.put(answer(venue.clock.now(), 52.0))
    venue.end()
    venue.clock.move(-14 * DAY_S)
    venue.start()
    venue.turn(53.0)
    venue.turn(54.0)

    assert [51.0, 52.0, 53.0, 54.0] == venue.values()
    assert [52.0, 53.0, 54.0] == venue.values(venue.reader.cursor("mqtt"))
    assert ["readings-2026-05-24.db", "readings-2026-06-07.db"] == venue.files()


def test_a_cursor_alone_is_kept_and_makes_no_reading(venue: Venue) -> None:
    """A cursor that moves while nothing is read is kept; it makes no block, so that sinks find an end."""
    venue.turn(51.0)
    newest = venue.reader.newest()
    venue.writer.advance("mqtt", newest)
    venue.turn()
    venue.writer.advance("mqtt", newest - 1)
    venue.turn()

    assert newest == venue.reader.cursor("mqtt")
    assert ([], newest) == (venue.reader.after(newest, 10), venue.reader.newest())


def test_the_newest_place_is_known_without_the_card(venue: Venue) -> None:
    """F9: sinks ask for it every two seconds, for years: beside the writer no file is looked at."""
    venue.turn(51.0)
    reader = ReadingsReader(venue.directory, venue.writer)

    assert ReadingsReader(venue.directory).newest() == reader.newest() > 0
    assert {} == reader._files._open


def test_days(venue: Venue) -> None:
    """A file holds a day of the venue, not of Greenwich; old ones are unlinked whole once they are delivered."""
    venue.keep = Keep(days=2)
    venue.start()
    venue.clock.move(14.7 * 3600)  # 23:54
    for hour in range(0, 96, 6):
        venue.turn(float(hour))
        venue.clock.move(6 * 3600)
    kept = venue.files()
    venue.writer.advance("mqtt", 1)
    venue.turn(1.0)
    venue.clock.move(3 * DAY_S)
    venue.turn(2.0)
    owed = venue.files()
    venue.writer.advance("mqtt", venue.reader.newest())
    venue.turn(3.0)
    venue.clock.move(DAY_S)
    venue.turn(4.0)

    assert ["readings-2026-06-09.db", "readings-2026-06-10.db", "readings-2026-06-11.db"] == kept
    assert [*kept, "readings-2026-06-14.db"] == owed
    assert ["readings-2026-06-14.db", "readings-2026-06-15.db"] == venue.files()
    assert 0 == venue.writer.lost


def test_a_day_that_is_written_again_after_the_clock_went_back(venue: Venue) -> None:
    """E2: a clock that ran a day ahead and is set right: what goes on in the first day's file is read as well."""
    venue.turn(1.0)
    venue.clock.move(DAY_S)
    venue.turn(2.0)
    before, place = venue.values(), venue.reader.newest()
    venue.clock.move(-DAY_S)
    venue.turn(3.0)

    assert [1.0, 2.0] == before
    assert [3.0] == venue.values(place)


def test_readers_keep_no_day_open_that_is_over(venue: Venue) -> None:
    """F15: of sixty days one file is open, not sixty: a running gateway's readers let go of what nobody writes."""
    for day in range(10):
        venue.turn(float(day))
        venue.values(venue.writer.committed - 1)
        venue.reader.newest()
        venue.clock.move(DAY_S)
    venue.turn(10.0)
    venue.values()
    venue.values(venue.writer.committed - 1)

    assert 11 == len(venue.files())
    assert {venue.files()[-1]} == opened(venue.directory)


def test_too_many_bytes(venue: Venue) -> None:
    """C6: days beyond the allowed bytes are thinned, delivered ones before older ones that are owed, each told."""
    venue.keep = Keep(bytes=1)
    venue.start()
    venue.turn(51.0, 52.0)
    venue.writer.advance("mqtt", 1)
    venue.clock.move(DAY_S)
    venue.turn(53.0)
    venue.clock.move(DAY_S)
    venue.turn(54.0)

    assert ["readings-2026-06-09.db"] == venue.files()
    assert 3 == venue.writer.lost
    assert [
        ("readings-2026-06-07.db", 2, 2, True),
        ("readings-2026-06-08.db", 1, 1, True),
        ("minutes-2026-06.db", 0, 0, False),
    ] == venue.dropped


@pytest.mark.parametrize(
    ("sinks", "thinned"),
    [({"mqtt"}, True), ({"mqtt", "influxdb"}, False), (set(), True)],
    ids=["all proven", "one that never took any", "none left"],
)
def test_who_holds_readings_back(venue: Venue, sinks: set[str], thinned: bool) -> None:
    """C6: a sink of the configuration holds readings back from the first, also while it never took any; the cursor of
    one that is no longer there is forgotten, over a restart too.
    """
    venue.keep = Keep(days=1)
    venue.start()
    venue.turn(51.0)
    venue.writer.advance("left", 1)
    venue.writer.advance("mqtt", venue.reader.newest())
    venue.turn(52.0)
    venue.writer.advance("mqtt", venue.reader.newest())
    venue.writer.serve(frozenset(sinks))
    venue.clock.move(3 * DAY_S)
    venue.turn(53.0)
    venue.end()
    venue.start()
    venue.writer.serve(frozenset(sinks))
    venue.turn(54.0)

    assert thinned == ("readings-2026-06-07.db" not in venue.files())
    assert "left" not in venue.writer._cursors


def test_a_clock_that_nobody_has_set_ages_nothing(venue: Venue) -> None:
    """E2: a dead battery clock that says 2035 costs no reading and no minute record."""
    venue.keep = Keep(days=1, minute_days=30)
    venue.start()
    venue.turn(51.0)
    venue.writer.advance("mqtt", venue.reader.newest())
    venue.turn(52.0)
    venue.writer.advance("mqtt", venue.reader.newest())
    month = venue.directory / "minutes-2026-01.db"
    month.touch()
    venue.clock.at = Moment(START.wall_ns + 10 * 365 * 86_400 * 10**9, START.mono_ns, ClockState.UNSYNCHRONISED)
    venue.turn(53.0)
    stayed = (*venue.files(), month.exists())
    venue.clock.at = replace(venue.clock.at.after(DAY_S), clock=ClockState.SYNCHRONISED)
    venue.turn(54.0)

    assert ("readings-2026-06-07.db", "readings-2036-06-04.db", True) == stayed
    assert (["readings-2036-06-04.db", "readings-2036-06-05.db"], False) == (venue.files(), month.exists())


def test_a_day_whose_minutes_cannot_be_kept_stays(venue: Venue) -> None:
    """C6: what only its age would take waits for a month's file that can be written; it goes the day after."""
    venue.keep = Keep(days=1)
    venue.start()
    venue.turn(51.0)
    venue.writer.advance("mqtt", venue.reader.newest())
    venue.turn(52.0)
    venue.writer.advance("mqtt", venue.reader.newest())
    in_the_way = venue.directory / "minutes-2026-06.db"
    in_the_way.mkdir()
    venue.clock.move(3 * DAY_S)
    venue.turn(53.0)
    stayed = venue.files()
    in_the_way.rmdir()
    venue.clock.move(DAY_S)
    venue.turn(54.0)

    assert "readings-2026-06-07.db" in stayed
    assert "readings-2026-06-07.db" not in venue.files()
    assert [] == venue.dropped


def test_what_is_delivered_goes_before_what_is_owed(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """C6: on a short card a newer day that every sink has is thinned before an older one that is owed."""
    monkeypatch.setattr(ageing, "_owed", lambda path, _: int("06-07" in path.name))
    for value in (51.0, 52.0, 53.0):
        venue.turn(value)
        venue.clock.move(DAY_S)
    monkeypatch.setattr(ageing, "_free", lambda _: 0 if len(venue.files()) > 2 else ageing.KEEP_FREE)
    venue.turn(54.0)

    assert ["readings-2026-06-07.db", "readings-2026-06-10.db"] == venue.files()
    assert [("readings-2026-06-08.db", 1, 0, True), ("readings-2026-06-09.db", 1, 0, True)] == venue.dropped


def test_full_card(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """F7: readings leave the last of the card to events; sinks go on from memory; with room all is written."""
    venue.turn(51.0)
    free = 0
    monkeypatch.setattr(ageing, "_free", lambda _: free)
    venue.turn(52.0)
    venue.turn(53.0)

    assert [51.0, 52.0, 53.0] == venue.values()
    assert ["the card is full"] == venue.states
    assert 2 == len(venue.writer.memory)
    free = ageing.KEEP_FREE
    venue.turn(54.0)
    venue.start()
    assert [51.0, 52.0, 53.0, 54.0] == venue.values()


def test_full_card_gives_up_what_is_delivered(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """F7: before readings are refused, old files make room, if every sink has proof of them."""
    venue.turn(51.0)
    venue.clock.move(DAY_S)
    venue.turn(52.0)
    venue.writer.advance("mqtt", venue.reader.newest())
    monkeypatch.setattr(ageing, "_free", lambda _: 0 if len(venue.files()) > 1 else ageing.KEEP_FREE)
    venue.turn(53.0)

    assert [52.0, 53.0] == venue.values()
    assert [] == venue.states


def test_memory_is_bounded(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """C6: when memory is full too, the oldest blocks go, and are counted."""
    monkeypatch.setattr(ageing, "_free", lambda _: 0)
    size = len(blocks.encode([answer(START, 51.0)]))
    monkeypatch.setattr(module, "MOST_MEMORY", 3 * size + 10)
    for value in (51.0, 52.0, 53.0, 54.0, 55.0):
        venue.turn(value)

    assert [53.0, 54.0, 55.0] == venue.values()
    assert 2 == venue.writer.lost


def test_inbox_is_bounded(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """C6: while the writer hangs in a commit, what cannot be taken is counted, and memory does not grow."""
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    venue.turn(51.0, 52.0, 53.0)

    assert [51.0, 52.0] == venue.values()
    assert 1 == venue.writer.lost
    assert [("readings-2026-06-07.db", 1, 1, False)] == venue.dropped

    venue.turn(54.0)

    assert 1 == len(venue.dropped)


def test_card_gone_and_back(venue: Venue) -> None:
    """F8: with the card gone, a sink that was up to date goes on from memory; later all is written."""
    venue.turn(51.0)
    newest = venue.reader.newest()
    away = venue.directory.with_name("away")
    venue.writer._close()
    venue.directory.rename(away)
    venue.turn(52.0)

    assert [52.0] == venue.values(newest)
    assert ["the card fails to read or write"] == venue.states
    shutil.move(away, venue.directory)
    venue.turn(53.0)
    assert [51.0, 52.0, 53.0] == venue.values()
    assert None is venue.states[-1]


def test_damaged_file(venue: Venue) -> None:
    """F6: a damaged file is put aside and said; the day goes on in a new one, with the cursors."""
    venue.turn(*(float(v) for v in range(500)))
    venue.writer.advance("mqtt", venue.reader.newest())
    venue.turn(1.0)
    venue.end()
    path = venue.directory / "readings-2026-06-07.db"
    path.write_bytes(b"\0" * path.stat().st_size)
    venue.start()
    venue.turn(2.0)

    assert [2.0] == venue.values()
    assert ["readings"] == [m.store for m in venue.told if isinstance(m, SetAside)]
    assert 1 == len(list(venue.directory.glob("readings-2026-06-07.db.*.corrupt")))


@pytest.mark.parametrize("damage", ["garbage", "empty", "half"])
def test_a_damaged_day_holds_up_no_other(venue: Venue, damage: str) -> None:
    """F6: what an old file cannot give any more is passed over, and the days before and after it are read: before the
    program is started again, and after that, when the file is put aside and said.
    """
    for day in range(3):
        venue.turn(*(float(1000 * day + v) for v in range(300)))
        for more in range(8):
            venue.turn(float(1000 * day + 300 + more))
        venue.clock.move(DAY_S)
    venue.turn(9999.0)
    path = venue.directory / venue.files()[1]
    whole = path.read_bytes()
    path.write_bytes({"garbage": b"garbage " * 4096, "empty": b"", "half": whole[: len(whole) // 2]}[damage])
    running = venue.values()
    venue.end()
    venue.start()
    venue.turn(10_000.0)

    for values in (running, venue.values()):
        assert 308 == len([value for value in values if value < 1000])
        assert 308 > len([value for value in values if 1000 <= value < 2000])
        assert 308 == len([value for value in values if 2000 <= value < 3000])
        assert 9999.0 in values
    assert [10_000.0] == venue.values(venue.reader.newest() - 1)
    assert ["readings"] == [m.store for m in venue.told if isinstance(m, SetAside)]


def test_bad_row_is_stepped_over(venue: Venue) -> None:
    """A row that was altered gives no readings and stops nothing."""
    venue.turn(51.0)
    venue.turn(52.0)
    venue.end()
    with sqlite3.connect(venue.directory / "readings-2026-06-07.db") as connection:
        connection.execute("UPDATE blocks SET data = x'00' WHERE place = (SELECT min(place) FROM blocks)")
    connection.close()
    venue.start()

    assert [52.0] == venue.values()


def test_none_is_missed_between_memory_and_card(venue: Venue) -> None:
    """C5: a reader beside a running writer sees every block once and in order, at whatever instant it looks."""
    seen: list[float | None] = []
    done = threading.Event()

    def read() -> None:
        reader = ReadingsReader(venue.directory, venue.writer)
        place = 0
        while True:
            last = done.is_set()
            for at, block in reader.after(place, 3):
                place = at
                seen.extend(a.readings[0].value for a in block)
            if last and place == venue.writer.committed:
                break
        reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    for value in range(100):
        venue.turn(float(value))
    done.set()
    thread.join(20)

    assert [float(v) for v in range(100)] == seen


def test_answers_without_readings_are_ignored(venue: Venue) -> None:
    """An answer with no reading in it makes no block."""
    venue.writer.put(replace(answer(START, 1.0), readings=()))
    venue.turn()

    assert [] == venue.reader.after(0, 10)
    assert 0 == venue.reader.newest()


def test_no_record_yet(tmp_path: Path) -> None:
    """A reader of a directory without readings finds nothing, and makes nothing."""
    reader = ReadingsReader(tmp_path)

    assert ([], 0, 0) == (reader.after(0, 10), reader.cursor("mqtt"), reader.newest())
    assert [] == list(tmp_path.iterdir())


def test_bytes_written(venue: Venue) -> None:
    """F9: 1,000 readings of 16 devices at 1 Hz cost the card under 250 KiB, checkpoints and cursors included."""

    def written() -> int:
        counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return max(int(counts["write_bytes"]), int(counts["wchar"]))  # the first is 0 where /tmp is no disk

    level = random.Random(7)
    venue.turn(50.0)
    before = written()
    for turn in range(500):
        for second in range(4):
            at = venue.clock.now().after(second)
            for device in range(16):
                venue.writer.put(answer(at.after(level.random()), round(level.gauss(60, 5), 1), f"meter-{device}"))
        venue.writer.advance("mqtt", turn)
        venue.writer.advance("influxdb", turn)
        venue.turn()
    venue.end()
    per_thousand = (written() - before) / (500 * 4 * 16) * 1000

    assert per_thousand < 250 * 1024, per_thousand


VERSION_1 = """
PRAGMA journal_mode=WAL;
CREATE TABLE blocks (
  place INTEGER PRIMARY KEY, count INTEGER NOT NULL, cursors TEXT NOT NULL, data BLOB NOT NULL
) STRICT;
INSERT INTO blocks VALUES (1780794720000, 0, '{"mqtt": 7}', x'');
PRAGMA user_version=1;
"""


def test_a_file_of_an_older_version(tmp_path: Path) -> None:
    """F12: it is taken forward in place, its content goes on, and the file as it was is kept beside it."""
    with sqlite3.connect(tmp_path / "readings-2026-06-07.db") as old:
        old.executescript(VERSION_1)
    old.close()
    venue = Venue(tmp_path)
    venue.turn(51.0)

    assert [51.0] == venue.values()
    assert 7 == venue.reader.cursor("mqtt")
    venue.end()
    versions = {}
    for name in ("readings-2026-06-07.db", "readings-2026-06-07.db.v1"):
        with sqlite3.connect(tmp_path / name) as file:
            rows = file.execute("SELECT count(*) FROM blocks").fetchone()[0]
            versions[name] = (file.execute("PRAGMA user_version").fetchone()[0], rows)
        file.close()
    assert {"readings-2026-06-07.db": (2, 2), "readings-2026-06-07.db.v1": (1, 1)} == versions
