"""Minute records: made of readings, kept with their blocks, added up to any period."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit_record import opened

from drivers.base import Quality
from gateway.environment import acoustics
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import Minute, combine, decode, encode
from gateway.errors import Unavailable
from gateway.journal import ageing, blocks
from gateway.journal import readings as module
from gateway.journal.ageing import Ageing, Keep
from gateway.journal.database import open_store
from gateway.journal.day_files import day_files, month_files
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.readings import ReadingsReader, ReadingsWriter
from gateway.moment import NANO, ClockState, Moment
from gateway.values import Reading, Readings, SetAside

CST = timezone(timedelta(hours=8))
TEN = 1_780_797_600  # 2026-06-07, 10:00:00 at the venue
EVERY = {"gate-noise": 1.0, "roof": 40.0, "hall": 1.0}
LEVELS_11 = [
    *(41.2, 43.0, 42.5, 47.8, 55.1, 60.3, 52.2, 46.7, 44.4, 43.9),
    *(42.8, 42.1, 41.9, 45.5, 49.6, 58.0, 50.2, 44.9, 43.3, 42.0),
]


def moment(second: float, mono_s: float | None = None, clock: ClockState = ClockState.SYNCHRONISED) -> Moment:
    """So many seconds after ten; the monotonic clock shows the same unless it is given."""
    mono = second if mono_s is None else mono_s
    return Moment(TEN * NANO + round(second * NANO), 10**15 + round(mono * NANO), clock)


def reading(
    second: float,
    value: float | None,
    point: str = "gate-noise/laf",
    quality: Quality = Quality.GOOD,
    reason: str | None = None,
    mono_s: float | None = None,
) -> Reading:
    return Reading(point, value, quality, moment(second, mono_s), reason)


def made(readings: Iterable[Reading], until_s: float, every: dict[str, float] = EVERY) -> list[Minute]:
    maker = MinuteMaker(every)
    maker.close(moment(0))
    for each in readings:
        maker.add(each)
    return maker.close(moment(until_s))


def test_a_minute() -> None:
    """E6: good samples make the numbers; every other one is counted beside its reason, and what never came as well."""
    samples = [reading(i, 60.0 + i % 3) for i in range(50)]
    samples += [
        reading(50, 94.0, quality=Quality.INVALID, reason="warm-up"),
        reading(51, 50.0, quality=Quality.SUSPECT),
    ]
    samples += [reading(52, None, quality=Quality.MISSING), reading(53, math.inf), reading(54, 1e6)]
    (minute,) = made(samples, 65)

    assert (TEN, 60, 50) == (minute.start_s, minute.due, minute.n)
    assert (60.0, 62.0, 61.0) == (minute.low, minute.high, minute.last)
    assert {6000: 17, 6100: 17, 6200: 16} == minute.levels
    assert {"warm-up": 1, "suspect": 1, "missing": 1 + 5, "invalid": 2} == minute.set_aside
    assert 50 / 60 == combine([minute]).valid


KINDS: list[tuple[str, list[float], dict[str, float | None]]] = [
    ("hall/temperature", [20.0, 21.0, 22.5], {"mean": 21.166667, "laeq": None, "low": 20.0, "high": 22.5, "sd": None}),
    ("hall/velocity_x", [3.0, 4.0], {"mean": 3.535534, "laeq": None}),
    ("hall/acceleration", [0.001, 0.001], {"mean": 0.001}),
    ("hall/laeq", [50, 60, 70], {"laeq": 65.68, "mean": None, "sd": 10.0}),
    ("hall/laf", LEVELS_11, {"laeq": 51.39, "low": 41.2, "high": 60.3, "sd": 5.65}),
    ("hall/lamax", [50, 60], {"laeq": None, "mean": None, "high": 60}),
    ("hall/wind_direction", [359.0, 1.0], {"mean": None, "last": 1.0}),
    ("hall/rain", [1.0, 1.2], {"mean": None, "low": 1.0, "high": 1.2}),
    ("hall/temperature", [1e300], {"mean": None}),
]


@pytest.mark.parametrize(("point", "values", "results"), KINDS)
def test_kinds(point: str, values: list[float], results: dict[str, float | None]) -> None:
    """E7: levels are averaged by energy alone, vibration by its square, directions and totals not at all."""
    period = combine(made([reading(i, v, point) for i, v in enumerate(values)], 65))

    assert results == {name: getattr(period, name) for name in results}


@pytest.mark.parametrize("point", ["gate/voltage", "door/body_temperature", "gate-noise/nonsense", "stranger/laf"])
def test_no_minutes_of(point: str) -> None:
    """Screening and the gateway's own numbers have no minute records, nor has a device that is not configured."""
    assert [] == made([reading(1, 36.5, point)], 65, EVERY | {"gate": 1.0, "door": 1.0})


def test_percentiles() -> None:
    """The rank rule over several records: integers 1..100 in two minutes."""
    period = combine(made([reading(i, 1.0 + i) for i in range(100)], 125))

    assert [96, 91, 51, 11, 6] == [period.exceeded(n) for n in (5, 10, 50, 90, 95)]


def test_due_of_slow_devices() -> None:
    """A device that is asked every 40 s owes 1 or 2 samples a minute, 90 an hour, and none is said to be missing."""
    hour = made([reading(i * 40, 20.0, "roof/temperature") for i in range(90)], 3605)
    period = combine(hour, 60)

    assert (60, 90, 90, 1.0, {}) == (len(hour), period.due, period.n, period.valid, period.set_aside)


def test_valid_share_at_the_edge() -> None:
    """Example 16: 2700 of 3600 samples are 75 %; 2699 are less."""
    assert 0.75 == combine(made([reading(i, 50.0) for i in range(2700)], 3605)[:45], 60).valid
    assert 0.75 > combine(made([reading(i, 50.0) for i in range(2699)], 3605)[:45], 60).valid


def closing(maker: MinuteMaker, readings: Iterable[Reading]) -> list[Minute]:
    """Records as a writer gets them, which looks every 4 s of the monotonic clock."""
    records: list[Minute] = []
    at = moment(0)
    for i, each in enumerate(readings):
        maker.add(each)
        at = each.at
        if i % 4 == 3:
            records += maker.close(at)
    for step in range(40):
        records += maker.close(at.after(4 * step))
    return records


JUMPS = [
    ("forward", 60 * 7),
    ("forward a fortnight", 14 * 86_400),
    ("back a little", -2),
    ("back some minutes", -200),
    ("back a fortnight", -14 * 86_400),
]


@pytest.mark.parametrize(("name", "jump_s"), JUMPS, ids=[name for name, _ in JUMPS])
@pytest.mark.parametrize("when_s", [300, 301, 330, 359])
def test_clock_jumps(name: str, jump_s: int, when_s: int) -> None:
    """E1: a clock that jumps neither doubles nor loses a sample, and never makes a share of valid data over 1."""
    samples = [reading(i + (jump_s if i >= when_s else 0) + 0.3, 50.0 + i % 7, mono_s=i) for i in range(900)]
    records = closing(MinuteMaker(EVERY), samples)

    assert 900 == sum(m.n for m in records)
    assert sum(acoustics.energy(round(s.value * 100)) for s in samples if s.value) == sum(m.total for m in records)
    assert all(0 < m.due <= 62 and m.n <= m.due for m in records if m.n)
    lost = 60 * (2 if abs(jump_s) > 60 else 1) + 160  # a minute that was cut off counts as due; so does the silent end
    assert 900 <= sum(m.due for m in records) <= 900 + lost


def test_silent_point() -> None:
    """E4: a point that says nothing more has records that say so, until its device leaves the configuration."""
    maker = MinuteMaker(EVERY)
    records = closing(maker, [reading(i, 50.0) for i in range(60)])
    maker.configure({"roof": 40.0})

    assert [(60, 60), (60, 0), (60, 0)] == [(m.due, m.n) for m in records]
    assert {"missing": 60} == records[1].set_aside
    assert [] == maker.close(moment(600))


def test_a_device_that_leaves_with_a_reload() -> None:
    """What it had said in its last minute is recorded, and nothing of it is missed."""
    maker = MinuteMaker(EVERY)
    maker.add(reading(1, 50.0))
    maker.configure({})
    maker.add(reading(2, 50.0))

    assert [(1, 1)] == [(m.due, m.n) for m in maker.close(moment(65))]


def test_unrecorded_minutes_are_due() -> None:
    """E6: an hour in which the gateway was off for half an hour is half valid."""
    half = made([reading(i, 50.0) for i in range(1800)], 1805)
    period = combine(half, 60)

    assert (3600, 1800, 0.5, {"missing": 1800}) == (period.due, period.n, period.valid, period.set_aside)
    nothing = combine([], 60)
    assert (0, None, None, 0.0) == (nothing.n, nothing.laeq, nothing.exceeded(10), nothing.valid)


def test_points_do_not_mix() -> None:
    """Records of two points are no period."""
    both = made([reading(1, 50.0), reading(1, 20.0, "hall/temperature")], 65)

    with pytest.raises(ValueError, match="gate-noise/laf and of hall/temperature"):
        combine(both)


def test_worst_clock() -> None:
    """E2: a period carries the worst clock of its samples."""
    unset = Reading("gate-noise/laf", 50.0, Quality.GOOD, moment(1, clock=ClockState.FLOOR))

    assert ClockState.FLOOR is combine(made([reading(0, 50.0), unset, reading(2, 50.0)], 65)).clock


MINUTES = st.builds(
    Minute,
    st.sampled_from(["gate-noise/laf", "考场/temperature"]),
    st.integers(0, 2**33).map(lambda n: n * 60),
    st.integers(0, 600),
    st.integers(0, 600),
    st.integers(-(2**70), 2**70),
    st.none() | st.floats(-1e9, 1e9),
    st.none() | st.floats(-1e9, 1e9),
    st.none() | st.floats(-1e9, 1e9),
    st.dictionaries(st.integers(-5000, 25_000), st.integers(1, 60)),
    st.dictionaries(st.text(max_size=5), st.integers(1, 60)),
    st.sampled_from(ClockState),
)


@settings(max_examples=50)
@given(st.lists(MINUTES, max_size=4))
def test_round_trip(minutes: list[Minute]) -> None:
    """What is encoded comes out again, to the last digit."""
    assert minutes == decode(encode(minutes))


@pytest.mark.parametrize("data", [b"", b"x", blocks.zlib.compress(b"[2,[]]"), blocks.zlib.compress(b"[1,[[1]]]")])
def test_bad_bytes(data: bytes) -> None:
    """Bytes that are no minute records raise ValueError, and no number comes out of them."""
    with pytest.raises(ValueError, match="minute records"):
        decode(data)


# ---- on the card ----------------------------------------------------------------------------------------------------


class HandClock:
    def __init__(self) -> None:
        self.at = moment(0)

    def now(self) -> Moment:
        return self.at

    def pause(self, seconds: float) -> float:
        return seconds


class Venue:
    """A writer that takes a turn every four seconds of a clock moved by hand, while one meter talks once a second."""

    def __init__(self, directory: Path, keep: Keep | None = None) -> None:
        self.directory, self.keep = directory, keep
        self.clock = HandClock()
        self.told: list[Any] = []
        self.start()

    def start(self) -> None:
        maker = MinuteMaker(EVERY)
        self.writer = ReadingsWriter(self.directory, self.clock, self.told.append, CST, self.keep, maker)
        self.reader = MinutesReader(self.directory, self.writer)

    def kill(self) -> None:
        """As by a power cut: only what was committed is left."""
        self.reader.close()
        self.writer._close()

    def end(self) -> None:
        self.reader.close()
        stop = threading.Event()
        stop.set()
        self.writer.run(stop)

    def live(self, seconds: int, value: float | None = 50.0) -> None:
        for i in range(1, seconds + 1):
            self.clock.at = self.clock.at.after(1)
            if value is not None:
                one = Reading("gate-noise/laf", value, Quality.GOOD, self.clock.at)
                self.writer.put(Readings("gate-noise", (one,)))
            if i % 4 == 0:
                self.writer._turn()

    def records(self) -> list[tuple[int, int]]:
        return [((m.start_s - TEN) // 60, m.n) for m in self.reader.between(0, 2**33)]


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    venue = Venue(tmp_path / "state")
    venue.directory.mkdir()
    yield venue
    venue.end()


def test_kept_with_their_block(venue: Venue) -> None:
    """A record lies at the place of the block it was committed with; a cursor finds each once."""
    venue.live(184)
    found = venue.reader.after(0, 10)
    places = {place for place, _ in ReadingsReader(venue.directory).after(0, 100)}

    assert [(0, 59), (1, 60), (2, 60)] == venue.records()
    assert {place for place, _ in found} <= places
    assert found[1:] == venue.reader.after(found[0][0], 10)
    assert found[:2] == venue.reader.after(0, 2)
    assert found[-1][0] == venue.reader.newest()
    assert [] == venue.reader.after(venue.reader.newest(), 10)


def test_between(venue: Venue) -> None:
    """By time, and by point; begin included, end not."""
    venue.live(184)

    assert [TEN + 60] == [m.start_s for m in venue.reader.between(TEN + 60, TEN + 120)]
    assert [] == list(venue.reader.between(TEN, TEN + 180, {"hall/laf"}))


@pytest.mark.parametrize("way", ["kill", "end"])
@pytest.mark.parametrize(("off_s", "rest"), [(0, 60 - 16), (10, 60 - 26), (300, 0)])
def test_restart_in_a_minute(venue: Venue, way: str, off_s: int, rest: int) -> None:
    """F16: the minute that a restart cuts in two is one record of all that was committed, with what is missing."""
    venue.live(76)
    getattr(venue, way)()
    venue.clock.at = venue.clock.at.after(off_s)
    venue.start()
    venue.live(64 - 16)
    venue.live(16)
    first, second = venue.reader.between(TEN, TEN + 120)

    assert (59, 17 + max(0, rest - 1)) == (first.n, second.n)
    assert (60, {"missing": 60 - second.n} if second.n < 60 else {}) == (second.due, second.set_aside)


def test_restart_in_a_minute_after_the_clock_was_set_back(venue: Venue) -> None:
    """E1: then the last commits are not in the files of the last days, and the minute is whole all the same."""
    for _ in range(3):
        venue.live(4)
        venue.clock.at = venue.clock.at.after(86_400)
    venue.clock.at = replace(venue.clock.at, wall_ns=(TEN + 2) * NANO)
    venue.live(84)
    venue.kill()
    venue.start()
    venue.live(44)
    twice = [m.n for m in venue.reader.between(TEN + 60, TEN + 120)]

    assert [60] == twice


def test_restart_twice_doubles_nothing(venue: Venue) -> None:
    """A record that was committed is not made again of the same blocks."""
    for _ in range(4):
        venue.live(40)
        venue.kill()
        venue.start()
    venue.live(64)

    assert [(0, 59), (1, 60), (2, 60)] == venue.records()


def test_silence_alone_makes_a_commit(venue: Venue) -> None:
    """Minutes in which no device answered are on the card too, in a commit of their own, and readings end as before."""
    venue.live(64)
    newest = ReadingsReader(venue.directory, venue.writer).newest()
    venue.live(124, None)

    assert [(0, 59), (1, 5), (2, 0)] == venue.records()
    assert newest == ReadingsReader(venue.directory, venue.writer).newest()
    assert [] == ReadingsReader(venue.directory, venue.writer).after(newest, 10)


def test_memory_while_the_card_refuses(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """F7: records go on from memory, and come to the card with their blocks when it takes them again."""
    venue.live(64)
    free = 0
    monkeypatch.setattr(ageing, "_free", lambda _: free)
    venue.live(120)
    waiting = venue.records()
    place = venue.reader.after(0, 1)[0][0]

    assert [(0, 59), (1, 60), (2, 60)] == waiting
    assert 2 == len(venue.reader.after(place, 5))
    free = ageing.KEEP_FREE
    venue.live(4)
    venue.kill()
    venue.start()
    assert waiting == venue.records()


def test_over_midnight(venue: Venue) -> None:
    """The files of two days are one sequence."""
    venue.clock.at = venue.clock.at.after(14 * 3600 - 130)
    venue.live(300)

    assert 2 == len(list(venue.directory.glob("*.db")))
    assert [(837, 9), (838, 60), (839, 60), (840, 60), (841, 60)] == venue.records()


def test_old_file_gets_the_table(tmp_path: Path) -> None:
    """A file of the first version keeps its blocks and gets the table; one that nobody writes is read as it is."""
    old = module.Schema(1, module.SCHEMA.tables.partition(";")[0], 1024)
    for day in ("06", "07"):
        opened = open_store(tmp_path / f"readings-2026-06-{day}.db", old, moment(0))
        block = blocks.encode([Readings("gate-noise", (reading(-2, 50.0),))])
        opened.connection.execute("INSERT INTO blocks VALUES (?, 1, '', ?)", (int(day), block))
        opened.connection.close()
    assert [] == list(MinutesReader(tmp_path).between(0, 2**33))
    venue = Venue(tmp_path)
    venue.live(64)
    venue.end()
    with sqlite3.connect(tmp_path / "readings-2026-06-07.db") as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()

    assert 2 == version
    assert 2 + 16 == len(ReadingsReader(tmp_path).after(0, 100))
    assert [(-1, 2), (0, 59)] == venue.records()


def test_bad_row_is_stepped_over(venue: Venue) -> None:
    """A row that was altered gives no record and stops nothing."""
    venue.live(184)
    venue.end()
    with sqlite3.connect(venue.directory / "readings-2026-06-07.db") as connection:
        connection.execute("UPDATE minutes SET data = x'00' WHERE place = (SELECT min(place) FROM minutes)")
    connection.close()
    venue.start()

    assert [(1, 60), (2, 60)] == venue.records()


def test_unreadable(venue: Venue) -> None:
    """A card that cannot be read is said, and is no end of the record."""
    venue.live(64)
    venue.end()
    path = venue.directory / "readings-2026-06-07.db"
    path.unlink()
    path.mkdir()
    reader = MinutesReader(venue.directory)

    for ask in (lambda: list(reader.between(0, 2**33)), lambda: reader.after(0, 5), reader.newest):
        with pytest.raises(Unavailable):
            ask()


def test_minute_records_outlive_their_readings(venue: Venue) -> None:
    """C6: after its days a day keeps its minute records alone, in its month's file, and readers see no difference."""
    venue.kill()
    venue.keep = Keep(days=1, minute_days=40)
    venue.start()
    venue.live(184)
    before, places = venue.records(), [place for place, _ in venue.reader.after(0, 100)]
    venue.clock.at = venue.clock.at.after(2 * 86_400)
    venue.live(64)

    assert 1 == len(day_files(venue.directory))
    assert ["minutes-2026-06.db"] == [path.name for path in month_files(venue.directory)]
    assert before == venue.records()[: len(before)]
    assert places == [place for place, _ in venue.reader.after(0, 100)][: len(places)]
    venue.clock.at = venue.clock.at.after(80 * 86_400)
    venue.live(4)
    venue.clock.at = venue.clock.at.after(86_400)
    venue.live(4)
    assert [] == [path.name for path in month_files(venue.directory) if "2026-06" in path.name]


@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "of a newer version"])
def test_a_months_file_that_cannot_be_used(venue: Venue, damaged: bool) -> None:
    """F6: readings are kept all the same. A damaged one is put aside and said; beside one that a newer version has
    written (it was rolled back) the days stay as they are.
    """
    month = venue.directory / "minutes-2026-06.db"
    if damaged:
        month.write_bytes(b"garbage " * 1024)
    else:
        newer = sqlite3.connect(month)
        newer.executescript("CREATE TABLE other (a); PRAGMA user_version=99")
        newer.close()
    venue.kill()
    venue.keep = Keep(days=1)
    venue.start()
    venue.live(124)
    venue.clock.at = venue.clock.at.after(3 * 86_400)
    venue.live(16)

    assert () == venue.writer.memory
    assert (1 if damaged else 2) == len(day_files(venue.directory))
    assert damaged == any(isinstance(told, SetAside) for told in venue.told)


def test_a_day_that_is_being_thinned_is_read_once(venue: Venue) -> None:
    """Cut off between the copy and the removal, a day's records are in two files, and are read once."""
    venue.live(184)
    before = venue.records()
    venue.kill()
    [day] = day_files(venue.directory)
    Ageing(venue.directory, Keep(), venue.clock, venue.told.append)._save_minutes(day)
    venue.start()

    assert ["minutes-2026-06.db"] == [path.name for path in month_files(venue.directory)]
    assert before == venue.records()


def test_a_damaged_file_holds_up_no_other(venue: Venue) -> None:
    """F6: with a month and a day that can no longer be read, the records of all the others are."""
    venue.live(124)
    venue.clock.at = venue.clock.at.after(86_400)
    venue.live(124)
    venue.clock.at = venue.clock.at.after(86_400)
    venue.live(124)
    before = venue.records()
    _, second, _ = day_files(venue.directory)
    second.write_bytes(b"garbage " * 1024)
    (venue.directory / "minutes-2026-01.db").write_bytes(b"garbage " * 1024)
    reader = MinutesReader(venue.directory)
    found = [((m.start_s - TEN) // 60, m.n) for m in reader.between(0, 2**33)]
    places = [place for place, _ in reader.after(0, 100)]

    assert (before[:2], before[-3:]) == (found[:2], found[-3:])
    assert len(before) > len(found)
    assert places[-1] == reader.newest()
    assert reader.after(places[-2], 1)[0][1] == reader.before(reader.newest())
    reader.close()


def test_a_day_that_is_written_again_after_the_clock_went_back(venue: Venue) -> None:
    """E2: a clock that ran a day ahead and is set right: the records that go on in the first day's file are read."""
    venue.live(64)
    venue.clock.at = venue.clock.at.after(86_400)
    venue.live(64)
    before = venue.reader.after(0, 100)
    wall_ns = venue.clock.at.wall_ns - 86_400 * 10**9
    venue.clock.at = replace(venue.clock.at, wall_ns=wall_ns)
    venue.live(124)
    after = venue.reader.after(0, 100)

    assert before == after[: len(before)]
    assert [before[-1][0]] < [after[-1][0]]
    assert after[-1][0] == venue.reader.newest()


def test_readers_keep_no_day_open_that_is_over(venue: Venue) -> None:
    """F15: of sixty days and three years of months one file is open: a running gateway's readers let go of what nobody
    writes, whatever they are asked, and find the same.
    """
    venue.kill()
    venue.keep = Keep(days=4, minute_days=1000)
    venue.start()
    for _ in range(40):
        venue.live(64)
        place = venue.reader.newest()
        venue.reader.after(place - 1, 10)
        venue.reader.before(place)
        venue.clock.at = venue.clock.at.after(86_400)
    venue.live(64)
    found = venue.reader.after(0, 1000)
    places = [place for place, _ in found]
    fresh = MinutesReader(venue.directory)
    seen = fresh.after(0, 1000)
    fresh.close()
    venue.records()

    assert seen == found
    assert 40 < len(found)
    assert found[10:11] == venue.reader.after(places[9], 1)
    assert found[10][1] == venue.reader.before(places[10])
    venue.reader.after(places[-2], 10)
    assert {day_files(venue.directory)[-1].name} == opened(venue.directory)
