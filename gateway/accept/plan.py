"""What is to be accepted, as the running gateway knows it. Pure reading of the venue; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.quantities import Stream
from gateway.accept.plausible import plausible
from gateway.alarm.book import Page
from gateway.alarm.words import drill_of
from gateway.board import unit_of
from gateway.day.trial import NOTES
from gateway.day.trials import stations_of
from gateway.moment import Moment
from gateway.venue import Venue

# Which alarm of a stream and severity is drilled for the others: what fails most often, where there is one.
FIRST = ("device", "bus", "wire")


def plan(venue: Venue, status: Mapping[str, Any], now: Moment) -> dict[str, Any]:
    """Devices and what they say, contacts, rules and other alarms, brokers, stations; for `venue-gateway accept`.

    `status`: `answers.py`.
    """
    return {
        "venue": status["venue"],
        "name": venue.config.venue.name,
        "simulated": status["simulated"],
        "time": status["time"],
        "clock": status["clock"],
        "stage": status["stage"],
        "configuration": status["configuration"],
        "devices": {name: _device(venue, name, said, now) for name, said in status["devices"].items()},
        "contacts": {
            name: {
                "kind": watch.config.kind,
                "place": watch.config.place,
                "state": watch.state.value,
                "one_pin": watch.custody and watch.config.pin_other is None,
                "drill": drill_of(name),
                "stations": stations_of(venue.config, watch.stream),
            }
            for name, watch in venue.watches.items()
        },
        "rules": {
            name: {
                "place": rule.place,
                "stations": stations_of(venue.config, rule.stream),
                "measured": venue.points.measured(name, now),
            }
            for name, rule in venue.points.rules.items()
        },
        "others": _others(venue),
        "brokers": status["brokers"],
        "storage": status["storage"],
        "standing": [page.definition.name for page in venue.book.standing()],
        "heads": {str(s): {"seq": head.seq, "hash": head.hash} for s, head in venue.book.chain.heads.items()},
        "key": venue.book.identity.public,
    }


def _others(venue: Venue) -> dict[str, Any]:
    """By stream, the alarms that are of no contact and no rule; of each severity one, that is drilled for them all."""
    known = {name for watch in venue.watches.values() for name in watch.alarms} | venue.points.rules.keys()
    found: dict[Stream, list[Page]] = {}
    for name, page in venue.book.pages.items():
        definition = page.definition
        if name not in known and not definition.drill and definition.kind not in NOTES:
            found.setdefault(definition.stream, []).append(page)
    return {
        stream: {"count": len(those), "drills": _one_each(those), "stations": stations_of(venue.config, stream)}
        for stream, those in found.items()
    }


def _one_each(those: list[Page]) -> list[str]:
    """Of each severity the first that does not stand in earnest: that could not be drilled."""
    chosen: dict[str, str] = {}
    for page in sorted(those, key=lambda each: (each.alarm.standing, each.definition.kind not in FIRST)):
        chosen.setdefault(page.definition.severity, page.definition.name)
    return list(chosen.values())


def _device(venue: Venue, name: str, said: str, now: Moment) -> dict[str, Any]:
    board = venue.points.board
    points = []
    for point in board.measured(name):
        seen = board.seen(point, now)
        value = None if seen.value is None else round(seen.value, 2)
        said_of = {"point": point, "value": value, "unit": unit_of(point), "quality": seen.quality.value}
        points.append(said_of | {"plausible": plausible(point, value)})
    return {"said": said, "place": venue.health.devices[name].place, "points": points}
