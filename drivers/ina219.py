"""Texas Instruments INA219 voltage and current monitor of UPS boards; I2C address 0x40 to 0x4F.

    02  ->  BB BB      bus: bits 15-3 x 4 mV; bit 1 a conversion is ready; bit 0 overflow of the chip's own arithmetic
    01  ->  SS SS      shunt: signed x 10 uV, at most 320 mV either way

- Current = shunt voltage / resistance of the shunt, computed here: the chip's own calibration, lost at each dip of the
  supply, is not used. The resistance differs by board (0.1 or 0.01 ohm and others): without it there is no current.
- On most boards a negative current means that the battery is being emptied.
No check: a value counts when a second agrees. Source: TI INA219 datasheet SBOS448G. `1F 42` = 4.000 V, ready.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import partial

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read
from drivers.errors import NotReady
from drivers.frames import whole

READY = 0x02
TOP_MV = 320
ADDRESSES = range(0x40, 0x50)


def frame(data: bytes) -> int:
    return 2 if len(data) >= 2 else 0


def decode(shunt_ohm: float | None, replies: tuple[bytes, ...]) -> list[Measurement]:
    bus, shunt = (whole(frame, reply) for reply in replies)
    raw = bus[0] << 8 | bus[1]
    if not raw & READY:
        raise NotReady("no conversion is ready")
    found = [within("voltage", (raw >> 3) * 4 / 1000, 0, 32)]
    if shunt_ohm is None:
        return found
    millivolts = struct.unpack(">h", shunt)[0] / 100
    if abs(millivolts) >= TOP_MV:
        return [*found, invalid("current", "more than the shunt can show")]
    return [*found, within("current", round(millivolts / 1000 / shunt_ohm, 4), -100, 100)]


def encode(shunt_ohm: float | None, values: Mapping[str, float]) -> tuple[bytes, ...]:
    bus = round(values.get("voltage", 4.0) * 250) << 3 | READY
    shunt = round(values.get("current", 0.0) * (shunt_ohm or 0.0) * 100000)
    return struct.pack(">H", bus), struct.pack(">h", shunt)


def build(address: int, shunt_ohm: float | None) -> Driver:
    return Driver(
        name="ina219",
        title="TI INA219 voltage and current monitor",
        points=("voltage",) if shunt_ohm is None else ("voltage", "current"),
        decode=partial(decode, shunt_ohm),
        encode=partial(encode, shunt_ohm),
        reads=(Read(frame, b"\x02", size=2), Read(frame, b"\x01", size=2)),
        transport="i2c",
        address=address,
        checked=False,
        at=at,
        notes=(
            "Option: shunt_ohm, the resistance of the board's shunt; without it there is a voltage and no current.",
            "The shunt's resistance is printed on it: R100 is 0.1 ohm, R010 is 0.01 ohm.",
            "On most UPS boards a negative current means that the battery is being emptied.",
        ),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("ina219", address, given)
    chosen = options.address(ADDRESSES, 0x40)
    shunt_ohm = options.number("shunt_ohm", 0.0005, 10)
    options.end()
    return build(chosen, shunt_ohm)


DRIVER = build(0x40, None)
