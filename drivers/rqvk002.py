"""RQVK002 infrared module of attendance gates, 19200 8N1, talks by itself.

    5A ??  AA  BB  ??  A5

- AA: ambient temperature = 25.0 + AA / 10 degC; BB: body temperature, compensated by the module, = 36.0 + BB / 10 degC;
  both signed. So it cannot say less than 23.2 or more than 48.7 degC for a body.
- ??: not known.
No check: head, tail, length and range 10-45 degC are required, and a value counts when a second agrees. Whether a
negative number is in two's complement is not confirmed: below 36.0 the value may be 0.1 degC lower than the module
means.
Source: one published program for gates; no maker's text is known.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers._values import within
from drivers.base import Driver, Measurement, Read
from drivers.errors import BadFrame
from drivers.frames import whole

HEAD, TAIL, SIZE = 0x5A, 0xA5, 6
BODY, AMBIENT = 36.0, 25.0


def frame(data: bytes) -> int:
    if data and data[0] != HEAD:
        raise BadFrame(f"the head is {data[0]:02x}, not 5a")
    if len(data) < SIZE:
        return 0
    if data[5] != TAIL:
        raise BadFrame(f"the tail is {data[5]:02x}, not a5")
    return SIZE


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    return [
        within("body_temperature", round(BODY + _signed(data[3]) / 10, 1), 10, 45),
        within("ambient_temperature", round(AMBIENT + _signed(data[2]) / 10, 1), 10, 45),
    ]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    body = round((values.get("body_temperature", BODY) - BODY) * 10)
    ambient = round((values.get("ambient_temperature", AMBIENT) - AMBIENT) * 10)
    return (bytes((HEAD, 0, ambient & 0xFF, body & 0xFF, 0, TAIL)),)


def _signed(byte: int) -> int:
    return byte - 0x100 if byte & 0x80 else byte


DRIVER = Driver(
    name="rqvk002",
    title="RQVK002 infrared module of attendance gates",
    points=("body_temperature", "ambient_temperature"),
    decode=decode,
    encode=encode,
    reads=(Read(frame, timeout_s=3.0),),
    baud=19200,
    every_s=0.5,
    warm_up_s=5.0,
    checked=False,
    notes=(
        "Known from one published program only: compare it with a clinical thermometer before it is used.",
        "Its body temperature is the module's own compensation; the raw value is not sent.",
    ),
)
