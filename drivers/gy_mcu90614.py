"""GY-MCU90614 / GY-MCU90615: infrared thermometer with a serial port, 9600 8N1 (GY-MCU90615: 115200).

    5A 5A  45 04  OO OO  AA AA  SS

- OO OO: temperature of what it looks at, AA AA: of itself; 0.01 degC, big-endian, signed; stops at 327.67.
- SS: sum of all bytes before it, modulo 256.
- Frames of type 25 (emissivity) and 35 (offset) have the same head and are stepped over.

    A5 15 BA   answer once (below 10 Hz)        A5 45 EA   about 14 frames a second from now on
    A5 51 F6 / A5 52 F7   begin by itself at power-up, on / off        A5 AE 53 / A5 AF 54   9600 / 115200 baud
    (each ends in the sum of its two bytes; the last four act after power has been off)

What it reads is the temperature of a surface, not of a body: it is passed on as it is.
Source: GY-MCU90614 module manual, and captured frames. A newer look-alike whose frames begin 66 66 is not this device.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read
from drivers.checks import sum8
from drivers.errors import BadChecksum, BadFrame
from drivers.frames import whole

HEAD = b"\x5a\x5a\x45\x04"
SIZE = 9
SATURATED = 0x7FFF


def command(code: int) -> bytes:
    return bytes((0xA5, code, (0xA5 + code) & 0xFF))


ONCE, CONTINUOUS = command(0x15), command(0x45)
AUTO_ON, AUTO_OFF = command(0x51), command(0x52)
SET_BAUD = {9600: command(0xAE), 115200: command(0xAF)}


def frame(data: bytes) -> int:
    if data[:4] != HEAD[: len(data)]:
        raise BadFrame(f"no temperature frame begins with {data[:4].hex(' ')!r}")
    if len(data) < SIZE:
        return 0
    if sum8(data[:8]) != data[8]:
        raise BadChecksum("the sum of a GY-MCU frame does not fit")
    return SIZE


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    seen, own = struct.unpack_from(">hh", whole(frame, reply), 4)
    found = within("object_temperature", seen / 100, -70, 380)
    if seen == SATURATED:
        found = invalid("object_temperature", "beyond what the module can say", seen / 100)
    return [found, within("ambient_temperature", own / 100, -40, 125)]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    seen, own = values.get("object_temperature", 33.0), values.get("ambient_temperature", 25.0)
    data = HEAD + struct.pack(">hh", round(seen * 100), round(own * 100))
    return (data + bytes((sum8(data),)),)


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("gy_mcu90614", address, given)
    mode = options.one_of("mode", ("asked", "continuous"), "asked")
    baud = options.one_of("baud", tuple(SET_BAUD), 9600)
    options.end()
    if mode == "asked":
        return replace(DRIVER, baud=baud)
    start = (Read(frame, CONTINUOUS, pause_s=0.1, answered=False),)
    return replace(DRIVER, baud=baud, reads=(Read(frame),), start=start)


DRIVER = Driver(
    name="gy_mcu90614",
    title="GY-MCU90614 / GY-MCU90615 infrared thermometer",
    points=("object_temperature", "ambient_temperature"),
    decode=decode,
    encode=encode,
    reads=(Read(frame, ONCE),),
    every_s=0.2,
    warm_up_s=1.0,
    at=at,
    notes=(
        'Option: mode = "continuous" (about 14 frames a second by itself); the default "asked" asks for each.',
        "Option: baud = 115200 for a GY-MCU90615.",
        "It reads a surface, not a body: a screening value, passed on uncorrected.",
        "After it was carried to another room, its case needs 10 minutes to settle.",
    ),
)
