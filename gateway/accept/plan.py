"""What is to be accepted, as the running gateway knows it. Pure reading of the engine; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.accept.plausible import plausible
from gateway.board import unit_of
from gateway.day.trial import drill_of
from gateway.moment import Moment

if TYPE_CHECKING:  # the answers ask us, and we read the engine
    from gateway.engine import Engine


def plan(engine: Engine, now: Moment) -> dict[str, Any]:
    """Devices with what they say, contacts, brokers, stations; for `venue-gateway accept`."""
    status = engine.answers.status(now)
    return {
        "venue": status["venue"],
        "name": engine.config.venue.name,
        "simulated": status["simulated"],
        "time": status["time"],
        "clock": status["clock"],
        "stage": status["stage"],
        "configuration": status["configuration"],
        "devices": {name: _device(engine, name, said, now) for name, said in status["devices"].items()},
        "contacts": {
            name: {
                "kind": watch.config.kind,
                "place": watch.config.place,
                "state": watch.state.value,
                "one_pin": watch.custody and watch.config.pin_other is None,
                "drill": drill_of(name),
                "stations": [each.id for each in engine.config.station if watch.stream in each.streams],
            }
            for name, watch in engine.watches.items()
        },
        "brokers": status["brokers"],
        "storage": status["storage"],
        "standing": [page.definition.name for page in engine.book.standing()],
        "heads": {str(s): {"seq": head.seq, "hash": head.hash} for s, head in engine.book.chain.heads.items()},
        "key": engine.book.identity.public,
    }


def _device(engine: Engine, name: str, said: str, now: Moment) -> dict[str, Any]:
    board = engine.points.board
    points = []
    for point in board.measured(name):
        seen = board.seen(point, now)
        value = None if seen.value is None else round(seen.value, 2)
        said_of = {"point": point, "value": value, "unit": unit_of(point), "quality": seen.quality.value}
        points.append(said_of | {"plausible": plausible(point, value)})
    return {"said": said, "place": engine.health.devices[name].place, "points": points}
