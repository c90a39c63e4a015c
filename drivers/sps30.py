"""Sensirion SPS30 dust sensor over its UART: SHDLC, 115200 8N1, 3.3 V signals, 5 V supply.

    7E  AD CM LL data ... CC  7E       to the sensor: address 0, command, length
    7E  AD CM SS LL data ... CC  7E    from it: SS state

- Between the flags 7E, 7D, 11 and 13 are sent as `7D` and the byte with bit 5 turned over (7E = `7D 5E`).
- CC: complement of the sum of all bytes between the flags, made before stuffing and stuffed itself.
- SS: bits 6-0 an error of the command (43 = not allowed in this state: it is measuring already); bit 7 = the sensor has
  found a fault in itself: fan speed, laser or fan (its status register, command D2, says which).
- `00` 01 03 starts measuring in floats, `01` stops, `03` reads, `56` cleans the fan for 10 s, in which values mean
  nothing.
- `D0` 03 asks for the serial number: up to 31 characters of text and a zero.
- Read: ten big-endian floats: PM1, PM2.5, PM4, PM10 in ug/m3; particles from 0.3 up to 0.5, 1, 2.5, 4, 10 um in 1/cm3;
  typical size in um. No data at all: no new value yet (there is one a second).
Warm after 8 to 30 s; until then zeros. Range 0-1000 ug/m3, 0-3000 1/cm3.
Source: Sensirion SPS30 datasheet, March 2020, chapter 5.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

from drivers._values import ZEROS, fractions, invalid, spoil, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.errors import BadChecksum, BadFrame, DeviceFault, NotReady
from drivers.frames import whole

FLAG, ESCAPE = 0x7E, 0x7D
STUFFED = {0x7E: 0x5E, 0x7D: 0x5D, 0x11: 0x31, 0x13: 0x33}
PLAIN = {bytes((code,)): bytes((byte,)) for byte, code in STUFFED.items()}
LONGEST = 2 * 46 + 2
START, STOP, READ, CLEAN, INFORMATION, STATUS, RESET = 0x00, 0x01, 0x03, 0x56, 0xD0, 0xD2, 0xD3
ERRORS = {
    0x01: "wrong data length",
    0x02: "unknown command",
    0x03: "no access right for this command",
    0x04: "illegal parameter",
    0x28: "argument out of range",
    0x43: "command not allowed in this state",
}
POINTS = ("pm1", "pm2_5", "pm4", "pm10")
SIZES = ("to_0_5", "to_1", "to_2_5", "to_4", "to_10")


def pack(*body: int) -> bytes:
    """Flags, checksum and stuffing round the bytes of a frame."""
    out = bytearray()
    for byte in (*body, ~sum(body) & 0xFF):
        out += bytes((ESCAPE, STUFFED[byte])) if byte in STUFFED else bytes((byte,))
    return bytes((FLAG, *out, FLAG))


def unpack(data: bytes) -> bytes:
    """The bytes between the flags, without stuffing and without the checksum, which fits."""
    out, *escaped = data[1:-1].split(bytes((ESCAPE,)))
    for piece in escaped:
        if piece[:1] not in PLAIN:
            raise BadFrame(f"7d {piece[:1].hex()} stands for nothing")
        out += PLAIN[piece[:1]] + piece[1:]
    if len(out) < 5 or out[3] != len(out) - 5:
        raise BadFrame(f"not a reply: {data[:8].hex(' ')!r}")
    if ~sum(out[:-1]) & 0xFF != out[-1]:
        raise BadChecksum("the checksum of an SHDLC frame does not fit")
    return out[:-1]


def command(code: int, *data: int) -> bytes:
    return pack(0, code, len(data), *data)


START_FLOAT = command(START, 0x01, 0x03)
CLEAN_FAN = command(CLEAN)
READ_SERIAL = command(INFORMATION, 0x03)
READ_STATUS = command(STATUS, 0x00)


def framing(code: int) -> Framing:
    """Replies to one command."""
    head = bytes((FLAG, 0, code))

    def frame(data: bytes) -> int:
        if data[:3] != head[: len(data)]:
            raise BadFrame(f"not a reply to command {code:02x}: {data[:3].hex(' ')!r}")
        end = data.find(FLAG, 1, LONGEST)
        if end < 0:
            if len(data) >= LONGEST:
                raise BadFrame("a frame without an end")
            return 0
        unpack(data[: end + 1])
        return end + 1

    return frame


frame = framing(READ)
serial_frame = framing(INFORMATION)


def identify(reply: bytes) -> str:
    """The serial number, as it is printed on the sensor."""
    body = unpack(whole(serial_frame, reply))
    text, end, _ = body[4:].partition(b"\0")
    if body[2] & 0x7F or not end or not text.isalnum():
        raise BadFrame(f"not a serial number: {body[4:]!r}")
    return text.decode("ascii")


def introduce(serial: str) -> bytes:
    data = serial.encode("ascii") + b"\0"
    return pack(0, INFORMATION, 0, len(data), *data)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    body = unpack(whole(frame, reply))
    state, data = body[2], body[4:]
    if state & 0x7F:
        raise DeviceFault(ERRORS.get(state & 0x7F, f"error {state & 0x7F:02x}"))
    if not data:
        raise NotReady("no new value yet")
    if len(data) != 40:
        raise BadFrame(f"{len(data)} bytes of data: the sensor was not started for floats")
    numbers = [round(number, 4) for number in struct.unpack(">10f", data)]
    if not all(map(math.isfinite, numbers)):
        return [_nothing(name, "not a number") for name in DRIVER.points]
    if not any(numbers):
        return [_nothing(name, ZEROS) for name in DRIVER.points]
    if not numbers[0] <= numbers[1] <= numbers[2] <= numbers[3]:
        raise BadFrame(f"PM1 to PM10 are {numbers[:4]}: a smaller fraction cannot exceed a larger one")
    found = [within(name, number, 0, 1000) for name, number in zip(POINTS, numbers, strict=False)]
    found += [within("particles", number, 0, 3000, size) for size, number in zip(SIZES, numbers[4:], strict=False)]
    found.append(within("particle_size", numbers[9], 0, 10))
    return spoil(found, "the sensor reports a fault: fan speed, laser or fan") if state & 0x80 else found


def _nothing(name: str, reason: str) -> Measurement:
    quantity, _, channel = name.partition("_to_")
    return invalid(quantity, reason, channel=f"to_{channel}" if channel else "")


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    """A frame with these values; what is not said of the fractions of PM is made to fit what is said."""
    pm1, pm2_5, pm10 = fractions(values)
    numbers = [pm1, pm2_5, min(max(values.get("pm4", pm2_5), pm2_5), pm10), pm10]
    numbers += [values.get(f"particles_{size}", 1 + 8 * pm2_5) for size in SIZES]
    numbers.append(values.get("particle_size", 0.5))
    return (pack(0, READ, 0, 40, *struct.pack(">10f", *numbers)),)


DRIVER = Driver(
    name="sps30",
    title="Sensirion SPS30",
    points=(*POINTS, *(f"particles_{size}" for size in SIZES), "particle_size"),
    decode=decode,
    encode=encode,
    reads=(Read(frame, command(READ)),),
    start=(Read(framing(START), START_FLOAT, pause_s=0.1, answered=False),),  # refused where it measures already
    identity=Read(serial_frame, READ_SERIAL),
    identify=identify,
    introduce=introduce,
    baud=115200,
    warm_up_s=30.0,
    notes=(
        "Its SEL pin stays open for the UART; pulled to ground it speaks I2C.",
        "It cleans its fan by itself once a week of running; for 10 s its values then mean nothing.",
    ),
)
