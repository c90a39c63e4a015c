"""The configuration's tables of the exam day: custody duties, airing of rooms, the zero report, urgent changes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.configuration.types import Clock, Duration, Slug, Table

DutyKind = Literal["patrol", "half-day-check", "replay", "guard-change", "daily-report"]


class DutyTable(Table):
    """What differs from the usual times of a duty (`day/duties.py`). `every` or `at`, not both."""

    every: Duration | None = Field(default=None, gt=0)
    at: tuple[Clock, ...] = ()
    early: Duration | None = None  # an entry so long before its hour counts
    grace: Duration | None = None  # so long after it is late, and only then missing
    persons: Literal[1, 2] | None = None
    tag: Slug | None = None  # a contact of kind "patrol" that makes the entry


class Airing(Table):
    """A room that is aired after disinfection, and what proves it."""

    co2: str | None = None  # a point in ppm: "room-air/co2"
    door: Slug | None = None  # a contact that is closed afterwards
    at_least: Duration = 3600.0
    close_within: Duration = 900.0


class ZeroReport(Table):
    """Hours of the day at which the gateway says by itself that there is nothing to report, or that there is."""

    at: tuple[Clock, ...] = Field(min_length=1)


class Change(Table):
    """Why this file cannot wait until the session is over; each change needs its own words."""

    cannot_wait: str | None = None
