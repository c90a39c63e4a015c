"""What a report is made of: configuration, minute records, events, field checks. Read from the card only."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Protocol

from gateway import rule_sets
from gateway.board import Instrument
from gateway.calendar import Calendar
from gateway.catalogue import say
from gateway.configuration import last_good, settings
from gateway.configuration.config import Config
from gateway.environment import noise
from gateway.environment.calibrating import check_of
from gateway.environment.calibration import Book, Meter, doubts
from gateway.environment.minutes import MINUTE_S, Minute, Period, Sum
from gateway.environment.periods import Periods
from gateway.errors import Refused
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.reader import EventReader
from gateway.moment import NANO
from gateway.reports.heard import Aside, Heard
from gateway.rules import Rule
from gateway.sources.choice import bind
from gateway.values import Event

PAGE = 500


class Question(Protocol):
    """What a report asks the record for. `streams`: whose events it may carry; `listens`: is told every minute."""

    start: datetime
    end: datetime
    streams: Collection[str]
    listens: Callable[[Minute], None] | None

    def asked(self) -> tuple[int, int]:
        """The time whose results are judged, in whole minutes: seconds since 1970. A page may show more than that."""
        ...


@dataclass(frozen=True, slots=True)
class Level:
    """One device that measures sound levels, in the span of the report."""

    name: str
    title: str  # the instrument's, by its driver
    place: str
    meter: Meter
    doubts: tuple[str, ...]  # why it is no evidence
    rules: tuple[Rule, ...]
    heard: Heard
    asides: tuple[Aside, ...]  # when its levels were no measurement
    figures: noise.Figures  # of the whole span


@dataclass(frozen=True, slots=True)
class Material:
    config: Config
    config_sha256: str
    calendar: Calendar
    periods: Periods
    start_s: int
    end_s: int
    levels: tuple[Level, ...]
    weather: Mapping[str, Period]  # by point
    rain: Mapping[str, float | None]  # mm that fell, by point
    events: tuple[Mapping[str, Any], ...]  # of the span, as they were sent
    heads: Mapping[str, Mapping[str, Any]]  # stream: run, seq and hash of the record's last event
    checks: Book
    simulated: bool


def configuration(state: Path, path: Path | None) -> tuple[Config, str]:
    """The file that is named, else the last good one of the state directory. Raises Refused, ConfigError."""
    data = path.read_bytes() if path is not None else next(iter(last_good.recall(state)), None)
    if data is None:
        raise Refused(say("there is no configuration in {path}: name one with --config", path=state))
    checked = settings.check_bytes(data, path or state / last_good.NAMES[0])
    if checked.config is None:
        raise Refused(say("the configuration cannot be used: venue-gateway check says why"))
    return checked.config, checked.sha256


def gather(state: Path, config: Config, sha256: str, question: Question, wanted: Sequence[str] = ()) -> Material:
    """What a question needs. `wanted`: devices or places; none: all. Raises Unavailable, Refused."""
    start_s, end_s = whole_minutes(question.start, question.end)
    calendar = Calendar(config)
    bound = {each.name: each for each in bind(config)}
    instruments = {name: Instrument(each.every_s, each.driver.points) for name, each in bound.items()}
    meters = {
        name: each for name, each in bound.items() if any(noise.is_noise(f"{name}/{p}") for p in each.driver.points)
    }
    chosen = {name: each for name, each in meters.items() if _is_wanted(name, config.device[name].place, wanted)}
    if wanted and not chosen:
        places = ", ".join(f"{name} ({config.device[name].place or '-'})" for name in meters)
        raise Refused(say("no sound level meter is called or stands so; there are: {places}", places=places or "-"))
    events, heads, book, simulated = _events(state, start_s, end_s, question.streams)
    periods = Periods(config)
    heards = {name: Heard(periods.within(start_s, end_s), _asides(book, name)) for name in chosen}
    weather, rain = _listen(state, start_s, end_s, heards, question.listens)
    rules = rule_sets.build(config, instruments)
    levels = []
    for name, each in chosen.items():
        meter = Meter(each.driver.evidence, config.certificate.get(name))
        why = doubts_of(name, meter, book, question.asked(), calendar.zone)
        mine = tuple(rule for rule in rules if rule.point.partition("/")[0] == name)
        whole = heards[name].figures(None, (end_s - start_s) // MINUTE_S)
        place = config.device[name].place
        levels.append(
            Level(name, each.driver.title, place, meter, why, mine, heards[name], tuple(_asides(book, name)), whole)
        )
    return Material(
        config, sha256, calendar, periods, start_s, end_s, tuple(levels), weather, rain, events, heads, book, simulated
    )


def _asides(book: Book, name: str) -> list[Aside]:
    """Minutes that are no measurement of the venue."""
    return [Aside("calibration", book.calibrating(name)), Aside("calibration-void", book.void(name))]


def whole_minutes(first: datetime, last: datetime) -> tuple[int, int]:
    """Those that a time touches, one at least; seconds since 1970."""
    begin_s = int(first.timestamp()) // MINUTE_S * MINUTE_S
    return begin_s, max(begin_s + MINUTE_S, -(-int(last.timestamp()) // MINUTE_S) * MINUTE_S)


def doubts_of(name: str, meter: Meter, book: Book, span: tuple[int, int], zone: tzinfo) -> tuple[str, ...]:
    """Why the results of a span are no evidence; the certificate must be in force on its last day."""
    return tuple(doubts(meter, book, name, span, datetime.fromtimestamp(span[1] - 1, zone).date()))


def _is_wanted(name: str, place: str, wanted: Sequence[str]) -> bool:
    return not wanted or name in wanted or (bool(place) and place in wanted)


def _listen(
    state: Path, start_s: int, end_s: int, heards: Mapping[str, Heard], listens: Callable[[Minute], None] | None
) -> tuple[dict[str, Period], dict[str, float | None]]:
    """Every record once, to the device that it is of; the weather's, put together: wind, and the rain that fell."""
    weather: dict[str, Sum] = {}
    gauges: dict[str, Gauge] = {}
    reader = MinutesReader(state)
    for minute in reader.between(start_s, end_s):
        if listens is not None:
            listens(minute)
        device, _, name = minute.point.partition("/")
        if device in heards and noise.is_noise(minute.point):
            heards[device].add(name, minute)
        elif name.startswith("wind_speed"):
            weather.setdefault(minute.point, Sum()).add(minute)
        elif name.startswith("rain"):
            gauges.setdefault(minute.point, Gauge()).add(minute)
    reader.close()
    rain = {point: each.fallen for point, each in gauges.items()}
    return {point: each.period() for point, each in weather.items()}, rain


class Gauge:
    """What fell into a rain gauge, by its total. One that is less than half of before began anew from nothing; one that
    is a little less is of a minute that was lived twice.
    """

    def __init__(self) -> None:
        self.fallen: float | None = None  # mm, since its first record; of a minute in which it began anew the rest
        self._total = 0.0

    def add(self, minute: Minute) -> None:
        """In the order of time."""
        if minute.low is None or minute.last is None:
            return
        if self.fallen is None:
            self.fallen, self._total = 0.0, minute.low
        if 2 * minute.low < self._total:
            self._total = 0.0
        self.fallen += max(0.0, minute.last - self._total)
        self._total = max(self._total, minute.last)


def _events(
    state: Path, start_s: int, end_s: int, streams: Collection[str]
) -> tuple[tuple[Mapping[str, Any], ...], dict[str, Mapping[str, Any]], Book, bool]:
    reader = EventReader(state)
    found, checks, simulated = [], [], False
    for at_s, body in _bodies(reader):
        if (check := check_of(body)) is not None:
            checks.append(check)
        if start_s <= at_s < end_s and body["stream"] in streams:
            found.append(body)
        simulated = simulated or body["simulated"]
    heads: dict[str, Mapping[str, Any]] = {
        stream: {"run": h.run, "seq": h.seq, "hash": h.hash}
        for stream, h in reader.last()[1].items()
        if stream in streams
    }
    reader.close()
    return tuple(found), heads, Book(checks), simulated


def recorded(state: Path) -> Iterator[tuple[float, dict[str, Any]]]:
    """Every event of the record in its order: when (seconds since 1970), and as it was sent. Raises Unavailable."""
    reader = EventReader(state)
    yield from _bodies(reader)
    reader.close()


def _bodies(reader: EventReader) -> Iterator[tuple[float, dict[str, Any]]]:
    return ((event.at.wall_ns / NANO, json.loads(event.body)) for event in _all(reader))


def _all(reader: EventReader) -> Iterator[Event]:
    page = reader.after(0, PAGE)
    while page:
        yield from page
        page = reader.after(page[-1].number, PAGE)
