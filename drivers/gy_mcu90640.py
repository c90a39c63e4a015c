"""GY-MCU90640: infrared picture of 32 x 24 points with a serial port, 115200 8N1; 1544 bytes a picture.

    5A 5A  02 06  768 words  AA AA  SS SS

- 02 06: number of bytes before the sum, without these four: 1538, little-endian, as every word here.
- words: 0.01 degC, signed. AA AA: itself, likewise.
- SS SS: sum of the words before it, the head's among them, 16 bit. This rule is not confirmed by a maker's text:
  `sum` in the configuration can make it a sum of bytes, or pass over it, and then a value counts when a second
  agrees.

    A5 35 01 DB   one picture       A5 35 02 DC   pictures without end
    A5 15 nn SS   01 9600, 02 115200, 03 460800 baud
    A5 25 nn SS   00 0.5, 01 1, 02 2, 03 4, 04 8 pictures a second        SS: sum of the three bytes before it

The points are the hottest and the coldest of the picture: surfaces, passed on as they are.
Source: a published program for gates that use this module; the frame's layout agrees with a second one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial

from drivers._options import Options
from drivers._values import within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.errors import BadChecksum, BadFrame
from drivers.frames import whole

HEAD = b"\x5a\x5a\x02\x06"
POINTS = 768
SIZE = len(HEAD) + 2 * POINTS + 4
BAUDS = {9600: 0x01, 115200: 0x02, 460800: 0x03}
RATES = {0.5: 0x00, 1.0: 0x01, 2.0: 0x02, 4.0: 0x03, 8.0: 0x04}
_PICTURE = struct.Struct(f"<{POINTS}h")


def command(code: int, value: int) -> bytes:
    return bytes((0xA5, code, value, (0xA5 + code + value) & 0xFF))


ONCE, CONTINUOUS = command(0x35, 0x01), command(0x35, 0x02)


@lru_cache(maxsize=1)  # the reader and the decoder both ask about the same picture
def sum_of_words(data: bytes) -> bytes:
    low, high = sum(data[0 : SIZE - 2 : 2]), sum(data[1 : SIZE - 2 : 2])  # twice as fast as taking words apart
    return (low + (high << 8) & 0xFFFF).to_bytes(2, "little")


def sum_of_bytes(data: bytes) -> bytes:
    return (sum(data[: SIZE - 2]) & 0xFFFF).to_bytes(2, "little")


SUMS: dict[str, Callable[[bytes], bytes] | None] = {"words": sum_of_words, "bytes": sum_of_bytes, "none": None}


def framing(check: Callable[[bytes], bytes] | None) -> Framing:
    def frame(data: bytes) -> int:
        if data[:4] != HEAD[: len(data)]:
            raise BadFrame(f"no picture begins with {data[:4].hex(' ')!r}")
        if len(data) < SIZE:
            return 0
        if check is not None and check(data) != data[SIZE - 2 : SIZE]:
            raise BadChecksum("the sum of the picture does not fit")
        return SIZE

    return frame


def decode(frame: Framing, replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    picture = _PICTURE.unpack_from(data, len(HEAD))
    own = int.from_bytes(data[SIZE - 4 : SIZE - 2], "little", signed=True)
    return [
        within("object_temperature", max(picture) / 100, -40, 300, "max"),
        within("object_temperature", min(picture) / 100, -40, 300, "min"),
        within("ambient_temperature", own / 100, -40, 85),
    ]


def encode(check: Callable[[bytes], bytes] | None, values: Mapping[str, float]) -> tuple[bytes, ...]:
    """A picture of which the first point is the hottest and all others are the coldest."""
    hot = values.get("object_temperature_max", 33.0)
    cold = min(hot, values.get("object_temperature_min", 25.0))
    picture = [round(hot * 100)] + [round(cold * 100)] * (POINTS - 1)
    data = HEAD + _PICTURE.pack(*picture) + struct.pack("<h", round(values.get("ambient_temperature", 25.0) * 100))
    return (data + (check(data + b"\0\0") if check else b"\0\0"),)


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("gy_mcu90640", address, given)
    mode = options.one_of("mode", ("asked", "continuous"), "asked")
    baud = options.one_of("baud", tuple(BAUDS), 115200)
    rule = options.one_of("sum", tuple(SUMS), "words")
    options.end()
    frame = framing(SUMS[rule])
    return replace(
        DRIVER,
        baud=baud,
        decode=partial(decode, frame),
        encode=partial(encode, SUMS[rule]),
        reads=(Read(frame, ONCE if mode == "asked" else b"", timeout_s=3.0),),
        start=() if mode == "asked" else (Read(frame, CONTINUOUS, pause_s=0.1, answered=False),),
        checked=rule != "none",
    )


_FRAME = framing(sum_of_words)
DRIVER = Driver(
    name="gy_mcu90640",
    title="GY-MCU90640 infrared picture, 32 x 24",
    points=("object_temperature_max", "object_temperature_min", "ambient_temperature"),
    decode=partial(decode, _FRAME),
    encode=partial(encode, sum_of_words),
    reads=(Read(_FRAME, ONCE, timeout_s=3.0),),
    baud=115200,
    every_s=0.5,
    warm_up_s=5.0,
    at=at,
    notes=(
        'Option: mode = "continuous" (pictures without end); the default "asked" asks for each.',
        'Option: sum = "words" (the default), "bytes" or "none": which rule the module uses is not confirmed.',
        "Option: baud = 9600, 115200 (the default) or 460800, as the module is set.",
        "The hottest point of the picture may be a lamp or a cup of tea: a screening value, passed on uncorrected.",
    ),
)
