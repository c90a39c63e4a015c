"""Which days are meant: weekdays, dates and months of the venue's calendar, each day from midnight to midnight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY = timedelta(days=1)
_FAR = 366  # days: a run that is longer than this either way has no end that people need to know


@dataclass(frozen=True, slots=True)
class Dates:
    """From the first to the last, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}/{self.last}"


@dataclass(frozen=True, slots=True)
class Days:
    """A day counts when it is one of the weekdays, of the dates or of the months; nothing given: every day."""

    weekdays: tuple[Weekday, ...] = ()
    dates: tuple[Dates, ...] = ()
    months: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.weekdays or self.dates or self.months)

    def __contains__(self, day: date) -> bool:
        return (
            not self
            or WEEKDAYS[day.weekday()] in self.weekdays
            or day.month in self.months
            or any(each.first <= day <= each.last for each in self.dates)
        )

    def run(self, day: date) -> tuple[date | None, date | None]:
        """First and last of the unbroken run of such days that `day` is in; None for an end further than a year off."""
        return self._end(day, -_DAY), self._end(day, _DAY)

    def _end(self, day: date, step: timedelta) -> date | None:
        outside = next((each for each in _walk(day, step) if each not in self), None)
        return None if outside is None else outside - step


def _walk(day: date, step: timedelta) -> Iterator[date]:
    for count in range(1, _FAR + 1):
        yield day + count * step


EVERY_DAY = Days()
