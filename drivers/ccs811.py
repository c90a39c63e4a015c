"""ams CCS811: estimated CO2 and TVOC; I2C address 0x5A or 0x5B.

    02  ->  EE EE  VV VV  SS  XX

- EE EE: eCO2 in ppm (400-8192), VV VV: TVOC in ppb (0-1187), big-endian: guesses from one heated sensor, for trends
  only.
- SS: 80 application runs, 10 application valid, 08 a new value, 01 error. XX: error bits: 01 illegal write, 02 illegal
  read, 04 illegal mode, 08 resistance out of range, 10 heater current, 20 heater voltage.
- Start: FF 11 E5 72 8A resets, F4 starts the application, 01 10 measures every second. Register 20 holds 81, its
  identity.
Needs 48 h once when new, and 20 minutes after each start. It stretches the clock, at which the Pi's I2C fails: slow the
bus to 10 kHz. No check: a value counts when a second agrees. Source: ams CCS811 datasheet, version 1-06.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace

from drivers._options import Options
from drivers._values import within
from drivers.base import Driver, Measurement, Read
from drivers.errors import BadFrame, DeviceFault, NotReady
from drivers.frames import whole

SIZE = 6
RUNS, NEW, ERROR = 0x80, 0x08, 0x01
ERRORS = (
    "illegal write",
    "illegal read",
    "illegal mode",
    "resistance out of range",
    "heater current",
    "heater voltage",
)
RESET, APP_START, EVERY_SECOND = b"\xff\x11\xe5\x72\x8a", b"\xf4", b"\x01\x10"
HW_ID = 0x81


def frame(data: bytes) -> int:
    return SIZE if len(data) >= SIZE else 0


def identity(data: bytes) -> int:
    if data and data[0] != HW_ID:
        raise BadFrame(f"identity {data[0]:02x}, not 81: not a CCS811")
    return len(data[:1])


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    eco2, tvoc, status, error = struct.unpack(">HHBB", whole(frame, reply))
    if status & ERROR:
        names = [name for bit, name in enumerate(ERRORS) if error >> bit & 1]
        raise DeviceFault(f"the sensor reports: {', '.join(names) or f'error {error:02x}'}")
    if not status & RUNS:
        raise DeviceFault("its application does not run: it has been reset")
    if not status & NEW:
        raise NotReady("no new value yet")
    return [within("eco2", eco2, 400, 8192), within("tvoc", tvoc, 0, 1187)]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    return (struct.pack(">HHBB", round(values.get("eco2", 400)), round(values.get("tvoc", 0)), 0x98, 0),)


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("ccs811", address, given)
    chosen = options.address((0x5A, 0x5B), 0x5A)
    options.end()
    return replace(DRIVER, address=chosen)


DRIVER = Driver(
    name="ccs811",
    title="ams CCS811",
    points=("eco2", "tvoc"),
    decode=decode,
    encode=encode,
    reads=(Read(frame, b"\x02", size=SIZE),),
    start=(
        Read(identity, b"\x20", size=1),
        Read(frame, RESET, pause_s=0.1, answered=False),
        Read(frame, APP_START, pause_s=0.1, answered=False),
        Read(frame, EVERY_SECOND, pause_s=0.01, answered=False),
    ),
    transport="i2c",
    address=0x5A,
    warm_up_s=1200.0,
    checked=False,
    at=at,
    notes=(
        "Slow the bus down for it: dtparam=i2c_arm_baudrate=10000 in the Pi's config.txt.",
        "Estimates for trends only: its eCO2 is not a measurement of CO2. New, it needs 48 hours of burning in.",
    ),
)
