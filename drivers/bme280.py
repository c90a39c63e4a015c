"""Bosch BME280: temperature, humidity and air pressure; I2C address 0x76 or 0x77.

    88  ->  26 bytes of calibration: T1-T3, P1-P9 (16 bit, little-endian), one unused, H1
    E1  ->  7 bytes of calibration: H2 (16 bit), H3, H4 and H5 (12 bit each, sharing E5), H6
    F2  ->  13 bytes: F2 humidity setting, F3 status, F4 setting and mode, F5 standby, F6, then
            pressure (20 bit), temperature (20 bit), humidity (16 bit), all high byte first

- Start: F2 01, F5 A0, F4 27: each quantity once, by itself, with a second between. Register D0 holds 60, its
  identity (BMP280: 58).
- Mode 0 in F4 means that it sleeps: it has lost its settings (a dip of the supply), and the values are old.
- 80000 (pressure, temperature) and 8000 (humidity): not measured.
The formulas are those of the datasheet, 4.2.3, in floating point. No check: the calibration is read each time, and
a value counts when a second agrees. Warmer by 1 to 2 degC in a closed case. Range -40 to 85 degC, 300 to 1100 hPa.
Source: Bosch BME280 datasheet, revision 1.6.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.errors import BadFrame, DeviceFault
from drivers.frames import whole

IDENTITY = 0x60
SKIPPED_20, SKIPPED_16 = 0x80000, 0x8000
SETTINGS = (b"\xf2\x01", b"\xf5\xa0", b"\xf4\x27")  # F2 counts only when F4 is written after it
_FIRST = struct.Struct("<HhhHhhhhhhhhxB")
_SECOND = struct.Struct("<hBbBbb")


class Calibration(NamedTuple):
    """What each sensor was given at the factory."""

    t1: int
    t2: int
    t3: int
    p1: int
    p2: int
    p3: int
    p4: int
    p5: int
    p6: int
    p7: int
    p8: int
    p9: int
    h1: int
    h2: int
    h3: int
    h4: int
    h5: int
    h6: int


# The datasheet's example for temperature and pressure, and ordinary numbers for humidity.
EXAMPLE = Calibration(
    27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000, 75, 362, 0, 313, 50, 30
)


@lru_cache(maxsize=64)
def calibration(first: bytes, second: bytes) -> Calibration:
    """From the registers at 88 and E1. Raises BadFrame for what no sensor was ever given."""
    *early, h1 = _FIRST.unpack(first)
    h2, h3, e4, e5, e6, h6 = _SECOND.unpack(second)
    if early[0] in {0, 0xFFFF} or early[3] in {0, 0xFFFF}:
        raise BadFrame("the calibration is empty")
    return Calibration._make((*early, h1, h2, h3, e4 << 4 | e5 & 0x0F, e6 << 4 | e5 >> 4, h6))


def fine_temperature(c: Calibration, raw: int) -> float:
    """1/5120 degC, as the other two formulas want it."""
    x = raw / 16384 - c.t1 / 1024
    y = raw / 131072 - c.t1 / 8192
    return x * c.t2 + y * y * c.t3


def pressure(c: Calibration, fine: float, raw: int) -> float:
    """hPa; 0 where the calibration would divide by zero, which is out of range."""
    x = fine / 2 - 64000
    y = x * x * c.p6 / 32768 + x * c.p5 * 2
    y = y / 4 + c.p4 * 65536
    x = (c.p3 * x * x / 524288 + c.p2 * x) / 524288
    x = (1 + x / 32768) * c.p1
    if x == 0:
        return 0.0
    p = (1048576 - raw - y / 4096) * 6250 / x
    return (p + (c.p9 * p * p / 2147483648 + p * c.p8 / 32768 + c.p7) / 16) / 100


def humidity(c: Calibration, fine: float, raw: int) -> float:
    """%RH, kept between 0 and 100 as the datasheet does."""
    x = fine - 76800
    slope = c.h2 / 65536 * (1 + c.h6 / 67108864 * x * (1 + c.h3 / 67108864 * x))
    x = (raw - (c.h4 * 64 + c.h5 / 16384 * x)) * slope
    return min(100.0, max(0.0, x * (1 - c.h1 * x / 524288)))


def sized(size: int) -> Framing:
    def frame(data: bytes) -> int:
        return size if len(data) >= size else 0

    return frame


def identity(data: bytes) -> int:
    if data and data[0] != IDENTITY:
        raise BadFrame(f"identity {data[0]:02x}, not 60: not a BME280 (a BMP280, without humidity, says 58)")
    return len(data[:1])


first_frame, second_frame, data_frame = sized(26), sized(7), sized(13)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    first, second, data = (
        whole(frame, reply) for frame, reply in zip((first_frame, second_frame, data_frame), replies, strict=True)
    )
    c = calibration(first, second)
    if not data[2] & 0x03:
        raise DeviceFault("it sleeps: its settings were lost with its supply")
    raw_p = data[5] << 12 | data[6] << 4 | data[7] >> 4
    raw_t = data[8] << 12 | data[9] << 4 | data[10] >> 4
    raw_h = data[11] << 8 | data[12]
    if raw_t == SKIPPED_20:  # without the temperature the other two cannot be computed
        return [invalid(name, "not measured") for name in DRIVER.points]
    fine = fine_temperature(c, raw_t)
    return [
        within("temperature", round(fine / 5120, 2), -40, 85),
        invalid("humidity", "not measured")
        if raw_h == SKIPPED_16
        else within("humidity", round(humidity(c, fine, raw_h), 2), 0, 100),
        invalid("pressure", "not measured")
        if raw_p == SKIPPED_20
        else within("pressure", round(pressure(c, fine, raw_p), 2), 300, 1100),
    ]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    c = EXAMPLE
    raw_t = solve(20, values.get("temperature", 20.0), lambda raw: fine_temperature(c, raw) / 5120)
    fine = fine_temperature(c, raw_t)
    raw_h = solve(16, values.get("humidity", 50.0), lambda raw: humidity(c, fine, raw))
    raw_p = solve(20, -values.get("pressure", 1013.0), lambda raw: -pressure(c, fine, raw))
    shared = c.h4 & 0x0F | (c.h5 & 0x0F) << 4
    return (
        _FIRST.pack(*c[:13]),
        _SECOND.pack(c.h2, c.h3, c.h4 >> 4, shared, c.h5 >> 4, c.h6),
        bytes((0x01, 0x00, 0x27, 0xA0, 0x00)) + _left(raw_p) + _left(raw_t) + raw_h.to_bytes(2, "big"),
    )


def solve(bits: int, wanted: float, of: Callable[[int], float]) -> int:
    """The raw number whose value, which rises with it, comes nearest to what is wanted."""
    low, high = 0, (1 << bits) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if of(middle) < wanted else (low, middle)
    return low - 1 if low and abs(of(low - 1) - wanted) < abs(of(low) - wanted) else low


def _left(raw: int) -> bytes:
    """20 bits in three bytes, the low four bits empty."""
    return (raw << 4).to_bytes(3, "big")


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("bme280", address, given)
    chosen = options.address((0x76, 0x77), 0x76)
    options.end()
    return replace(DRIVER, address=chosen)


DRIVER = Driver(
    name="bme280",
    title="Bosch BME280",
    points=("temperature", "humidity", "pressure"),
    decode=decode,
    encode=encode,
    reads=(
        Read(first_frame, b"\x88", size=26),
        Read(second_frame, b"\xe1", size=7),
        Read(data_frame, b"\xf2", size=13),
    ),
    start=(
        Read(identity, b"\xd0", size=1),
        *(Read(data_frame, send, pause_s=0.01, answered=False) for send in SETTINGS),
    ),
    transport="i2c",
    address=0x76,
    warm_up_s=2.0,
    checked=False,
    at=at,
    notes=("It warms itself and its case by 1 to 2 degC: mount it in moving air.",),
)
