"""HTPA 32x32 infrared module of attendance gates in its single-point mode, 115200 8N1.

    A5 05 01 BF   values by itself from now on        A5 05 00 BF   one answer

    head (4)  AA AA  HH HH  LL LL  BB BB  more ...

- bytes 4-11, big-endian, 0.1 degC: ambient, hottest, coldest, body as the module compensates it.
- What the head and the rest are is not known: `length`, and where known `head` and `tail` in hexadecimal, are taken
  from the delivered manual. Unless said, 13 bytes that begin A5 05 and end BF, as the commands do.
No check: head, tail, length, coldest <= hottest and range 10-45 degC are required, and a value counts when a second
agrees.
Source: one published program for gates, which reads bytes 4-11 (and then alters what it read: that is not done here).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from drivers._options import Options
from drivers._values import within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.errors import BadFrame
from drivers.frames import whole

BY_ITSELF, ONCE = b"\xa5\x05\x01\xbf", b"\xa5\x05\x00\xbf"
SHORTEST, LONGEST = 12, 64


def framing(head: bytes, length: int, tail: bytes) -> Framing:
    def frame(data: bytes) -> int:
        if data[: len(head)] != head[: len(data)]:
            raise BadFrame(f"the head is {data[: len(head)].hex(' ')!r}, not {head.hex(' ')!r}")
        if len(data) < length:
            return 0
        if data[length - len(tail) : length] != tail:
            raise BadFrame(f"the tail is not {tail.hex(' ')!r}")
        return length

    return frame


def decode(frame: Framing, replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    ambient, hottest, coldest, body = (n / 10 for n in struct.unpack_from(">4h", whole(frame, reply), 4))
    if coldest > hottest:
        raise BadFrame(f"coldest {coldest} above hottest {hottest}")
    return [
        within("body_temperature", body, 10, 45),
        within("object_temperature", hottest, 10, 45, "max"),
        within("object_temperature", coldest, 10, 45, "min"),
        within("ambient_temperature", ambient, 10, 45),
    ]


def encode(head: bytes, length: int, tail: bytes, values: Mapping[str, float]) -> tuple[bytes, ...]:
    body = values.get("body_temperature", 36.5)
    hottest = values.get("object_temperature_max", body)
    coldest = min(hottest, values.get("object_temperature_min", 25.0))
    numbers = (values.get("ambient_temperature", 25.0), hottest, coldest, body)
    data = head.ljust(4, b"\0") + struct.pack(">4h", *(round(n * 10) for n in numbers))
    return (data.ljust(length - len(tail), b"\0") + tail,)


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("htpa32", address, given)
    length = options.number("length", SHORTEST, LONGEST, 13)
    head = _hexadecimal("head", options.text("head", "a5 05"), 4)
    tail = _hexadecimal("tail", options.text("tail", "bf"), 4)
    options.end()
    size = int(length or SHORTEST)
    if size < SHORTEST + len(tail):
        raise ValueError(f"length of a htpa32 must be at least {SHORTEST + len(tail)} with a tail of {len(tail)} bytes")
    return build(head, size, tail)


def _hexadecimal(name: str, text: str, most: int) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise ValueError(f'{name} of a htpa32 must be bytes in hexadecimal, as "a5 05", not {text!r}') from None
    if not 1 <= len(data) <= most:
        raise ValueError(f"{name} of a htpa32 must be 1 to {most} bytes")
    return data


def build(head: bytes, length: int, tail: bytes) -> Driver:
    frame = framing(head, length, tail)
    return replace(
        DRIVER,
        decode=partial(decode, frame),
        encode=partial(encode, head, length, tail),
        reads=(Read(frame, ONCE),),
    )


_FRAME = framing(b"\xa5\x05", 13, b"\xbf")
DRIVER = Driver(
    name="htpa32",
    title="HTPA 32x32 infrared module of attendance gates",
    points=("body_temperature", "object_temperature_max", "object_temperature_min", "ambient_temperature"),
    decode=partial(decode, _FRAME),
    encode=partial(encode, b"\xa5\x05", 13, b"\xbf"),
    reads=(Read(_FRAME, ONCE),),
    baud=115200,
    every_s=0.5,
    warm_up_s=5.0,
    checked=False,
    at=at,
    notes=(
        "Options: length, head and tail of its answer, from the delivered manual: they are not known otherwise.",
        "Known from one published program only: compare it with a clinical thermometer before it is used.",
    ),
)
