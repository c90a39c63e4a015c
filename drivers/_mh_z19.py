"""Winsen MH-Z19B and MH-Z19C: what they share (blocks: `_winsen.py`).

    FF 01 86 00 00 00 00 00 79   ->   FF 86  CC CC  TT  ? ? ?  SS

- CC CC: CO2 in ppm. TT: temperature inside + 40, undocumented, not used. The other bytes may be anything.
- `79 A0` / `79 00`: self-calibration on (from the factory) / off: takes the lowest value of each 24 h for 400 ppm,
  which is wrong for rooms that are used day and night. `99 00 00 00 HH LL`: detection range. `87`: zero
  calibration, only in outdoor air, so it is never sent from here.
- While it warms up the sensor says 388, 410, 555 or 1215 or zeros, all in good form; after a brown-out 0; and after
  a lost calibration its range limit for ever. So: nothing counts before the warm-up has passed, nor 0, nor the
  range limit.
- Read at most every 5 s.
Source: Winsen MH-Z19B manual V1.6, and captured frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from drivers._options import Options
from drivers._values import invalid
from drivers._winsen import READ, block, command, framing, setting
from drivers.base import Driver, Measurement, Read
from drivers.frames import whole

SELF_CALIBRATION = {"on": command(0x79, 0xA0), "off": command(0x79, 0x00)}
RANGES = (2000, 5000, 10000)  # ppm
frame = framing(0x86)


def detection_range(ppm: int) -> bytes:
    return command(0x99, 0, 0, 0, *ppm.to_bytes(2, "big"))


def decode(top: int, replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    co2 = data[2] << 8 | data[3]
    if co2 == 0:
        return [invalid("co2", "0 ppm: the sensor has lost its supply or its calibration")]
    if co2 >= top:
        return [invalid("co2", f"at the range limit of {top} ppm", co2)]
    return [Measurement("co2", co2)]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    return (block(0x86, *round(values.get("co2", 0)).to_bytes(2, "big"), 20 + 40),)


def driver(name: str, title: str, warm_up_s: float) -> Driver:
    def at(address: int | None, given: Mapping[str, object]) -> Driver:
        options = Options(name, address, given)
        calibration = options.one_of("self_calibration", ("on", "off", "keep"), "keep")
        top = options.one_of("range", RANGES, 5000)
        options.end()
        start = (setting(SELF_CALIBRATION[calibration]),) if calibration != "keep" else ()
        if "range" not in given:
            return replace(plain, start=start)
        return replace(plain, start=(*start, setting(detection_range(top))), decode=partial(decode, top))

    plain = Driver(
        name=name,
        title=title,
        points=("co2",),
        decode=partial(decode, 5000),
        encode=encode,
        reads=(Read(frame, READ),),
        every_s=5.0,
        warm_up_s=warm_up_s,
        at=at,
        notes=(
            'Option: self_calibration = "on", "off" or "keep" (the default: as the sensor has it).',
            "Option: range = 2000, 5000 or 10000 ppm sets the detection range; a value at its limit is no value.",
            "Self-calibration takes the lowest value of each 24 h for 400 ppm: switch it off in rooms never aired.",
            "5 V supply of at least 150 mA; its signals are 3.3 V.",
        ),
    )
    return plain
