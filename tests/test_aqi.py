"""The air quality index of HJ 633-2026 and HJ 633-2012: the worked examples of facts/limits.md 1.2, and the edges."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.environment.aqi import GRADES, POLLUTANTS, Edition, Index, iaqi, index, mass, means

# mean, concentration, index of 2026, index of 2012 (None: that edition defines none for this mean)
EXAMPLES = [
    ("pm2_5_24h", 28, 40, 40),
    ("pm2_5_24h", 35, 50, 50),
    ("pm2_5_24h", 36, 52, 52),
    ("pm2_5_24h", 50, 80, 69),
    ("pm2_5_24h", 60, 100, 82),
    ("pm2_5_24h", 61, 101, 83),
    ("pm2_5_24h", 75, 114, 100),
    ("pm2_5_24h", 76, 115, 102),
    ("pm2_5_24h", 115, 150, 150),
    ("pm2_5_24h", 150, 200, 200),
    ("pm2_5_24h", 300, 350, 350),
    ("pm2_5_24h", 500, 500, 500),
    ("pm2_5_24h", 740, 500, 500),
    ("pm2_5_24h", 60.5, 100, 82),  # half to even: 60
    ("pm2_5_24h", 60.6, 101, 83),
    ("pm2_5_24h", 61.5, 102, 84),  # half to even: 62
    ("pm2_5_1h", 61, 101, None),
    ("pm10_24h", 51, 51, 51),
    ("pm10_24h", 120, 100, 85),
    ("pm10_24h", 121, 101, 86),
    ("pm10_24h", 150, 112, 100),
    ("pm10_24h", 200, 131, 125),
    ("pm10_1h", 121, 101, None),
    ("o3_1h", 140, 44, 44),
    ("o3_1h", 160, 50, 50),
    ("o3_1h", 200, 100, 100),
    ("o3_1h", 230, 115, 115),
    ("o3_1h", 1300, 500, 500),
    ("o3_8h", 160, 100, 100),
    ("o3_8h", 800, 300, 300),
    ("o3_8h", 801, 300, 300),  # counts as 300
    ("so2_1h", 800, 200, 200),
    ("so2_1h", 900, 200, 200),  # counts as 200
    ("so2_24h", 2620, 500, 500),
    ("no2_1h", 85, 43, 43),
    ("co_1h", 3.0, 30, 30),
    ("co_1h", 2.45, 24, 24),  # half to even in decimal: 2.4
    ("co_24h", 4.0, 100, 100),
    ("co_24h", 4.1, 101, 101),
    ("co_24h", 0.0, 0, 0),
]


@pytest.mark.parametrize(("mean", "concentration", "new", "old"), EXAMPLES)
def test_worked_examples(mean: str, concentration: float, new: int, old: int | None) -> None:
    """Each mean's index in both editions; a mean that an edition has no break points for has no index there."""
    assert new == iaqi(mean, concentration, "2026")
    if old is None:
        with pytest.raises(KeyError, match=mean):
            iaqi(mean, concentration, "2012")
    else:
        assert old == iaqi(mean, concentration, "2012")


@pytest.mark.parametrize("concentration", [-0.1, -61.0, math.nan, math.inf])
def test_what_is_no_concentration(concentration: float) -> None:
    """A negative or absent number never becomes an index."""
    with pytest.raises(ValueError, match="no concentration"):
        iaqi("pm2_5_24h", concentration)


GRADE_NAMES = [
    (0, 1, "优"),
    (50, 1, "优"),
    (51, 2, "良"),
    (100, 2, "良"),
    (101, 3, "轻度污染"),
    (150, 3, "轻度污染"),
    (151, 4, "中度污染"),
    (200, 4, "中度污染"),
    (201, 5, "重度污染"),
    (300, 5, "重度污染"),
    (301, 6, "严重污染"),
    (500, 6, "严重污染"),
]


@pytest.mark.parametrize(("aqi", "number", "name"), GRADE_NAMES)
def test_grades(aqi: int, number: int, name: str) -> None:
    """Six grades with their names; each begins above the end of the one before."""
    grade = Index(aqi, {}, ()).grade

    assert (number, name) == (grade.number, grade.zh)
    assert [1, 2, 3, 4, 5, 6] == [one.number for one in GRADES]


ALL = {"so2_1h": 10.0, "no2_1h": 85.0, "co_1h": 0.5, "o3_1h": 200.0, "pm10_1h": 120.0, "pm2_5_1h": 61.0}
INDICES = [
    (ALL, 101, ("pm2_5",), True),
    (ALL | {"pm2_5_1h": 60.0}, 100, ("o3", "pm10", "pm2_5"), True),  # several, where they are equal
    ({"pm2_5_1h": 35.0, "pm10_1h": 50.0}, 50, (), False),  # none up to 50
    ({"pm2_5_1h": 36.0}, 52, ("pm2_5",), False),
]


@pytest.mark.parametrize(("concentrations", "aqi", "primary", "complete"), INDICES)
def test_index_and_primary_pollutant(
    concentrations: dict[str, float], aqi: int, primary: tuple[str, ...], complete: bool
) -> None:
    """The largest part is the index; above 50 its pollutants are the primary ones; without all six it is a bound."""
    found = index(concentrations)

    assert (aqi, primary, complete) == (found.aqi, found.primary, found.complete)
    assert found.parts == {mean: iaqi(mean, amount) for mean, amount in concentrations.items()}


def test_no_index_of_nothing() -> None:
    """Without any mean there is no index."""
    with pytest.raises(ValueError, match="empty"):
        index({})


def test_means_that_take_part() -> None:
    """The hourly index is of one-hour means, before 2026 without particles; the daily one takes 8 h of ozone."""
    assert {name: f"{name}_1h" for name in POLLUTANTS} == means(1)
    assert {"so2", "no2", "co", "o3"} == set(means(1, "2012"))
    assert {name: f"{name}_{'8h' if name == 'o3' else '24h'}" for name in POLLUTANTS} == means(24)
    assert means(24) == means(24, "2012")


MASSES = [("o3", 0.102, 200.1), ("no2", 0.106, 199.3), ("so2", 0.191, 500.2), ("co", 8.73, 10.0)]


@pytest.mark.parametrize(("gas", "ppm", "expected"), MASSES)
def test_gases_in_mass(gas: str, ppm: float, expected: float) -> None:
    """ppm at 298.15 K and 1013.25 hPa in ug/m3, of CO in mg/m3."""
    assert expected == pytest.approx(mass(gas, ppm), abs=0.05)


EDITIONS: list[Edition] = ["2026", "2012"]


@given(
    edition=st.sampled_from(EDITIONS),
    mean=st.sampled_from(sorted(means(24).values())),
    low=st.floats(0, 5000),
    more=st.floats(0, 5000),
)
def test_more_is_never_less(edition: Edition, mean: str, low: float, more: float) -> None:
    """The index is whole, from 0 to 500, and never falls when the concentration rises."""
    small, large = iaqi(mean, low, edition), iaqi(mean, low + more, edition)

    assert 0 <= small <= large <= 500
