"""Melexis MLX90614 / GY-906 infrared thermometer on SMBus, address 0x5A, at most 100 kHz.

    B4 cmd B5  ->  LL HH PP      commands: 06 itself, 07 what it looks at, 08 the second field (dual zone types)

- HH LL: 0.02 K a step; bit 15 = the sensor's own error flag. PP: CRC-8 (poly 07, start 0) over both addresses, the
  command and the data, so that noise on long wires shows.
- Objects -70.01 to 382.19 degC (27AD to 7FFF), itself -40 to 125 degC.
Ready 250 ms after power-up. It reads a surface, not a body, and is passed on as it is. Emissivity is in its EEPROM,
as the factory or the module's maker set it. DCI types look at 5 degrees, BAA at 90: those only within 2 cm.
Source: Melexis MLX90614 datasheet, revision 013, chapter 8.4. `B4 07 B5` + `D2 3A` -> PEC 30: 3AD2 = 28.01 degC.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.checks import crc8
from drivers.errors import BadChecksum
from drivers.frames import whole

SIZE = 3
ITSELF, OBJECT, SECOND = 0x06, 0x07, 0x08
ERROR_FLAG = 0x80
PLACES = {ITSELF: ("ambient_temperature", "", -40.0, 125.0), OBJECT: ("object_temperature", "", -70.01, 382.19)}
PLACES[SECOND] = ("object_temperature", "2", -70.01, 382.19)


def pec(address: int, command: int, data: bytes) -> int:
    return crc8(bytes((address << 1, command, address << 1 | 1)) + data, poly=0x07, start=0)


def framing(address: int, command: int) -> Framing:
    def frame(data: bytes) -> int:
        if len(data) < SIZE:
            return 0
        if pec(address, command, data[:2]) != data[2]:
            raise BadChecksum("the PEC does not fit")
        return SIZE

    return frame


def decode(frames: tuple[Framing, ...], commands: tuple[int, ...], replies: tuple[bytes, ...]) -> list[Measurement]:
    return [
        _value(command, whole(frame, reply)) for frame, command, reply in zip(frames, commands, replies, strict=True)
    ]


def _value(command: int, data: bytes) -> Measurement:
    quantity, channel, low, high = PLACES[command]
    if data[1] & ERROR_FLAG:
        return invalid(quantity, "the sensor's error flag is set", channel=channel)
    return within(quantity, round((data[1] << 8 | data[0]) * 0.02 - 273.15, 2), low, high, channel)


def encode(address: int, commands: tuple[int, ...], values: Mapping[str, float]) -> tuple[bytes, ...]:
    replies = []
    for command in commands:
        celsius = values.get(_point(command), 25.0)
        data = round((celsius + 273.15) / 0.02).to_bytes(2, "little")
        replies.append(data + bytes((pec(address, command, data),)))
    return tuple(replies)


def _point(command: int) -> str:
    quantity, channel, _, _ = PLACES[command]
    return f"{quantity}_{channel}" if channel else quantity


def build(address: int, dual: bool) -> Driver:
    commands = (OBJECT, ITSELF, SECOND) if dual else (OBJECT, ITSELF)
    frames = tuple(framing(address, command) for command in commands)
    return Driver(
        name="mlx90614",
        title="Melexis MLX90614 / GY-906 infrared thermometer",
        points=tuple(_point(command) for command in commands),
        decode=partial(decode, frames, commands),
        encode=partial(encode, address, commands),
        reads=tuple(Read(f, bytes((c,)), size=SIZE) for f, c in zip(frames, commands, strict=True)),
        transport="i2c",
        address=address,
        every_s=0.1,
        warm_up_s=0.25,
        at=at,
        notes=(
            "Option: dual = true for types with two fields (BCC and others of the second letter C).",
            "The bus may run at 100 kHz at most, which is what a Pi does unless told otherwise.",
            "It reads a surface, not a body: a screening value, passed on uncorrected.",
            "For a gate take a DCI type (5 degrees); a BAA looks at 90 degrees and sees the wall.",
        ),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("mlx90614", address, given)
    chosen = options.address(range(1, 128), 0x5A)
    dual = options.flag("dual", default=False)
    options.end()
    return build(chosen, dual)


DRIVER = build(0x5A, dual=False)
