"""Benetech GM1356 / WS1361 sound level meter, USB HID 64BD:74E3, reports of 8 bytes.

    B3 xx xx xx 00 00 00 00   asks (xx: any)         LL LL FF ?? ?? ?? ?? ??   answers
    56 FF 00 00 00 00 00 00   sets the flags         C4 ...                    acknowledges (may be lost)

- LL LL: level, big-endian, 0.1 dB (one published note says 0.01; its own program divides by ten).
- FF: 40 fast, 20 maximum held, 10 C weighting; low digit: range 0 = 30-130, 1 = 30-80, 2 = 50-100, 3 = 60-110,
  4 = 80-130 dB.
Ask at most every 500 ms. Reports have no number, so that /dev/hidraw* wants a 00 before what is written.
No check of its own; USB has one. Source: three independent open-source readers, and captured reports.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read
from drivers.errors import BadFrame
from drivers.frames import whole

SIZE = 8
FAST, MAX_HOLD, C_WEIGHTING = 0x40, 0x20, 0x10
RANGES = ((30, 130), (30, 80), (50, 100), (60, 110), (80, 130))
MEASURE = bytes((0, 0xB3, 0x4A, 0x4E, 0x5F, 0, 0, 0, 0))
HIGHEST = 1400  # 0.1 dB


def configure(flags: int) -> bytes:
    return bytes((0, 0x56, flags, 0, 0, 0, 0, 0, 0))


def frame(data: bytes) -> int:
    if len(data) < SIZE:
        return 0
    if data[0] << 8 | data[1] > HIGHEST or data[2] & 0x80 or data[2] & 0x0F >= len(RANGES):
        raise BadFrame(f"not a level: {data[:SIZE].hex(' ')!r}")
    return SIZE


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    level, flags = (data[0] << 8 | data[1]) / 10, data[2]
    point = "laf" if flags & FAST else "las"
    if flags & C_WEIGHTING:
        return [invalid(point, "the meter is set to C weighting")]
    if flags & MAX_HOLD:
        return [invalid(point, "the meter holds its maximum")]
    return [within(point, level, *RANGES[flags & 0x0F])]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    fast = "laf" in values or "las" not in values
    level, flags = (values.get("laf", 30.0), FAST) if fast else (values["las"], 0)
    return (round(level * 10).to_bytes(2, "big") + bytes((flags, 0, 0, 0, 0, 0)),)


DRIVER = Driver(
    name="gm1356",
    title="Benetech GM1356 / WS1361 sound level meter (USB)",
    points=("laf", "las"),
    decode=decode,
    encode=encode,
    reads=(Read(frame, MEASURE, size=SIZE),),
    start=(Read(frame, configure(FAST), size=SIZE, pause_s=0.2, answered=False),),
    transport="hid",
    every_s=0.5,
    warm_up_s=10.0,
    notes=(
        "It is set to A, fast, 30-130 dB at start; pressing its keys changes that, and then there is no value.",
        "A udev rule must let the gateway open /dev/hidraw* of 64bd:74e3.",
        "Of no accuracy class: for orientation, not for evidence.",
    ),
)
