"""Maxim MAX17048 (and MAX17040) battery gauge of UPS boards; I2C address 0x36.

    02  ->  VV VV      MAX17048: x 78.125 uV       MAX17040: upper 12 bits x 1.25 mV
    04  ->  CC CC      charge in 1/256 %

Both high byte first (an SMBus word read swaps them). The charge may go a little beyond 100. All bits set mean that
nobody drives the bus. No check: a value counts when a second agrees. Source: Maxim MAX17048 datasheet 19-6171,
MAX17040 19-5210.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import partial

from drivers._options import Options
from drivers._values import within
from drivers.base import Driver, Measurement, Read
from drivers.errors import BadFrame
from drivers.frames import whole

NOBODY = 0xFFFF


def frame(data: bytes) -> int:
    return 2 if len(data) >= 2 else 0


def decode(model: str, replies: tuple[bytes, ...]) -> list[Measurement]:
    cell, charge = (struct.unpack(">H", whole(frame, reply))[0] for reply in replies)
    if cell == charge == NOBODY:
        raise BadFrame("all bits are set: nobody answers on the bus")
    volts = cell * 78.125e-6 if model == "max17048" else (cell >> 4) * 1.25e-3
    return [within("voltage", round(volts, 4), 1, 5.2), within("charge", round(charge / 256, 2), 0, 110)]


def encode(model: str, values: Mapping[str, float]) -> tuple[bytes, ...]:
    volts = values.get("voltage", 4.0)
    cell = round(volts / 78.125e-6) if model == "max17048" else round(volts / 1.25e-3) << 4
    return struct.pack(">H", cell), struct.pack(">H", round(values.get("charge", 100.0) * 256))


def build(model: str) -> Driver:
    return Driver(
        name="max17048",
        title="Maxim MAX17048 / MAX17040 battery gauge",
        points=("voltage", "charge"),
        decode=partial(decode, model),
        encode=partial(encode, model),
        reads=(Read(frame, b"\x02", size=2), Read(frame, b"\x04", size=2)),
        transport="i2c",
        address=0x36,
        checked=False,
        at=at,
        notes=('Option: model = "max17040" for boards with the older gauge: its voltage counts otherwise.',),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("max17048", address, given)
    options.address((0x36,), 0x36)
    model = options.one_of("model", ("max17048", "max17040"), "max17048")
    options.end()
    return build(model)


DRIVER = build("max17048")
