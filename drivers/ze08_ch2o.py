"""Winsen ZE08-CH2O formaldehyde sensor, 9600 8N1, 3.3 V signals, 5 V supply (blocks: `_winsen.py`).

    FF 86  UU UU  00 00  PP PP  CC            when asked: ug/m3, and ppb
    FF 17 04 00  PP PP  FF FF  CC             by itself, once a second: 17 formaldehyde, 04 ppb, no decimals, full scale

- `78 41`: only when asked, `78 40`: by itself (so it leaves the factory). 0-5000 ppb. 1 ppb = 1.23 ug/m3 at 25 degC.
Warm after 3 minutes; the first use takes hours. Alcohol, perfume and disinfectant read as formaldehyde.
Source: Winsen ZE08-CH2O manual V1.0.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace

from drivers._options import Options
from drivers._values import within
from drivers._winsen import READ, block, command, framing, setting
from drivers.base import Driver, Measurement, Read
from drivers.frames import whole

BY_ITSELF, WHEN_ASKED = command(0x78, 0x40), command(0x78, 0x41)
FULL_SCALE = 5000  # ppb
UG_PER_PPB = 1.23
frame = framing(0x86)
active_frame = framing(0x17, 0x04, 0x00)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    mass, _, parts = struct.unpack_from(">3H", whole(frame, reply), 2)
    return [within("hcho", mass, 0, FULL_SCALE * UG_PER_PPB), within("hcho_ppb", parts, 0, FULL_SCALE)]


def decode_active(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    parts, full = struct.unpack_from(">2H", whole(active_frame, reply), 4)
    return [within("hcho_ppb", parts, 0, min(full, FULL_SCALE))]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    parts = values.get("hcho_ppb", values.get("hcho", 0) / UG_PER_PPB)
    mass = values.get("hcho", parts * UG_PER_PPB)
    return (block(0x86, *struct.pack(">3H", round(mass), 0, round(parts))),)


def encode_active(values: Mapping[str, float]) -> tuple[bytes, ...]:
    return (block(0x17, 0x04, 0x00, *struct.pack(">2H", round(values.get("hcho_ppb", 0)), FULL_SCALE)),)


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("ze08_ch2o", address, given)
    mode = options.one_of("mode", ("asked", "active"), "asked")
    options.end()
    if mode == "asked":
        return DRIVER
    return replace(
        DRIVER,
        points=("hcho_ppb",),
        decode=decode_active,
        encode=encode_active,
        reads=(Read(active_frame, timeout_s=3.0),),
        start=(setting(BY_ITSELF),),
    )


DRIVER = Driver(
    name="ze08_ch2o",
    title="Winsen ZE08-CH2O",
    points=("hcho", "hcho_ppb"),
    decode=decode,
    encode=encode,
    reads=(Read(frame, READ),),
    start=(setting(WHEN_ASKED),),
    warm_up_s=180.0,
    at=at,
    notes=(
        'Option: mode = "active" (a value in ppb each second by itself; "asked", with ug/m3 too, is the default).',
        "Alcohol, perfume and disinfectant read as formaldehyde: never clean near it before an exam.",
        "New or long unused, it needs hours before its values mean anything.",
    ),
)
