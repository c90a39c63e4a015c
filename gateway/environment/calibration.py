"""Whether a sound level meter's results are evidence: its certificate, and the field checks before and after. Pure.

A field check is the level that the meter shows with an acoustic calibrator on its microphone (94.0 dB at 1 kHz). Two
checks that follow each other and differ by more than 0.5 dB void everything between them; after the last check nothing
is proven yet. Who adjusts the meter after a check says what it shows then: the next check is compared with that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Literal

from gateway.configuration.noise import Certificate

REFERENCE_DB = 94.0
MOST_DRIFT_DB = 0.5
OFF_S = 30  # after the entry, within which the calibrator comes off the microphone

NO_METER = "not-a-sound-level-meter"  # a transmitter: by its driver
NO_CERTIFICATE = "no-certificate"
EXPIRED = "certificate-expired"
VOID = "calibration-void"
UNCHECKED = "calibration-not-checked"

State = Literal["good", "void", "open", "none"]


@dataclass(frozen=True, slots=True)
class Check:
    """One field check. `at_s`: seconds since 1970. `lasted_s`: how long before that the calibrator was on."""

    device: str
    at_s: int
    level: float
    reference: float = REFERENCE_DB
    adjusted: float | None = None
    by: str = ""
    note: str | None = None
    lasted_s: int = 0

    @property
    def deviation(self) -> float:
        """From the calibrator's level, dB."""
        return round(self.level - self.reference, 2)

    @property
    def left_at(self) -> float:
        """How far the meter was off when people went away."""
        return self.deviation if self.adjusted is None else round(self.adjusted - self.reference, 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """Between two checks of a device, or after the last one (`end` None)."""

    start: Check
    end: Check | None

    @property
    def drift(self) -> float | None:
        """dB, from the one to the other."""
        return None if self.end is None else round(self.end.deviation - self.start.left_at, 2)

    @property
    def state(self) -> State:
        if self.drift is None:
            return "open"
        return "void" if abs(self.drift) > MOST_DRIFT_DB else "good"


class Book:
    """The field checks of all devices, in the order of time."""

    def __init__(self, checks: Iterable[Check]) -> None:
        self._checks = sorted(checks, key=lambda check: check.at_s)

    def of(self, device: str) -> list[Check]:
        return [check for check in self._checks if check.device == device]

    def intervals(self, device: str) -> list[Interval]:
        own = self.of(device)
        return [Interval(a, b) for a, b in pairwise(own)] + [Interval(check, None) for check in own[-1:]]

    def state(self, device: str, start_s: int, end_s: int) -> State:
        """Of everything measured from `start_s` to `end_s`: the worst of it; none: nothing was checked before it."""
        touched = [
            i for i in self.intervals(device) if i.start.at_s < end_s and (i.end is None or i.end.at_s > start_s)
        ]
        if any(interval.state == "void" for interval in touched):
            return "void"
        if not touched or touched[0].start.at_s > start_s:
            return "none"
        return "open" if any(interval.state == "open" for interval in touched) else "good"

    def void(self, device: str) -> list[tuple[int, int]]:
        """Between checks that differ too much: nothing measured then is a result."""
        return [(i.start.at_s, i.end.at_s) for i in self.intervals(device) if i.end is not None and i.state == "void"]

    def calibrating(self, device: str) -> list[tuple[int, int]]:
        """When the calibrator was on: such minutes are no measurement of the venue (`noise.set_aside`)."""
        return [(check.at_s - check.lasted_s, check.at_s + OFF_S) for check in self.of(device) if check.lasted_s]


@dataclass(frozen=True, slots=True)
class Meter:
    """What is known of an instrument beside its levels. `evidence`: its driver says that it is of a class."""

    evidence: bool
    certificate: Certificate | None = None

    def doubts(self, on: date) -> tuple[str, ...]:
        """Why its results of a day are indicative only; empty: they are evidence as far as the instrument goes."""
        if not self.evidence:
            return (NO_METER,)
        if self.certificate is None:
            return (NO_CERTIFICATE,)
        return (EXPIRED,) if on > self.certificate.until else ()


def doubts(meter: Meter, book: Book, device: str, span: tuple[int, int], on: date) -> Sequence[str]:
    """Everything that makes the results of a span (seconds since 1970) indicative, checks included."""
    state = book.state(device, *span)
    checked = {"void": (VOID,), "none": (UNCHECKED,), "open": (UNCHECKED,), "good": ()}[state]
    return (*meter.doubts(on), *checked)
