"""Custody duties: what is to be entered, by when, and what is late or missing. Pure.

    due              grace              next entry
     |  duty is late  |  duty is missing  |
     +----------------+-------------------+-----> an entry closes it

A duty recurs `every` so long after the last entry, or has hours of the day (`at`). An entry covers the hour that is
outstanding; when none is, the next one, if it is made no more than `early` before it. Times `every` are monotonic.
Hours are the venue's clock's. After a restart the time since the last entry is what the wall clock says.

Where the times come from: facts of the 2004 rule 教考试〔2004〕2号 and provincial rules, as `docs/exam-day.md` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from gateway.configuration.config import Config
from gateway.configuration.day import DutyKind
from gateway.moment import NANO, ClockState, Moment

_DAY = timedelta(days=1)


class Standing(StrEnum):
    QUIET = "quiet"
    LATE = "late"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Duty:
    kind: DutyKind
    every_s: float | None = None
    at: tuple[time, ...] = ()
    early_s: float = 0.0
    grace_s: float = 0.0
    persons: int = 1
    tag: str | None = None


USUAL: Mapping[DutyKind, Duty] = {
    "patrol": Duty("patrol", every_s=1800.0, grace_s=300.0, persons=2),
    "half-day-check": Duty("half-day-check", at=(time(0), time(12)), early_s=43200.0, grace_s=900.0, persons=2),
    "replay": Duty("replay", at=(time(0), time(6), time(12), time(18)), grace_s=1800.0),
    "guard-change": Duty("guard-change", at=(time(8), time(20)), early_s=1800.0, grace_s=1800.0, persons=2),
    "daily-report": Duty("daily-report", at=(time(22),), early_s=21600.0, grace_s=0.0),
}


def duties(config: Config) -> dict[DutyKind, Duty]:
    """Those that [custody] asks for, with the times of their tables."""
    asked = () if config.custody is None else config.custody.duties
    return {kind: _duty(config, kind) for kind in asked}


def _duty(config: Config, kind: DutyKind) -> Duty:
    usual, table = USUAL[kind], config.duty.get(kind)
    if table is None:
        return usual
    if table.every is not None or table.at:
        usual = replace(usual, every_s=table.every, at=tuple(sorted(table.at)))
    return replace(
        usual,
        early_s=usual.early_s if table.early is None else table.early,
        grace_s=usual.grace_s if table.grace is None else table.grace,
        persons=table.persons or usual.persons,
        tag=table.tag,
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """How far a duty is done. `covered`: the last entry, or the last hour that an entry stands for; at first, since
    when the duty is watched.
    """

    covered: Moment | None = None
    late: Moment | None = None  # the due time whose lateness was recorded
    missed: Moment | None = None  # … and whose absence was; nothing was entered since

    def to_json(self) -> dict[str, Any]:
        return {name: _written(getattr(self, name)) for name in ("covered", "late", "missed")}

    @classmethod
    def from_json(cls, written: Mapping[str, Any], now: Moment) -> Kept:
        """As kept by the run before. Raises KeyError, TypeError, ValueError for what is none."""
        return cls(*(_read(written[name], now) for name in ("covered", "late", "missed")))


def _written(at: Moment | None) -> dict[str, str] | None:
    return None if at is None else {"ns": str(at.wall_ns), "clock": at.clock.value}


def _read(written: Mapping[str, str] | None, now: Moment) -> Moment | None:
    """The time since is what the wall clock says, or nothing where that is negative."""
    if written is None:
        return None
    wall_ns = int(written["ns"])
    return Moment(wall_ns, now.mono_ns - max(0, now.wall_ns - wall_ns), ClockState(written["clock"]))


def due(duty: Duty, kept: Kept, since: Moment, now: Moment, zone: tzinfo) -> Moment:
    """When the next entry is due; what is known to be missing is not due again. `since`: when custody began."""
    marks = [at for at in (kept.covered, kept.missed) if at is not None]
    if duty.every_s is not None:
        return max((since, *marks), key=lambda at: at.mono_ns).after(duty.every_s)
    # A clock set back must not leave a duty covered for days.
    latest_ns = _following(duty, now.wall_ns, zone)
    begun_ns = max((since.wall_ns, *(min(at.wall_ns, latest_ns) for at in marks)))
    return _at(_following(duty, begun_ns, zone), now)


def standing(duty: Duty, due_at: Moment, now: Moment) -> Standing:
    """How a duty stands that was due then."""
    over_s = now.seconds_since(due_at)
    if over_s < 0:
        return Standing.QUIET
    return Standing.LATE if over_s < duty.grace_s else Standing.MISSING


def entered(duty: Duty, kept: Kept, since: Moment, now: Moment, zone: tzinfo) -> Kept | None:
    """After an entry; None when nothing was outstanding or near, so that it stands beside the duty."""
    if duty.every_s is not None:
        return Kept(covered=now)
    next_due = due(duty, kept, since, now, zone)
    if kept.missed is not None or now.seconds_since(next_due) >= 0:
        return Kept(covered=_at(_before(duty, now.wall_ns, zone), now))
    return Kept(covered=next_due) if now.seconds_since(next_due) >= -duty.early_s else None


def _following(duty: Duty, wall_ns: int, zone: tzinfo) -> int:
    """The first of the duty's hours after a time."""
    return min(each for each in _hours(duty, wall_ns, zone) if each > wall_ns)


def _before(duty: Duty, wall_ns: int, zone: tzinfo) -> int:
    """The last of the duty's hours up to a time."""
    return max(each for each in _hours(duty, wall_ns, zone) if each <= wall_ns)


def _hours(duty: Duty, wall_ns: int, zone: tzinfo) -> list[int]:
    """Yesterday's, today's and tomorrow's."""
    today = datetime.fromtimestamp(wall_ns / NANO, tz=zone).date()
    days = (today - _DAY, today, today + _DAY)
    return [round(datetime.combine(day, at, zone).timestamp()) * NANO for day in days for at in duty.at]


def _at(wall_ns: int, now: Moment) -> Moment:
    return Moment(wall_ns, now.mono_ns + wall_ns - now.wall_ns, now.clock)
