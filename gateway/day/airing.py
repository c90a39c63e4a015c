"""Disinfection and airing of a room: start, end, an hour at least, the fall of CO2 as its proof, the door closed after.

Pure: `judge` says what an airing proves; nothing is proven by a point that gave no good value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.moment import Moment

OUTDOOR_PPM = 420.0  # what air outside holds: there is no falling below it
FALL_SHARE = 0.5  # of what is above that, so much must be gone
LITTLE_PPM = 600.0  # a room that is fresh already need not fall


@dataclass(frozen=True, slots=True)
class Proof:
    """What an airing was. `fell` None: CO2 was not known, so nothing is proven by it."""

    minutes: float
    long_enough: bool
    before_ppm: float | None
    after_ppm: float | None
    fell: bool | None

    @property
    def good(self) -> bool:
        return self.long_enough and self.fell is not False

    def details(self) -> dict[str, Any]:
        return {
            "minutes": round(self.minutes, 1),
            "long_enough": self.long_enough,
            "co2_before_ppm": self.before_ppm,
            "co2_after_ppm": self.after_ppm,
            "co2_fell": self.fell,
        }


def has_fallen(before_ppm: float, after_ppm: float) -> bool:
    """Whether CO2 fell as it does in an aired room, or the room is fresh."""
    excess = before_ppm - OUTDOOR_PPM
    return after_ppm <= LITTLE_PPM or after_ppm - OUTDOOR_PPM <= (1 - FALL_SHARE) * excess


def judge(start: Moment, end: Moment, before_ppm: float | None, after_ppm: float | None, at_least_s: float) -> Proof:
    length_s = end.seconds_since(start)
    fell = None
    if before_ppm is not None and after_ppm is not None:
        fell = has_fallen(before_ppm, after_ppm)
    return Proof(length_s / 60, length_s >= at_least_s, before_ppm, after_ppm, fell)
