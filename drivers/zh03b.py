"""Winsen ZH03B / ZH06 dust sensor, 9600 8N1, 3.3 V signals, 5 V supply.

    42 4D 00 14  three words  PM1 PM2.5 PM10  three words  SS SS      by itself, once a second (as a PMS3003)
    FF 86  PM2.5 PM10 PM1  CC                                         when asked: another order!

- SS SS: sum of all bytes before it; CC as in every Winsen block (`_winsen.py`). Words are big-endian, ug/m3, 0-1000.
- `78 40` by itself, `78 41` only when asked, `A7 01` fan off, `A7 00` fan on.
A value counts 30 s after the fan starts. Source: Winsen ZH03B manual V2.1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from drivers import _plantower
from drivers._options import Options
from drivers._values import ZEROS, fractions, invalid, within
from drivers._winsen import READ, block, command, framing, setting
from drivers.base import Driver, Measurement, Read
from drivers.errors import BadFrame
from drivers.frames import whole

BY_ITSELF, WHEN_ASKED = command(0x78, 0x40), command(0x78, 0x41)
FAN_OFF, FAN_ON = command(0xA7, 1), command(0xA7, 0)
LAYOUT = _plantower.Layout(words=9)
frame = framing(0x86)


def decode_asked(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    pm2_5, pm10, pm1 = struct.unpack_from(">3H", whole(frame, reply), 2)
    if not pm1 <= pm2_5 <= pm10:
        raise BadFrame(f"PM1 {pm1}, PM2.5 {pm2_5}, PM10 {pm10}: a smaller fraction cannot exceed a larger one")
    if not pm10:
        return [invalid(name, ZEROS) for name in LAYOUT.points]
    return [within(name, n, 0, 1000) for name, n in (("pm1", pm1), ("pm2_5", pm2_5), ("pm10", pm10))]


def encode_asked(values: Mapping[str, float]) -> tuple[bytes, ...]:
    pm1, pm2_5, pm10 = (round(v) for v in fractions(values))
    return (block(0x86, *struct.pack(">3H", pm2_5, pm10, pm1)),)


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("zh03b", address, given)
    mode = options.one_of("mode", ("active", "asked"), "active")
    options.end()
    if mode == "active":
        return DRIVER
    start = (setting(FAN_ON), setting(WHEN_ASKED))
    return replace(DRIVER, decode=decode_asked, encode=encode_asked, reads=(Read(frame, READ),), start=start)


_FRAME = _plantower.framing(LAYOUT)
DRIVER = Driver(
    name="zh03b",
    title="Winsen ZH03B / ZH06",
    points=LAYOUT.points,
    decode=partial(_plantower.decode, LAYOUT, _FRAME),
    encode=partial(_plantower.encode, LAYOUT),
    reads=(Read(_FRAME, timeout_s=3.0),),
    start=(setting(FAN_ON), setting(BY_ITSELF)),
    warm_up_s=30.0,
    at=at,
    notes=('Option: mode = "asked" (the sensor answers questions; "active", by itself, is the default).',),
)
