"""From a stream of object temperatures to people: one person, one measurement. Pure.

Whoever walks by is a peak: the value rises over `present_above` by at least `dip`, and the person is over when it has
fallen by `dip` from its highest, or below `present_above`. So people who follow each other closely, with no wall to be
seen between them, are still two; and noise smaller than `dip` makes nobody out of nothing. The measurement is the
highest raw value; the compensated one (distance, ambient temperature: set from the instrument's papers) stands beside
it and is what is judged. Nothing is ever "corrected" towards normal.

Judged to one decimal, half up, as instruments show it: below threshold - error passes, from threshold + error on is
over, between the two is undecided. With 37.3 and 0.2: 37.1 to 37.4 are undecided. Whoever does not pass is measured a
second time, and so is who seems to be hotter than anybody is: a forehead in the sun may hide a fever.
Source: the exam rules of 2020-2022; GB/T 21417.1-2008 for the error of 0.2 degC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gateway.configuration.screening import Screening
from gateway.moment import Moment

Verdict = Literal["passed", "undecided", "over", "implausible"]


@dataclass(frozen=True, slots=True)
class Person:
    """Who walked by: when, and how warm. Never who."""

    at: Moment  # of the highest value
    raw: float  # degC, as measured
    ambient: float | None
    value: float  # degC, compensated: equal to `raw` unless a compensation is configured
    verdict: Verdict
    samples: int
    again: bool = False  # to be measured a second time


def tenths(value: float) -> int:
    """To one decimal, half up, in tenths of a degree; of a value of two decimals at most, so that 37.25 is 373."""
    return math.floor((round(value * 100) + 5) / 10)


def judge(value: float, settings: Screening) -> Verdict:
    if not settings.plausible_from <= value < settings.plausible_to:
        return "implausible"
    seen, threshold, error = tenths(value), tenths(settings.threshold), tenths(settings.error)
    if seen < threshold - error:
        return "passed"
    return "undecided" if seen < threshold + error else "over"


def to_be_repeated(value: float, verdict: Verdict, settings: Screening) -> bool:
    """Whether a second measurement must say what this one does not."""
    return verdict in ("undecided", "over") or value >= settings.plausible_to


def compensated(raw: float, ambient: float | None, settings: Screening) -> float:
    """Raw plus what the instrument's papers say of distance and ambient temperature; to 0.01 degC."""
    cold = 0.0 if ambient is None else (settings.ambient_reference - ambient) * settings.ambient_coefficient
    return round(raw + settings.offset + cold, 2)


class Peaks:
    """One thermometer's stream. Memory and time a sample are constant."""

    def __init__(self, settings: Screening, every_s: float) -> None:
        self._settings = settings
        self._gap_s = max(3 * every_s, 1.0)  # silence for so long, and nobody is there any more
        self._low: float | None = None  # the lowest since the last person
        self._first: Moment | None = None  # of the person who is there now
        self._best: tuple[Moment, float, float | None] | None = None
        self._last: Moment | None = None
        self._samples = 0
        self.standing = False  # warm for longer than a person takes: the sun, a lamp, a wall

    @property
    def free(self) -> bool:
        """The last value was of nobody, and it is not long ago."""
        return self._last is not None and self._first is None

    def add(self, at: Moment, raw: float, ambient: float | None) -> Person | None:
        """One good sample; the person who is over with it, if any."""
        over = self.silence(at)
        self._last = at
        settings = self._settings
        if self._first is None or self._best is None:
            self._arrive(at, raw, ambient)
            return over
        if raw <= self._best[1] - settings.dip or raw < settings.present_above:
            person = self._leave()
            self._low, self.standing = raw, False
            return person
        self._samples += 1
        if raw > self._best[1]:
            self._best = (at, raw, ambient)
        self.standing = at.seconds_since(self._first) > settings.longest
        return over

    def silence(self, now: Moment) -> Person | None:
        """The person whom a silent instrument leaves behind, if any."""
        if self._last is None or now.seconds_since(self._last) <= self._gap_s:
            return None
        self._low, self._last = None, None
        return self._leave()

    def _arrive(self, at: Moment, raw: float, ambient: float | None) -> None:
        low = raw if self._low is None else min(self._low, raw)
        begun = raw >= self._settings.present_above and (self._low is None or raw >= low + self._settings.dip)
        self._low = low
        if begun:
            self._first, self._best, self._samples = at, (at, raw, ambient), 1

    def _leave(self) -> Person | None:
        best, samples, standing = self._best, self._samples, self.standing
        self._first, self._best, self._samples, self.standing = None, None, 0, False
        if best is None:
            return None
        at, raw, ambient = best
        value = compensated(raw, ambient, self._settings)
        verdict = judge(value, self._settings)
        if (samples < 2 or standing) and verdict in ("passed", "implausible"):
            return (
                None  # a spike or a wall; what might be a fever is somebody until a second measurement says otherwise
            )
        return Person(at, raw, ambient, value, verdict, samples, to_be_repeated(value, verdict, self._settings))
