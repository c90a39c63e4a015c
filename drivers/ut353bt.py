"""UNI-T UT353BT sound level meter, Bluetooth LE: its notifications, decoded. There is no Bluetooth transport here.

    5E  ->  AA BB 10 01 3B  20 20 35 34 2E 37 64 42 41  3D  33 08  04 1E        "  54.7dBA" =

- 10: number of bytes after it. Nine characters of text; 3D; 33 slow or 34 fast; flags 08 maximum, 04 minimum, 01 hold,
  40 battery low; sum of all bytes before it, 16 bit, big-endian.
- In maximum, minimum and hold the number is not the level of now.
- Key commands `AA BB 04 30 key` + sum: 43 fast, 44 slow, 3F maximum, 40 minimum, 42 hold.
The first notification after connecting may be longer than 19 bytes; it is stepped over.
Source: captures published with an open-source reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read
from drivers.checks import sum16
from drivers.errors import BadChecksum, BadFrame
from drivers.frames import whole

HEAD = b"\xaa\xbb\x10\x01\x3b"
SIZE = 19
ASK = b"\x5e"
SPEEDS = {0x33: "las", 0x34: "laf"}
MODES = {0x01: "hold", 0x04: "minimum", 0x08: "maximum"}
_TEXT = re.compile(rb" *(-?\d{1,3}\.\d)dBA")


def key(code: int) -> bytes:
    body = bytes((0xAA, 0xBB, 0x04, 0x30, code))
    return body + sum16(body)


FAST, SLOW = key(0x43), key(0x44)


def frame(data: bytes) -> int:
    if data[:5] != HEAD[: len(data)]:
        raise BadFrame(f"not a notification of 19 bytes: {data[:5].hex(' ')!r}")
    if len(data) < SIZE:
        return 0
    if sum16(data[:17]) != data[17:SIZE]:
        raise BadChecksum("the sum of a UT353BT frame does not fit")
    return SIZE


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    point = SPEEDS.get(data[15])
    if data[14] != 0x3D or point is None:
        raise BadFrame(f"not a level: {data[14:17].hex(' ')!r}")
    match = _TEXT.fullmatch(data[5:14])
    if match is None:
        return [invalid(point, "the meter shows no number")]
    level = float(match[1])
    for bit, mode in MODES.items():
        if data[16] & bit:
            return [invalid(point, f"the meter is in {mode} mode", level)]
    return [within(point, level, 30, 130)]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    speed, point = (0x33, "las") if "las" in values and "laf" not in values else (0x34, "laf")
    data = HEAD + f"{values.get(point, 40.0):6.1f}dBA=".encode() + bytes((speed, 0))
    return (data + sum16(data),)


DRIVER = Driver(
    name="ut353bt",
    title="UNI-T UT353BT sound level meter (frames only)",
    points=("laf", "las"),
    decode=decode,
    encode=encode,
    reads=(Read(frame, ASK),),
    notes=(
        "It speaks over Bluetooth LE, for which there is no transport: a bridge must hand its bytes to a serial port.",
        "Of no accuracy class: for orientation, not for evidence.",
    ),
)
