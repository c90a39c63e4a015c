"""What is sent to a platform: real-time values, and the files of minutes, hours and days. Pure.

    2011  one value each              LA-Rtd=50.1,LA-Flag=N
    2051  a file of some minutes      Leq-Data=50.0; a34004-Min=..,a34004-Avg=..,a34004-Max=..,a34004-Flag=N
    2061  a file of an hour           the same
    2031  a file of a calendar day    noise also by day and night: Ld-DayData, Ln-NightData

A file is labelled with the start of its period. Files are sent in the order of their ends; a file's `key` (its end in
milliseconds, and which of those that end together it is) is the unit of a platform's cursor.
What is not known is left out and flagged, never replaced by a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from typing import Literal, NamedTuple

from drivers.base import Quality
from gateway.environment.minutes import Minute, Period, combine
from gateway.environment.noise import Hours, Validity, day_night, hours_of
from gateway.hj212.factors import NOISE, Factor, converted, rounded
from gateway.hj212.segment import Item
from gateway.moment import NANO
from gateway.values import Reading

REALTIME, MINUTE, HOUR, DAY = "2011", "2051", "2061", "2031"
KINDS = (MINUTE, HOUR, DAY)  # in the order in which they are sent when they end together
ENOUGH = 0.75  # share of the samples due that a figure needs to be flagged N (GB 3095); of levels as the venue has it
_STEP = 1000  # keys in a second

FlagLetter = Literal["N", "F", "M", "D", "C", "T", "B"]
# Why samples are not counted, as the minute records say it; anything else is a fault.
_REASONS: Mapping[str, FlagLetter] = {
    "missing": "B",
    "stale": "B",
    "calibration": "C",
    "range": "T",
    "out of range": "T",
    "maintenance": "M",
    "warm-up": "M",
    "wind": "M",  # set aside on purpose; the table of 2017 has no letter for weather
    "rain": "M",
    "off": "F",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One factor of one link: which point feeds it, and how it is written there."""

    factor: Factor
    code: str  # as this platform calls it
    point: str
    unit_of_point: str
    unit: str
    decimals: int
    st: str
    fresh_s: float = 35.0  # an older reading is not of now

    def text(self, value: float) -> str:
        return rounded(converted(value, self.unit_of_point, self.unit, self.factor.molar), self.decimals)


@dataclass(frozen=True, slots=True)
class Nights:
    """The hours that the local government calls night, and which Ldn is sent."""

    begin: time = time(22)
    end: time = time(6)
    ldn: Literal["weighted", "plain"] = "weighted"
    validity: Validity = field(default_factory=Validity)

    def holds(self, at: datetime) -> bool:
        now = at.time()
        if self.begin <= self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


@dataclass(frozen=True, slots=True)
class File:
    """A file that is due: what kind, of which system, over which seconds since 1970."""

    kind: str
    st: str
    start_s: int
    end_s: int
    key: int

    @property
    def minutes(self) -> int:
        return (self.end_s - self.start_s) // 60


@dataclass(frozen=True, slots=True)
class Upload:
    """One message to be sent. `key` is that of its file; 0 for what is not a file."""

    cn: str
    st: str
    first: Item
    items: tuple[Item, ...] = ()
    key: int = 0
    answered: bool = True  # the platform shall answer it
    resent: bool = False


def stamp(seconds: float, zone: tzinfo) -> str:
    """YYYYMMDDhhmmss by the venue's clock, as every time in HJ 212 is written."""
    return datetime.fromtimestamp(seconds, zone).strftime("%Y%m%d%H%M%S")


# ---- what is due ------------------------------------------------------------------------------------------------


def files_after(key: int, until_s: float, minutes: Mapping[str, int], zone: tzinfo) -> Iterator[File]:
    """The files that end after `key` and not after `until_s`, oldest first.

    `minutes`: for each system that is sent, how many minutes its minute file has (a divisor of 60).
    """
    second = key // _STEP
    end_s = second - second % 60
    while end_s <= until_s:
        for file in _ending(end_s, minutes, zone):
            if file.key > key:
                yield file
        end_s += 60


def files_starting(kind: str, st: str, begin_s: int, end_s: int, minutes: int, zone: tzinfo) -> Iterator[File]:
    """The files of one kind and system that start from `begin_s` on and before `end_s`."""
    for file in files_after(begin_s * _STEP, end_s + 25 * 3600, {st: minutes}, zone):
        if file.kind == kind and begin_s <= file.start_s < max(end_s, begin_s + 1):
            yield file


def _ending(end_s: int, minutes: Mapping[str, int], zone: tzinfo) -> Iterator[File]:
    at = datetime.fromtimestamp(end_s, zone)
    for rank, kind in enumerate(KINDS):
        for place, (st, every) in enumerate(sorted(minutes.items())):
            key = end_s * _STEP + 10 * rank + place
            if kind == MINUTE and at.minute % every == 0:
                yield File(kind, st, end_s - 60 * every, end_s, key)
            elif kind == HOUR and at.minute == 0:
                yield File(kind, st, end_s - 3600, end_s, key)
            elif kind == DAY and (at.hour, at.minute) == (0, 0):
                yield File(kind, st, round((at - timedelta(days=1)).timestamp()), end_s, key)


# ---- files ------------------------------------------------------------------------------------------------------


def of_file(
    file: File, channels: Iterable[Channel], minutes: Iterable[Minute], nights: Nights, zone: tzinfo
) -> Upload | None:
    """The upload of a file; None when the gateway recorded nothing in its time."""
    by_point: dict[str, list[Minute]] = {}
    for minute in minutes:
        by_point.setdefault(minute.point, []).append(minute)
    if not by_point:
        return None
    items: list[Item] = []
    for channel in channels:
        own = by_point.get(channel.point, [])
        if channel.factor.st == NOISE:
            items += _noise(file, channel, own, nights, zone)
        elif channel.factor.statistics:
            items.append(_air(channel, own, file))
    if not items:
        return None
    return Upload(file.kind, file.st, (("DataTime", stamp(file.start_s, zone)),), tuple(items), file.key)


def _air(channel: Channel, minutes: Sequence[Minute], file: File) -> Item:
    period = combine(minutes, file.minutes)
    named = {"Min": period.low, "Avg": period.mean, "Max": period.high}
    figures = [(f"{channel.code}-{name}", channel.text(value)) for name, value in named.items() if value is not None]
    return (*figures, (f"{channel.code}-Flag", flag(period)))


def _noise(file: File, channel: Channel, minutes: Sequence[Minute], nights: Nights, zone: tzinfo) -> Iterator[Item]:
    period = combine(minutes, file.minutes)
    name, mean = "Leq", period.laeq
    if file.kind == DAY:
        day, night = (_part(file, minutes, nights, zone, at_night=at_night) for at_night in (False, True))
        both = day_night(day.hours, night.hours)
        name, mean = "Ldn", both.plain if nights.ldn == "plain" else both.weighted
    yield from _levels(channel, period, name, mean, "Data")
    if file.kind == DAY:
        yield from _levels(channel, day.period, "Ld", day.hours.laeq, "DayData")
        yield from _levels(channel, night.period, "Ln", night.hours.laeq, "NightData")
    letter = flag(period, accepted=mean is not None, share=nights.validity.share)
    if letter != "N":  # the print of 2017 has no flag in noise files; what is not normal is said all the same
        yield ((f"{name}-Flag", letter),)


def _levels(channel: Channel, period: Period, name: str, mean: float | None, suffix: str) -> Iterator[Item]:
    figures: dict[str, float | None] = {f"L{percent}": period.exceeded(percent) for percent in (5, 10, 50, 90, 95)}
    figures |= {name: mean, "LMx": period.high, "LMn": period.low}
    for code, value in figures.items():
        if value is not None:
            yield ((f"{code}-{suffix}", channel.text(value)),)


class _Part(NamedTuple):
    """The day's or the night's part of a calendar day."""

    period: Period
    hours: Hours  # Ld or Ln, as every other output of the gateway has it


def _part(file: File, minutes: Sequence[Minute], nights: Nights, zone: tzinfo, *, at_night: bool) -> _Part:
    def is_in(start_s: int) -> bool:
        return nights.holds(datetime.fromtimestamp(start_s, zone)) == at_night

    own = [minute for minute in minutes if is_in(minute.start_s)]
    means, due_min = [], 0
    for begin_s in range(file.start_s, file.end_s, 3600):
        due = sum(is_in(at_s) for at_s in range(begin_s, min(begin_s + 3600, file.end_s), 60))
        hour = combine((m for m in own if begin_s <= m.start_s < begin_s + 3600), due)
        due_min += due
        if due:
            means.append((hour.laeq, hour.valid))
    validity = nights.validity
    needed = validity.night_hours if at_night else validity.day_hours
    return _Part(combine(own), hours_of(means, 0, due_min * 60, needed, validity.share))


def flag(period: Period, *, accepted: bool = True, share: float = ENOUGH) -> FlagLetter:
    """N when enough of the samples due (`share`) were good; else why most of the others were not counted.

    `accepted`: the figure was known; that of a day also needs enough hours of the day and of the night.
    """
    if accepted and period.n and period.valid >= share:
        return "N"
    letters: Counter[FlagLetter] = Counter()
    for reason, count in period.set_aside.items():
        letters[_REASONS.get(reason, "D")] += count
    return letters.most_common(1)[0][0] if letters else "B"


# ---- real time --------------------------------------------------------------------------------------------------


def of_now(
    st: str, channels: Iterable[Channel], latest: Mapping[str, Reading], now_ns: int, zone: tzinfo
) -> Upload | None:
    """The newest reading of each point; None when there is none of now. The time is that of the newest sample."""
    wanted = list(channels)
    known: dict[str, Reading] = {}
    for channel in wanted:
        reading = latest.get(channel.point)
        if reading is not None and abs(now_ns - reading.at.wall_ns) <= channel.fresh_s * NANO:  # nor of a time to come
            known[channel.code] = reading
    if not known:
        return None
    items = tuple(_value(channel, known.get(channel.code)) for channel in wanted)
    at_s = max(reading.at.wall_ns for reading in known.values()) // NANO
    return Upload(REALTIME, st, (("DataTime", stamp(at_s, zone)),), items)


def _value(channel: Channel, reading: Reading | None) -> Item:
    """A value that is not good is sent only when it is one, and flagged."""
    letter = flag_of(reading)
    item: list[tuple[str, str]] = []
    if reading is not None and reading.value is not None and reading.quality in (Quality.GOOD, Quality.SUSPECT):
        item.append((f"{channel.code}-Rtd", channel.text(reading.value)))
    return (*item, (f"{channel.code}-Flag", letter))


def flag_of(reading: Reading | None) -> FlagLetter:
    if reading is None or reading.quality is Quality.MISSING:
        return "B"
    if reading.quality is Quality.GOOD:
        return "N"
    return _REASONS.get(reading.reason or "", "D")
