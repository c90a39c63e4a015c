"""Vibration: the level of an acceleration, with the frequency weighting that it has been given said beside it. Pure.

GB 10070-88 limits VLz: vertical, Z-weighted. A sensor that gives acceleration without that weighting gives another
level; it can point at something and is compared with nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

REFERENCE = 1e-6  # m/s2
Weighting = Literal["z", "none"]


@dataclass(frozen=True, slots=True)
class VibrationLevel:
    db: float  # re 1e-6 m/s2
    weighting: Weighting

    @property
    def name(self) -> str:
        """`VLz` is only what is weighted."""
        return "VLz" if self.weighting == "z" else "VL (not weighted)"


def level(acceleration: float, weighting: Weighting = "none") -> VibrationLevel | None:
    """Of an acceleration's root of the mean square in m/s2; None of 0 or less."""
    if acceleration <= 0:
        return None
    return VibrationLevel(20 * math.log10(acceleration / REFERENCE), weighting)


def acceleration(db: float) -> float:
    """m/s2 of a level re 1e-6 m/s2."""
    return REFERENCE * 10 ** (db / 20)
