"""Convergence Instruments NSRT_mk3 / NSRT_mk4 Dev sound level meter, USB serial (0A59:0143, /dev/ttyACM*).

    request  CC CC CC CC  00 00 00 00  NN NN NN NN  [data]     command, address, number of bytes; little-endian
    reply    NN bytes to a read (bit 31 of the command is set), 06 to a write

- 80000010 level in dB, float; 80000011 Leq since it was last asked (asking begins a new one: exactly one reader);
  80000020 weighting, one byte: 0 C, 1 A, 2 Z; 80000022 time constant in s, float; the same without bit 31 to set them.
There is neither frame nor check: a reply is known by its length alone, and a value counts when a second agrees.
Weighting and time constant are read each time, so that a level is never called what it is not.
Source: NSRT_mk3 Dev user's manual, USB protocol; a published Python driver agrees.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import replace

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.errors import BadFrame
from drivers.frames import whole

LEVEL, LEQ, WEIGHTING, TIME_CONSTANT = 0x80000010, 0x80000011, 0x80000020, 0x80000022
IS_READ = 0x80000000
WEIGHTINGS = "CAZ"
SPEEDS = {"laf": 0.125, "las": 1.0}  # s
ACK = b"\x06"


def ask(command: int, count: int) -> bytes:
    return struct.pack("<III", command, 0, count)


def tell(command: int, data: bytes) -> bytes:
    return struct.pack("<III", command & ~IS_READ, 0, len(data)) + data


SET_A, SET_FAST = tell(WEIGHTING, b"\x01"), tell(TIME_CONSTANT, struct.pack("<f", 0.125))


def weighting_frame(data: bytes) -> int:
    if data and data[0] >= len(WEIGHTINGS):
        raise BadFrame(f"there is no weighting {data[0]}")
    return len(data[:1])


def ack_frame(data: bytes) -> int:
    if data and data[:1] != ACK:
        raise BadFrame(f"not acknowledged: {data[:1].hex()!r}")
    return len(data[:1])


def number_frame(low: float, high: float) -> Framing:
    def frame(data: bytes) -> int:
        if len(data) < 4:
            return 0
        value = struct.unpack_from("<f", data)[0]
        if not (math.isfinite(value) and low <= value <= high):
            raise BadFrame(f"{value} cannot be: the bytes are out of step")
        return 4

    return frame


level_frame = number_frame(-20, 150)
time_frame = number_frame(0.001, 100)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    weighting, time_constant, level, leq = replies
    kind = WEIGHTINGS[whole(weighting_frame, weighting)[0]]
    seconds = struct.unpack("<f", whole(time_frame, time_constant))[0]
    shown = struct.unpack("<f", whole(level_frame, level))[0]
    mean = struct.unpack("<f", whole(level_frame, leq))[0]
    if kind != "A":
        return [invalid("laeq", f"the meter is set to {kind} weighting")]
    found = [within("laeq", round(mean, 3), 0, 140)]
    for point, constant in SPEEDS.items():
        if math.isclose(seconds, constant, rel_tol=0.01):
            found.append(within(point, round(shown, 3), 0, 140))
    return found


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    point = next((point for point in SPEEDS if point in values), "")
    level = values.get(point, values.get("laeq", 40.0))
    return (
        b"\x01",
        struct.pack("<f", SPEEDS.get(point, 0.5)),
        struct.pack("<f", level),
        struct.pack("<f", values.get("laeq", level)),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("nsrt_mk3", address, given)
    configure = options.flag("configure", default=False)
    options.end()
    settings = (Read(ack_frame, send, pause_s=0.1, answered=False) for send in (SET_A, SET_FAST))
    return replace(DRIVER, start=tuple(settings) if configure else ())


DRIVER = Driver(
    name="nsrt_mk3",
    title="Convergence NSRT_mk3 / mk4 Dev sound level meter (USB)",
    points=("laeq", "laf", "las"),
    decode=decode,
    encode=encode,
    reads=(
        Read(weighting_frame, ask(WEIGHTING, 1)),
        Read(time_frame, ask(TIME_CONSTANT, 4)),
        Read(level_frame, ask(LEVEL, 4)),
        Read(level_frame, ask(LEQ, 4)),
    ),
    warm_up_s=10.0,
    checked=False,
    at=at,
    notes=(
        "Option: configure = true sets A weighting and 0.125 s (fast) at each start; else it is left as it is.",
        "Its Leq runs from one question to the next: no other program may ask for it.",
    ),
)
