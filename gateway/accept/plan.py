"""What is to be accepted, as the running gateway knows it. Pure reading of the venue; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.accept.plausible import plausible
from gateway.alarm.words import drill_of
from gateway.board import unit_of
from gateway.moment import Moment
from gateway.venue import Venue


def plan(venue: Venue, status: Mapping[str, Any], now: Moment) -> dict[str, Any]:
    """Devices and what they say, contacts, brokers, stations; for `venue-gateway accept`. `status`: `answers.py`."""
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
                "stations": [each.id for each in venue.config.station if watch.stream in each.streams],
            }
            for name, watch in venue.watches.items()
        },
        "brokers": status["brokers"],
        "storage": status["storage"],
        "standing": [page.definition.name for page in venue.book.standing()],
        "heads": {str(s): {"seq": head.seq, "hash": head.hash} for s, head in venue.book.chain.heads.items()},
        "key": venue.book.identity.public,
    }


def _device(venue: Venue, name: str, said: str, now: Moment) -> dict[str, Any]:
    board = venue.points.board
    points = []
    for point in board.measured(name):
        seen = board.seen(point, now)
        value = None if seen.value is None else round(seen.value, 2)
        said_of = {"point": point, "value": value, "unit": unit_of(point), "quality": seen.quality.value}
        points.append(said_of | {"plausible": plausible(point, value)})
    return {"said": said, "place": venue.health.devices[name].place, "points": points}
