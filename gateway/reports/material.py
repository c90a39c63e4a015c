"""What a report is made of: configuration, minute records, events, field checks. Read from the card only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway import last_good, noise, rule_sets, settings
from gateway.board import Instrument
from gateway.calendar import Calendar
from gateway.calibrating import check_of
from gateway.calibration import Book, Meter, doubts
from gateway.catalogue import say
from gateway.config import Config
from gateway.errors import Refused
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.reader import EventReader
from gateway.minutes import MINUTE_S, Period, Sum
from gateway.moment import NANO
from gateway.periods import Periods
from gateway.reports.heard import Aside, Heard
from gateway.rules import Rule
from gateway.sources.choice import bind
from gateway.values import Event

PAGE = 500


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
    events: tuple[Mapping[str, Any], ...]  # of the span, as they were sent
    heads: Mapping[str, Mapping[str, Any]]  # stream: run, seq and hash of the record's last event
    checks: Book


def configuration(state: Path, path: Path | None) -> tuple[Config, str]:
    """The file that is named, else the last good one of the state directory. Raises Refused, ConfigError."""
    data = path.read_bytes() if path is not None else next(iter(last_good.recall(state)), None)
    if data is None:
        raise Refused(say("there is no configuration in {path}: name one with --config", path=state))
    checked = settings.check_bytes(data, path or state / last_good.NAMES[0])
    if checked.config is None:
        raise Refused(say("the configuration cannot be used: venue-gateway check says why"))
    return checked.config, checked.sha256


def gather(
    state: Path, config: Config, sha256: str, start: datetime, end: datetime, wanted: Sequence[str] = ()
) -> Material:
    """Everything from `start` to `end` (aware). `wanted`: devices or places; none: all. Raises Unavailable, Refused."""
    start_s, end_s = int(start.timestamp()) // 60 * 60, -(-int(end.timestamp()) // 60) * 60
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
    events, heads, book = _events(state, start_s, end_s)
    periods = Periods(config)
    heards = {name: Heard(periods.within(start_s, end_s), _asides(book, name)) for name in chosen}
    weather = _listen(state, start_s, end_s, heards)
    rules = rule_sets.build(config, instruments)
    levels = []
    for name, each in chosen.items():
        meter = Meter(each.driver.evidence, config.certificate.get(name))
        why = tuple(doubts(meter, book, name, (start_s, end_s), end.date()))
        mine = tuple(rule for rule in rules if rule.point.partition("/")[0] == name)
        whole = heards[name].figures(None, (end_s - start_s) // MINUTE_S)
        place = config.device[name].place
        levels.append(Level(name, each.driver.title, place, meter, why, mine, heards[name], whole))
    return Material(config, sha256, calendar, periods, start_s, end_s, tuple(levels), weather, events, heads, book)


def _asides(book: Book, name: str) -> list[Aside]:
    """Minutes that are no measurement of the venue."""
    return [Aside("calibration", book.calibrating(name)), Aside("calibration-void", book.void(name))]


def _is_wanted(name: str, place: str, wanted: Sequence[str]) -> bool:
    return not wanted or name in wanted or (bool(place) and place in wanted)


def _listen(state: Path, start_s: int, end_s: int, heards: Mapping[str, Heard]) -> dict[str, Period]:
    """Every record once, to the device that it is of; the weather's, put together."""
    weather: dict[str, Sum] = {}
    reader = MinutesReader(state)
    for minute in reader.between(start_s, end_s):
        device, _, name = minute.point.partition("/")
        if device in heards and noise.is_noise(minute.point):
            heards[device].add(name, minute)
        elif name.startswith(("wind_speed", "rain")):
            weather.setdefault(minute.point, Sum()).add(minute)
    reader.close()
    return {point: each.period() for point, each in weather.items()}


def _events(
    state: Path, start_s: int, end_s: int
) -> tuple[tuple[Mapping[str, Any], ...], dict[str, Mapping[str, Any]], Book]:
    reader = EventReader(state)
    bodies = [(event.at.wall_ns / NANO, json.loads(event.body)) for event in _all(reader)]
    found = [body for at_s, body in bodies if start_s <= at_s < end_s]
    checks = [check for _, body in bodies if (check := check_of(body)) is not None]
    heads: dict[str, Mapping[str, Any]] = {
        stream: {"run": h.run, "seq": h.seq, "hash": h.hash} for stream, h in reader.last()[1].items()
    }
    reader.close()
    return tuple(found), heads, Book(checks)


def _all(reader: EventReader) -> Iterator[Event]:
    page = reader.after(0, PAGE)
    while page:
        yield from page
        page = reader.after(page[-1].number, PAGE)
