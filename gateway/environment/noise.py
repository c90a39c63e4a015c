"""What the levels of a period say, and what may be concluded from them. Pure; levels in dB(A).

Everything is made of minute records. Means are energy means; a percentile is the sample of rank ceil(N n / 100) from
the loudest, without interpolation; SD is with n - 1. A maximum of polled levels is a lower bound: it proves an excess
and never a compliance. A judgement compares the value as it was recorded (to 0.01 dB); equal to the limit is compliant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.configuration.noise import Noise
from gateway.environment import acoustics, noise_events
from gateway.environment.minutes import MINUTE_S, Minute, Period, Sum

HOUR_S = 3600
PERCENTAGES = (5, 10, 50, 90, 95)
NIGHT_PEAK_DB = 15.0  # GB 3096-2008, 5.4: a sudden noise at night may be so much over the night's limit

# Which of a meter's points gives what, best first: its own equivalent level, and the level that it is polled for.
EQUIVALENT = ("laeq", "laf", "las")
LEVEL = ("laf", "las", "laeq")


@dataclass(frozen=True, slots=True)
class Validity:
    """What a period needs to be accepted. The shares are unverified custom: a bureau may ask for others."""

    share: float = 0.75  # of the samples of an hour or less
    day_hours: int = 12  # accepted hours, of 16
    night_hours: int = 6  # of 8

    @classmethod
    def of(cls, table: Noise) -> Validity:
        """As the venue has it."""
        return cls(table.valid_share, table.valid_day_hours, table.valid_night_hours)


# ---- the figures of a period ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """One device in one period. `laeq_of` and `level_of` are the points that were used; None: it has none."""

    laeq_of: str | None
    level_of: str | None
    equivalent: Period
    level: Period
    maximum: Period | None  # of the meter's own maximum, where it has one

    @property
    def laeq(self) -> float | None:
        return self.equivalent.laeq

    @property
    def valid(self) -> float:
        return self.equivalent.valid

    def record(self) -> dict[str, Any]:
        """As messages carry them. A figure that is not known is null."""
        level, own = self.level, self.maximum
        percentiles = {f"l{percent}": level.exceeded(percent) for percent in PERCENTAGES}
        return {
            "point": self.laeq_of,
            "laeq": self.laeq,
            "lmax_sampled": level.high,
            "lmin_sampled": level.low,
            "lamax": own.high if own is not None else None,
            **percentiles,
            "sd": level.sd,
            "n": self.equivalent.n,
            "due": self.equivalent.due,
            "valid": round(self.valid, 4),
            "set_aside": dict(sorted(self.equivalent.set_aside.items())),
            "events": noise_events.counts(level.events),
        }


class Adding:
    """One device's records of a period, added up as they come; none is kept."""

    def __init__(self) -> None:
        self._sums: dict[str, Sum] = {}

    def add(self, minute: Minute, *, events: bool = True) -> None:
        """`events`: its single noises as well."""
        name = minute.point.partition("/")[2]
        if name not in self._sums:
            self._sums[name] = Sum()
        self._sums[name].add(minute, events=events)

    def join(self, other: Adding) -> None:
        """Add what another one has, of the same device."""
        for name, each in other._sums.items():
            self._sums.setdefault(name, Sum()).join(each)

    def figures(self, whole_minutes: int | None = None) -> Figures:
        """`whole_minutes`: how many the period has."""
        equivalent = next((name for name in EQUIVALENT if name in self._sums), None)
        level = next((name for name in LEVEL if name in self._sums), None)
        periods = {name: each.period(whole_minutes) for name, each in self._sums.items()}
        nothing = Sum().period(whole_minutes)
        of = periods[equivalent] if equivalent else nothing
        return Figures(
            laeq_of=of.point or None,
            level_of=periods[level].point if level else None,
            equivalent=of,
            level=periods[level] if level else nothing,
            maximum=periods.get("lamax"),
        )


def figures(minutes: Iterable[Minute], whole_minutes: int | None = None) -> Figures:
    """Of the records of one device, in any order."""
    adding = Adding()
    for minute in minutes:
        adding.add(minute)
    return adding.figures(whole_minutes)


def is_noise(point: str) -> bool:
    """Whether a point belongs to the figures of a sound level meter."""
    return point.partition("/")[2] in (*EQUIVALENT, "lamax")


# ---- day and night --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hours:
    """Ld or Ln: the energy mean of the accepted hours, each counting the same."""

    laeq: float | None
    accepted: int  # hours
    due: int
    needed: int

    @property
    def is_accepted(self) -> bool:
        return self.accepted >= self.needed


class AddingHours:
    """Ld or Ln of one device, as its records come in the order of time; an hour begins 60 min after the one before."""

    def __init__(self, start_s: int, end_s: int, needed: int, share: float) -> None:
        self._start_s, self._end_s, self._needed, self._share = start_s, end_s, needed, share
        self._hour, self._adding = 0, Adding()
        self._means: list[tuple[float | None, float]] = []

    def add(self, minute: Minute) -> None:
        hour = (minute.start_s - self._start_s) // HOUR_S
        if hour != self._hour:
            self._over()
            self._hour = hour
        self._adding.add(minute)

    def hours(self) -> Hours:
        self._over()
        return hours_of(self._means, self._start_s, self._end_s, self._needed, self._share)

    def _over(self) -> None:
        found, self._adding = self._adding.figures(60), Adding()
        self._means.append((found.laeq, found.valid))


def hours_of(means: Iterable[tuple[float | None, float]], start_s: int, end_s: int, needed: int, share: float) -> Hours:
    """`means`: LAeq and valid share of each hour that has records."""
    accepted = [(laeq, 1.0) for laeq, valid in means if laeq is not None and valid >= share]
    mean = acoustics.mean_level(accepted)
    due = round((end_s - start_s) / HOUR_S)
    return Hours(None if mean is None else round(mean, 2), len(accepted), due, needed)


def hours(minutes: Iterable[Minute], start_s: int, end_s: int, needed: int, share: float) -> Hours:
    """Of one device from `start_s` to `end_s`, seconds since 1970; records in any order."""
    adding = AddingHours(start_s, end_s, needed, share)
    for minute in sorted(minutes, key=lambda m: m.start_s):
        adding.add(minute)
    return adding.hours()


@dataclass(frozen=True, slots=True)
class DayNight:
    """Both forms, by name: whoever sends one of them as "Ldn" says which."""

    weighted: float | None  # the night counts 10 dB more
    plain: float | None  # the energy mean of 24 h


def day_night(day: Hours, night: Hours) -> DayNight:
    if day.laeq is None or night.laeq is None or not (day.is_accepted and night.is_accepted):
        return DayNight(None, None)
    day_h = 24.0 * day.due / (day.due + night.due)
    weighted = acoustics.day_night(day.laeq, night.laeq, day_h)
    plain = acoustics.day_night(day.laeq, night.laeq, day_h, penalty_db=0.0)
    return DayNight(round(weighted, 2), round(plain, 2))


# ---- leaving minutes out after the fact -----------------------------------------------------------------------------


def set_aside(minutes: Iterable[Minute], spans: Sequence[tuple[int, int]], reason: str) -> list[Minute]:
    """The records; of those that touch a span (seconds since 1970) the samples are left out and counted by `reason`."""
    return [_emptied(m, reason) if _touched(m, spans) else m for m in minutes]


def _touched(minute: Minute, spans: Sequence[tuple[int, int]]) -> bool:
    return any(minute.start_s < end and start < minute.start_s + MINUTE_S for start, end in spans)


def _emptied(minute: Minute, reason: str) -> Minute:
    aside = {**minute.set_aside, reason: minute.set_aside.get(reason, 0) + minute.n}
    none = (0, 0, None, None, None)
    return Minute(minute.point, minute.start_s, minute.due, *none, {}, aside, minute.clock)


# ---- background correction ------------------------------------------------------------------------------------------


def without_background(measured: float, background: float) -> float | None:
    """GB 12348-2008 and GB 22337-2008: the source alone; None when the result is not usable (difference under 3 dB).

    The difference is taken to 0.1 dB and rounded half to even (GB/T 8170) to whole dB.
    """
    difference = round(round(measured - background, 1))
    if difference < 3:
        return None
    if difference == 3:
        correction = 3
    elif difference <= 5:
        correction = 2
    elif difference <= 10:
        correction = 1
    else:
        correction = 0
    return round(measured - correction, 2)


# ---- judgement ------------------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    COMPLIANT = "compliant"
    EXCESS = "excess"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`excess_db` is a difference in dB, never a ratio. `reasons`: why it cannot be told, or why it is indicative."""

    outcome: Outcome
    excess_db: float | None = None
    reasons: tuple[str, ...] = ()
    indicative: bool = False  # the instrument, or its calibration, carries no evidence


def judge(
    value: float | None,
    limit: float,
    *,
    accepted: bool = True,
    lower_bound: bool = False,
    indicative: Collection[str] = (),
) -> Judgement:
    """Equal is compliant. `accepted`: enough valid samples. `lower_bound`: the true value may be higher.

    `indicative`: why the instrument's results carry no evidence; they qualify the outcome and do not change it.
    """
    doubts = tuple(sorted(indicative))
    if value is None:
        return Judgement(Outcome.CANNOT_TELL, None, ("no-value", *doubts), bool(doubts))
    excess = round(value - limit, 2)
    if not accepted and not (lower_bound and excess > 0):
        return Judgement(Outcome.CANNOT_TELL, None, ("too-few-samples", *doubts), bool(doubts))
    if excess > 0:
        return Judgement(Outcome.EXCESS, excess, doubts, bool(doubts))
    if lower_bound:
        return Judgement(Outcome.CANNOT_TELL, None, ("lower-bound", *doubts), bool(doubts))
    return Judgement(Outcome.COMPLIANT, None, doubts, bool(doubts))


def judge_night_peak(
    peak: float | None, night_limit: float, *, lower_bound: bool, indicative: Collection[str] = ()
) -> Judgement:
    """Sudden noise at night: the largest level against the night's limit and 15 dB."""
    return judge(peak, night_limit + NIGHT_PEAK_DB, lower_bound=lower_bound, indicative=indicative)
