"""PiJuice uninterruptible supply; I2C address 0x14.

    40  ->  SS XX          status          41  ->  CC XX          charge in %
    49  ->  LL HH XX       battery in mV, little-endian

- XX: FF exclusive-or every byte before it. A known fault of the bus turns the top bit of the first byte over while
  XX is right: that is a bad check here, and not repaired.
- SS: bits 3-2 battery (0 normal, 1 charged from its own input, 2 from the Pi's, 3 absent), 5-4 its USB input, 7-6 the
  Pi's 5 V (0 absent, 1 bad, 2 weak, 3 present). On battery: neither input is weak or present.
Source: PiJuice firmware's command list and its published Python interface.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers._values import invalid, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.checks import xor
from drivers.errors import BadChecksum
from drivers.frames import whole

ABSENT = 3
WEAK = 2


def framing(size: int) -> Framing:
    def frame(data: bytes) -> int:
        if len(data) < size:
            return 0
        if 0xFF ^ xor(data[: size - 1]) != data[size - 1]:
            raise BadChecksum(f"the check of a PiJuice register does not fit: {data[:size].hex(' ')!r}")
        return size

    return frame


byte_frame, word_frame = framing(2), framing(3)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    status, charge, cell = replies
    state = whole(byte_frame, status)[0]
    percent, volts = whole(byte_frame, charge)[0], int.from_bytes(whole(word_frame, cell)[:2], "little") / 1000
    on_battery = Measurement("on_battery", float((state >> 4 & 3) < WEAK and (state >> 6) < WEAK))
    if state >> 2 & 3 == ABSENT:
        return [on_battery, invalid("charge", "there is no battery"), invalid("voltage", "there is no battery")]
    return [on_battery, within("charge", percent, 0, 100), within("voltage", volts, 1, 6)]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    status = 0x00 if values.get("on_battery", 0.0) else 0xC4
    bodies = (
        bytes((status,)),
        bytes((round(values.get("charge", 100.0)),)),
        round(values.get("voltage", 4.1) * 1000).to_bytes(2, "little"),
    )
    return tuple(body + bytes((0xFF ^ xor(body),)) for body in bodies)


DRIVER = Driver(
    name="pijuice",
    title="PiJuice uninterruptible supply",
    points=("on_battery", "charge", "voltage"),
    decode=decode,
    encode=encode,
    reads=(
        Read(byte_frame, b"\x40", size=2),
        Read(byte_frame, b"\x41", size=2),
        Read(word_frame, b"\x49", size=3),
    ),
    transport="i2c",
    address=0x14,
    notes=("On 5 V through the Pi's own socket it sees that input, and not whether the mains behind it is there.",),
)
