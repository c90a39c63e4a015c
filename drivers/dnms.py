"""DNMS digital noise measurement sensor (open hardware, Teensy), I2C address 0x55.

    00 03              closes the interval since it was last closed
    00 04  ->  00 01 CC                              1 = its values are ready
    00 05  ->  LL LL CC LL LL CC  x 3                LAeq, LAmin, LAmax of that interval

Each is a float sent as two words, high word first, each word with its CRC-8 (`_sensirion.py`). 10 s after power-up
it is ready. Source: DNMS firmware and readers published by its maker. Not of an accuracy class.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

from drivers import _sensirion
from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read
from drivers.errors import NotReady

CALCULATE, READY, VALUES = (_sensirion.command(code) for code in (3, 4, 5))
POINTS = ("laeq", "lamin", "lamax")
ready_frame, values_frame = _sensirion.framing(1), _sensirion.framing(6)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    _, ready, values = replies
    if _sensirion.words(ready_frame, ready) == (0,):
        raise NotReady("the interval's values are not ready")
    found = struct.unpack(">3f", struct.pack(">6H", *_sensirion.words(values_frame, values)))
    return [_level(point, level) for point, level in zip(POINTS, found, strict=True)]


def _level(point: str, level: float) -> Measurement:
    if not math.isfinite(level):
        return invalid(point, "not a number")
    return within(point, round(level, 3), 20, 130)


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    laeq = values.get("laeq", 40.0)
    levels = (laeq, values.get("lamin", laeq), values.get("lamax", laeq))
    return (b"", _sensirion.pack(1), _sensirion.pack(*struct.unpack(">6H", struct.pack(">3f", *levels))))


DRIVER = Driver(
    name="dnms",
    title="DNMS digital noise measurement sensor",
    points=POINTS,
    decode=decode,
    encode=encode,
    reads=(
        Read(ready_frame, CALCULATE, pause_s=0.3, answered=False),
        Read(ready_frame, READY, pause_s=0.01, size=3),
        Read(values_frame, VALUES, pause_s=0.01, size=18),
    ),
    transport="i2c",
    address=0x55,
    warm_up_s=10.0,
    notes=("Of no accuracy class: for orientation, not for evidence.",),
)
