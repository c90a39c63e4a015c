"""Sliding statistics and the board: energy means, percentiles, valid share, clock jumps, staleness, flat lines."""

from __future__ import annotations

import math
import random
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit_alarms import at

from drivers.base import Quality
from gateway.board import Board, Instrument, quantity_in, unit_of
from gateway.environment.statistics import Wanted, Window, parse, source
from gateway.moment import NANO
from gateway.values import Reading

LEVELS_11 = "41.2 43.0 42.5 47.8 55.1 60.3 52.2 46.7 44.4 43.9 42.8 42.1 41.9 45.5 49.6 58.0 50.2 44.9 43.3 42.0"

DAY_9 = [48.1, 50.4, 53.9, 55.2, 56.0, 56.8, 55.7, 54.9, 55.3, 56.1, 56.4, 57.0, 56.2, 54.0, 52.3, 50.8]
NIGHT_9 = [47.2, 45.0, 43.1, 42.2, 41.8, 41.9, 43.6, 46.0]


def reading(value: float | None, second: float, quality: Quality = Quality.GOOD, point: str = "m/laf") -> Reading:
    return Reading(point, value, quality, at(second))


def filled(name: str, values: list[float], every_s: float = 1.0) -> Window:
    """A window that has seen the values, one every `every_s`, the last at the moment n * every_s."""
    wanted = parse(name)
    assert wanted is not None
    window = Window(wanted, every_s)
    for i, value in enumerate(values, 1):
        window.add(reading(value, i * every_s))
    return window


# facts/noise.md section 4, by its number; E7
EXAMPLES = [
    ("1", "laeq_10s", [50, 60, 70], 65.68),
    ("3", "laeq_10s", [100, 80, 60, 40, 20], 93.05),
    ("4", "laeq_1h", [55] * 59 * 60 + [85] * 60, 67.47),
    ("5", "laeq_10min", [45] * 595 + [90] * 5, 69.22),
    ("6", "laeq_10s", [65.0] * 10, 65.0),
    ("9 day", "laeq_16h", DAY_9, 54.91),
    ("9 night", "laeq_8h", NIGHT_9, 44.28),
    ("10 L5", "l5_10min", list(range(1, 101)), 96),
    ("10 L10", "l10_10min", list(range(1, 101)), 91),
    ("10 L50", "l50_10min", list(range(1, 101)), 51),
    ("10 L90", "l90_10min", list(range(1, 101)), 11),
    ("10 L95", "l95_10min", list(range(1, 101)), 6),
    ("11", "laeq_20s", [float(x) for x in LEVELS_11.split()], 51.39),
    ("11 Lmax", "lmax_sampled_20s", [float(x) for x in LEVELS_11.split()], 60.3),
    ("11 Lmin", "lmin_sampled_20s", [float(x) for x in LEVELS_11.split()], 41.2),
    ("11 L5", "l5_20s", [float(x) for x in LEVELS_11.split()], 60.3),
    ("11 L10", "l10_20s", [float(x) for x in LEVELS_11.split()], 58.0),
    ("11 L50", "l50_20s", [float(x) for x in LEVELS_11.split()], 44.9),
    ("11 L90", "l90_20s", [float(x) for x in LEVELS_11.split()], 42.0),
    ("11 L95", "l95_20s", [float(x) for x in LEVELS_11.split()], 41.9),
    ("17 compliant", "laeq_1min", [55.0] * 60, 55.0),
]  # fmt: skip


@pytest.mark.parametrize(("number", "name", "values", "result"), EXAMPLES)
def test_worked_examples(number: str, name: str, values: list[float], result: float) -> None:
    """E7: the worked examples of the noise facts come out to 0.01 dB; a mean of levels is never arithmetic."""
    every_s = 3600.0 if number.startswith("9") else 1.0
    got = filled(name, values, every_s).value(at(len(values) * every_s))

    assert result == pytest.approx(got.value, abs=0.0101)
    assert len(values) == got.n


OTHERS = [
    ("temperature_1min", [20.0, 21.0, 22.5], 21.166667),
    ("temperature_max_1min", [20.0, 25.0, 22.5], 25.0),
    ("temperature_min_1min", [20.0, 19.5, 22.5], 19.5),
    ("velocity_1min", [3.0, 4.0], 3.535534),
    ("pm2_5_1h", [30.0, 40.0], 35.0),
    ("lamax_1min", [61.0, 72.5, 60.0], 72.5),
    ("lamin_1min", [61.0, 72.5, 60.0], 60.0),
    ("lpeak_1min", [101.0, 110.5], 110.5),
    ("co2_rate_10s", [600.0] * 5 + [606.0], 72.0),
    ("co2_rate_10s", [600.0] * 4 + [606.0], None),
    ("co2_rate_10s", [600.0], None),
]


@pytest.mark.parametrize(("name", "values", "result"), OTHERS)
def test_other_quantities(name: str, values: list[float], result: float | None) -> None:
    """Means, extremes and rates of quantities that are no levels; a rate needs samples over half its window."""

    assert result == filled(name, values).value(at(len(values))).value


NAMES = [
    ("laeq_1min", Wanted("laeq", "energy", 60)),
    ("laeq_10s", Wanted("laeq", "energy", 10)),
    ("lcf_1min", Wanted("lcf", "energy", 60)),
    ("l10_1h", Wanted("level", "exceeded", 3600, 10)),
    ("lmax_sampled_1min", Wanted("level", "max", 60)),
    ("lmin_sampled_10min", Wanted("level", "min", 600)),
    ("lamax_1min", Wanted("lamax", "max", 60)),
    ("pm2_5_24h", Wanted("pm2_5", "mean", 86400)),
    ("velocity_x_1min", Wanted("velocity_x", "rms", 60)),
    ("temperature_max_1h", Wanted("temperature", "max", 3600)),
    ("co2_rate_10min", Wanted("co2", "rate", 600)),
    ("laf_rate_10s", Wanted("laf", "rate", 10)),
    ("laf_1min", None),  # its mean is called laeq
    ("laf_max_1min", None),  # its maximum is called lmax_sampled
    ("laeq", None),
    ("laeq_0min", None),
    ("laeq_1m", None),
    ("wind_direction_1min", None),
    ("rain_1h", None),
    ("noise_1min", None),
    ("noise_max_1min", None),
    ("l0_1h", None),
    ("l100_1h", None),
]


@pytest.mark.parametrize(("name", "wanted"), NAMES)
def test_names(name: str, wanted: Wanted | None) -> None:
    """A statistic's name says quantity, kind and window; what has no right mean has no name."""
    assert wanted == parse(name)


SOURCES = [
    ("laeq_1min", ("laf", "laeq"), "laeq"),
    ("laeq_1min", ("las", "laf"), "laf"),
    ("laeq_1min", ("las",), "las"),
    ("laeq_1min", ("temperature",), None),
    ("l10_1h", ("laeq", "laf"), "laf"),
    ("lmax_sampled_1min", ("laeq", "las"), "las"),
    ("lamax_1min", ("laf",), None),
    ("velocity_x_1min", ("velocity_x", "velocity_y"), "velocity_x"),
    ("laeq_left_1min", ("laf_left", "laf_right"), "laf_left"),
]


@pytest.mark.parametrize(("name", "points", "feed"), SOURCES)
def test_sources(name: str, points: tuple[str, ...], feed: str | None) -> None:
    """A statistic is fed by the meter's own quantity where it has one, else by the best polled level."""
    wanted = parse(name)

    assert wanted is not None
    assert feed == source(wanted, points)


@pytest.mark.parametrize(("good", "share"), [(2700, 0.75), (2699, 2699 / 3600), (3600, 1.0), (0, 0.0)])
def test_valid_share(good: int, share: float) -> None:
    """E6: the valid share counts the samples that were due; invalid, suspect and missing ones are not valid."""
    window = filled("laeq_1h", [])
    bad = (Quality.SUSPECT, Quality.INVALID, Quality.MISSING)
    for i in range(1, 3601):
        quality = Quality.GOOD if i <= good else bad[i % 3]
        window.add(reading(None if quality is Quality.MISSING else 60.0, i, quality))
    got = window.value(at(3600))

    assert share == got.valid
    assert (60.0 if good else None) == got.value


def test_nothing_is_left_of_an_old_sample() -> None:
    """A sample is gone after its window, and an empty window has no value and no valid share."""
    window = filled("laeq_1min", [90.0] + [40.0] * 59)

    assert 72.22 == window.value(at(60)).value
    assert 40.0 == window.value(at(61)).value
    assert (None, 0.0, 0) == (window.value(at(200)).value, window.value(at(200)).valid, window.value(at(200)).n)


def test_sums_do_not_drift() -> None:
    """A year of very loud and very quiet samples leaves the same mean as the last window alone."""
    window = filled("laeq_10s", [])
    for i in range(20000):
        window.add(reading(140.0 if i % 3 else -5.0, i))
    for i in range(20000, 20011):
        window.add(reading(31.27, i))

    assert 31.27 == window.value(at(20010)).value


@pytest.mark.parametrize("jump_s", [14 * 86400, -14 * 86400])
def test_clock_jump_moves_no_sample(jump_s: int) -> None:
    """E1: a wall clock that jumps neither doubles nor loses a sample of a window."""
    plain, jumped = filled("laeq_1min", []), filled("laeq_1min", [])
    for i in range(1, 61):
        one = reading(40.0 + i % 7, i)
        plain.add(one)
        wall_ns = one.at.wall_ns + (jump_s * NANO if i > 30 else 0)
        jumped.add(replace(one, at=replace(one.at, wall_ns=wall_ns)))
    now = at(60)

    same = replace(now, wall_ns=now.wall_ns + jump_s * NANO)
    ours, theirs = plain.value(now), jumped.value(same)
    assert (ours.value, ours.valid, ours.n) == (theirs.value, theirs.valid, theirs.n)


@given(st.lists(st.tuples(st.floats(0, 140), st.floats(0.01, 4)), min_size=1, max_size=200), st.sampled_from([10, 60]))
def test_equals_the_batch_formula(samples: list[tuple[float, float]], window_s: int) -> None:
    """Whatever comes whenever, LAeq and percentiles equal the plain formula over the time that is covered."""
    laeq, l10 = filled(f"laeq_{window_s}s", []), filled(f"l10_{window_s}s", [])
    now, kept = 0.0, []
    for level, pause_s in samples:
        now += pause_s
        one = reading(level, now)
        laeq.add(one)
        l10.add(one)
        kept.append((one.at.mono_ns, level))
    slot_ns = window_s * NANO // 120
    end = -(-at(now).mono_ns // slot_ns)
    inside = [level for mono_ns, level in kept if -(-mono_ns // slot_ns) > end - 120]
    energy = 10 * math.log10(sum(10 ** (level / 10) for level in inside) / len(inside))
    rank = sorted(inside, reverse=True)[max(1, math.ceil(len(inside) / 10)) - 1]

    assert energy == pytest.approx(laeq.value(at(now)).value, abs=0.011)
    assert rank == pytest.approx(l10.value(at(now)).value, abs=0.0051)
    assert len(inside) == laeq.value(at(now)).n


def test_memory_does_not_grow_with_the_window() -> None:
    """A day's mean takes hardly more memory than a minute's."""
    sizes = []
    for name, every_s in (("laeq_1min", 1.0), ("laeq_24h", 1440.0 / 10)):
        wanted = parse(name)
        assert wanted is not None
        window = Window(wanted, every_s)
        tracemalloc.start()
        for i in range(3000):
            window.add(reading(50 + i % 10, i * every_s))
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()

    assert sizes[1] < 3 * sizes[0]


# ---- the board ----


def board(*, every_s: float = 1.0) -> Board:
    return Board({"m": Instrument(every_s, ("laf", "temperature")), "n": Instrument(every_s, ("laf",))}, at(0))


def test_board_knows_what_it_is_told() -> None:
    """A point's value is there when good and fresh; a statistic has its valid share."""
    known = board()
    known.watch("m/laeq_10s")
    known.watch("m/laf")
    for i in range(1, 11):
        known.add(reading(50.0, i))
    known.add(reading(1.0, 10, point="unknown/laf"))
    point, mean = known.seen("m/laf", at(10)), known.seen("m/laeq_10s", at(10))

    assert (50.0, Quality.GOOD, 1.0, at(10)) == (point.value, point.quality, point.valid, point.at)
    assert (50.0, Quality.GOOD, 1.0, 10) == (mean.value, mean.quality, mean.valid, mean.n)
    assert ("m/laf", "m/temperature", "n/laf", "m/laeq_10s") == known.names()


def test_old_value_is_no_value() -> None:
    """E4: beyond its greatest age a value is missing, whatever it was; one lost answer is not yet too old."""
    known = board()
    first = known.seen("m/laf", at(7))
    known.add(reading(50.0, 10))
    ages = [known.seen("m/laf", at(s)) for s in (12, 15, 15.5)]

    assert (None, Quality.MISSING, "never heard", 7.0) == (first.value, first.quality, first.reason, first.silent_s)
    assert [50.0, 50.0, None] == [seen.value for seen in ages]
    assert ["", "", "stale"] == [seen.reason or "" for seen in ages]
    assert 5.5 == ages[2].silent_s


@pytest.mark.parametrize("value", [math.nan, math.inf, 3.4e38, -3.4e38, 250.1, -50.1])
def test_what_is_no_number_is_no_value(value: float) -> None:
    """A value that is not finite, which would compare as "not past the limit", is invalid."""
    known = board()
    known.watch("m/laeq_10s")
    known.add(reading(value, 1))
    seen, mean = known.seen("m/laf", at(1)), known.seen("m/laeq_10s", at(1))

    assert (None, Quality.INVALID, "not a number") == (seen.value, seen.quality, seen.reason)
    assert (None, Quality.MISSING) == (mean.value, mean.quality)


def test_how_long_it_stands_still() -> None:
    """The time that a value is the same counts good samples only, and the finest step seen is kept."""
    known = board()
    for i, value in enumerate([50.0, 50.5, 50.4, 50.4, 50.4]):
        known.add(reading(value, i))
    known.add(reading(50.4, 5, Quality.SUSPECT))
    known.add(reading(50.4, 8))
    known.add(reading(60.4, 9, Quality.INVALID))
    seen = known.seen("m/laf", at(9))

    assert (6.0, 0.1) == (seen.still_s, seen.resolution)
    assert (60.4, Quality.INVALID, 0.0) == (seen.value, seen.quality, seen.valid)


def test_shares_past_a_limit() -> None:
    """The share of a window's samples above or below a limit; equal is neither."""
    known = board()
    above, below = Wanted("laf", "above", 10, 50), Wanted("laf", "below", 10, 50)
    known.watch_share("m/laf", above)
    known.watch_share("m/laf", below)
    known.watch_share("m/laf", below)
    for i, value in enumerate([50.0, 51.0, 52.0, 49.0], 1):
        known.add(reading(value, i))

    assert (0.5, 0.25) == (known.share("m/laf", above, at(4)).value, known.share("m/laf", below, at(4)).value)


GRIDS = [
    ([50.0, 51.0], 1.0),
    ([50.0, 50.5], 0.5),
    ([50.0, 50.3], 0.1),
    ([50.25], 0.01),
    ([50.123], 0.001),
    ([50.12345], 0.001),
    ([50.3, 51.0], 0.1),
]


@pytest.mark.parametrize(("values", "resolution"), GRIDS)
def test_resolution_of_a_device(values: list[float], resolution: float) -> None:
    """The step of a device is the coarsest that all its values lie on."""
    known = board()
    for i, value in enumerate(values):
        known.add(reading(value, i))

    assert resolution == known.seen("m/laf", at(len(values))).resolution


@pytest.mark.parametrize("name", ["m/co2", "x/laf", "m/laeq_1m", "n/temperature_1min", "x/laeq_1min", "nothing"])
def test_board_refuses_what_nobody_has(name: str) -> None:
    """A point or statistic that no device can give is a KeyError that names it."""
    with pytest.raises(KeyError):
        board().watch(name)


UNITS = [
    ("m/laf", "laf", "dB(A)"),
    ("m/laeq_1min", "laeq", "dB(A)"),
    ("m/l10_1h", "laeq", "dB(A)"),
    ("m/co2_rate_10min", "co2", "ppm/min"),
    ("m/velocity_x_1min", "velocity", "mm/s"),
    ("m/none", None, ""),
]


@pytest.mark.parametrize(("point", "quantity", "unit"), UNITS)
def test_units(point: str, quantity: str | None, unit: str) -> None:
    """A statistic has the unit of its quantity; a rate has it a minute."""
    assert (quantity, unit) == (quantity_in(point), unit_of(point))


def test_random_gaps_leave_an_honest_share() -> None:
    """E6: with random gaps the share is that of the samples that came, and the mean is that of the samples alone."""
    chance = random.Random(4)
    window, came = filled("laeq_10min", []), []
    for i in range(1, 601):
        if chance.random() < 0.6:
            came.append(40 + chance.random() * 30)
            window.add(reading(came[-1], i))
    got = window.value(at(600))
    energy = 10 * math.log10(sum(10 ** (level / 10) for level in came) / len(came))

    assert len(came) / 600 == pytest.approx(got.valid)
    assert energy == pytest.approx(got.value, abs=0.01)
