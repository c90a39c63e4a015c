"""Sensirion SCD30: CO2, temperature and humidity over Modbus, 19200 8N1, address 0x61 (SEL pin high at power-up).

    61 06 0036 PPPP       start measuring; PPPP: ambient pressure in mbar, 700-1400, or 0 for none
    61 03 0027 0001       1 when new values are there
    61 03 0028 0006       CO2 ppm, temperature degC, humidity %RH: three floats, high word first

- Reading without new values gives the old ones again, so every read asks first. Reading clears the flag.
- 0 ppm until the first measurement is done; the first values come after two intervals of 2 s.
- Range 400-10000 ppm; less is seen in good air with a drifted zero, so the bound here is 200.
Source: Sensirion "Interface Description SCD30", 1.1 and its Modbus examples.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import replace

from drivers import modbus
from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read
from drivers.errors import NotReady

ADDRESS = 0x61
READY = modbus.read(ADDRESS, modbus.READ_HOLDING, 0x0027, 1)
DATA = modbus.read(ADDRESS, modbus.READ_HOLDING, 0x0028, 6)
_POINTS = (("co2", 200, 10000), ("temperature", -40, 70), ("humidity", 0, 100))


def start(pressure_mbar: int = 0) -> bytes:
    return modbus.write_register(ADDRESS, 0x0036, pressure_mbar)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    flag, data = replies
    (ready,) = modbus.registers(READY, flag)
    numbers = struct.unpack(">3f", modbus.parse(DATA, data))
    if not ready:
        raise NotReady("no new values since the last read")
    if numbers[0] == 0:
        return [invalid(quantity, "no measurement yet") for quantity, _, _ in _POINTS]
    return [
        within(quantity, round(number, 3), low, high) if math.isfinite(number) else invalid(quantity, "not a number")
        for number, (quantity, low, high) in zip(numbers, _POINTS, strict=True)
    ]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    numbers = (values[quantity] for quantity, _, _ in _POINTS)
    return modbus.answer(READY, b"\x00\x01"), modbus.answer(DATA, struct.pack(">3f", *numbers))


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("scd30", address, given)
    options.address((ADDRESS,), ADDRESS)
    pressure_mbar = options.number("pressure", 700, 1400)
    options.end()
    return replace(DRIVER, start=(_read(start(round(pressure_mbar or 0))),))


def _read(request: bytes) -> Read:
    return Read(modbus.reply(request), request)


DRIVER = Driver(
    name="scd30",
    title="Sensirion SCD30 CO2, temperature and humidity sensor",
    points=tuple(quantity for quantity, _, _ in _POINTS),
    decode=decode,
    encode=encode,
    reads=(_read(READY), _read(DATA)),
    start=(_read(start()),),
    baud=19200,
    address=ADDRESS,
    every_s=2.0,
    warm_up_s=4.0,
    at=at,
    notes=(
        "Modbus only with its SEL pin high at power-up; the levels are 3.3 V, not RS-485.",
        "Above sea level give the option `pressure` in mbar, or CO2 reads low.",
    ),
)
