"""What one table of the configuration cannot know of another. Each check yields all it finds; none stops another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.configuration.complaints import Problem
from gateway.configuration.config import Config
from gateway.configuration.consistency.contacts import alarm_names, contacts, pins
from gateway.configuration.consistency.devices import devices, drivers_of
from gateway.configuration.consistency.exam_day import exam_day
from gateway.configuration.consistency.far_sides import far_sides
from gateway.configuration.consistency.files import files
from gateway.configuration.consistency.noise import noise
from gateway.configuration.consistency.people import people, stations
from gateway.configuration.consistency.platforms import platforms
from gateway.configuration.consistency.rules import rules, sets
from gateway.configuration.consistency.screening import screening
from gateway.configuration.consistency.times import times, zone


def problems(config: Config, folder: Path) -> Iterator[Problem]:
    """Every problem between the tables. `folder` is where relative file names begin."""
    for check in (zone, times, contacts, pins, alarm_names, people, stations, far_sides, exam_day, sets):
        yield from check(config)
    yield from devices(config, folder)
    yield from rules(config, drivers_of(config, folder))
    yield from screening(config, drivers_of(config, folder))
    yield from noise(config, drivers_of(config, folder))
    yield from platforms(config, drivers_of(config, folder))
    yield from files(config, folder)
