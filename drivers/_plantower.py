"""Plantower PMS family: what all its sensors share. UART 3.3 V (supply 5 V), 9600 8N1.

    42 4D  LL LL  word word ...  VV EE  SS SS

- LL LL: number of bytes after it, big-endian: 20 (PMS3003), 28, or 36 (PMS5003ST). All words are big-endian.
- words 0-2: PM1, PM2.5, PM10 in ug/m3 "CF=1", for factory use; words 3-5: the same for the open air: these are used.
- words 6-11: particles in 0.1 litre larger than 0.3, 0.5, 1, 2.5, 5, 10 um (some types put other things there).
- VV: version. EE: error code, not 0 = fault.
- SS SS: sum of all bytes before it, 16 bit.

Active mode (from power-up): a frame every 0.2 to 2.3 s. Passive mode: one frame for each read command. Commands are
`42 4D cmd 00 value` + sum; E1 = mode (0 passive, 1 active), E2 = read, E4 = 0 sleep, 1 wake. A mode command may be
answered by `42 4D 00 04 cmd value` + sum, which is no data frame and is stepped over. Asleep, the sensor hears only the
wake command.

PM1 <= PM2.5 <= PM10 always holds; where it does not, the frame was misread. Range 0-500, at most 1000 ug/m3. A value
counts 30 s after the fan starts; until then, and after each dip of the supply, frames are full of zeros, while no
air is without particles over 0.3 um: zeros are no value. An idle frame may end in `42`, so `42 42 4D` occurs at
frame boundaries: the reader drops one byte at a time.

Sources: Plantower PMS5003 manual V2.3 and captured frames.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from drivers._options import Options
from drivers._values import ZEROS, fractions, invalid, spoil, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.checks import sum16
from drivers.errors import BadChecksum, BadFrame
from drivers.frames import whole

SIZES = ("over_0_3", "over_0_5", "over_1", "over_2_5", "over_5", "over_10")  # um
SHARE = (1.0, 0.3, 0.05, 0.005, 0.002, 0.001)  # of all particles, in ordinary air: for frames that are made up
FIRST_COUNT = 6


def command(code: int, value: int) -> bytes:
    body = bytes((0x42, 0x4D, code, 0, value))
    return body + sum16(body)


PASSIVE, ACTIVE = command(0xE1, 0), command(0xE1, 1)
READ = command(0xE2, 0)
SLEEP, WAKE = command(0xE4, 0), command(0xE4, 1)


NOTES = (
    "3.3 V signals, 5 V supply: never connect its TXD/RXD to 5 V logic or to RS-232.",
    "Condensing humidity is counted as dust; the laser lasts about 8000 hours of running.",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which word of the frame holds what."""

    words: int  # without the sum
    counts: int = 0
    hcho: int | None = None  # ug/m3
    temperature: int | None = None  # 0.1 degC, signed
    humidity: int | None = None  # 0.1 %RH
    error: int | None = None  # low byte of this word

    @property
    def points(self) -> tuple[str, ...]:
        optional = (("hcho", self.hcho), ("temperature", self.temperature), ("humidity", self.humidity))
        counts = tuple(f"particles_{size}" for size in SIZES[: self.counts])
        return ("pm1", "pm2_5", "pm10", *counts, *(name for name, word in optional if word is not None))


def framing(layout: Layout) -> Framing:
    head = b"\x42\x4d" + struct.pack(">H", 2 * layout.words + 2)
    size = len(head) + 2 * layout.words + 2

    def frame(data: bytes) -> int:
        if data[:4] != head[: len(data)]:
            raise BadFrame(f"not a frame of {size} bytes: {data[:4].hex(' ')!r}")
        if len(data) < size:
            return 0
        if sum16(data[: size - 2]) != data[size - 2 : size]:
            raise BadChecksum("the sum of a Plantower frame does not fit")
        return size

    return frame


def decode(layout: Layout, frame: Framing, replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    words = struct.unpack_from(f">{layout.words}H", whole(frame, reply), 4)
    pm1, pm2_5, pm10 = words[3:6]
    if not pm1 <= pm2_5 <= pm10:
        raise BadFrame(f"PM1 {pm1}, PM2.5 {pm2_5}, PM10 {pm10}: a smaller fraction cannot exceed a larger one")
    found = [within("pm1", pm1, 0, 1000), within("pm2_5", pm2_5, 0, 1000), within("pm10", pm10, 0, 1000)]
    counts = words[FIRST_COUNT : FIRST_COUNT + layout.counts]
    # The frame counts in 0.1 litre, which is 100 cm3.
    found += [Measurement("particles", n / 100, channel=size) for size, n in zip(SIZES, counts, strict=False)]
    if layout.hcho is not None:
        found.append(within("hcho", words[layout.hcho], 0, 2000))
    if layout.temperature is not None:
        raw = words[layout.temperature]
        found.append(within("temperature", (raw - 0x10000 if raw & 0x8000 else raw) / 10, -20, 99))
    if layout.humidity is not None:
        found.append(within("humidity", words[layout.humidity] / 10, 0, 100))
    if not any(words[3 : FIRST_COUNT + layout.counts]):
        return [invalid(m.quantity, ZEROS, channel=m.channel) for m in found]
    error = words[layout.error] & 0xFF if layout.error is not None else 0
    return spoil(found, f"the sensor reports error {error}") if error else found


def encode(layout: Layout, values: Mapping[str, float]) -> tuple[bytes, ...]:
    """A frame with these values; what is not said of the fractions of PM is made to fit what is said."""
    pm = [round(v) for v in fractions(values)]
    words = pm + pm + [0] * (layout.words - 6)
    for index, size in enumerate(SIZES[: layout.counts]):
        count = values.get(f"particles_{size}", (1 + 2 * pm[1]) * SHARE[index])
        words[FIRST_COUNT + index] = min(0xFFFF, round(count * 100))
    if layout.hcho is not None:
        words[layout.hcho] = round(values.get("hcho", 0))
    if layout.temperature is not None:
        words[layout.temperature] = round(values.get("temperature", 20) * 10) & 0xFFFF
    if layout.humidity is not None:
        words[layout.humidity] = round(values.get("humidity", 50) * 10)
    if layout.error is not None:
        words[layout.error] = 0x9100  # a version as captured, and no error
    data = struct.pack(f">2sH{layout.words}H", b"\x42\x4d", 2 * layout.words + 2, *words)
    return (data + sum16(data),)


def active_only(name: str, title: str, layout: Layout, *notes: str) -> Driver:
    """A type that talks by itself and hears no commands."""
    frame = framing(layout)
    return Driver(
        name=name,
        title=title,
        points=layout.points,
        decode=partial(decode, layout, frame),
        encode=partial(encode, layout),
        reads=(Read(frame, timeout_s=3.0),),
        every_s=2.5,  # in still air it talks no oftener: were more due, too few would come
        warm_up_s=30.0,
        notes=(*notes, *NOTES),
    )


def driver(name: str, title: str, layout: Layout, *notes: str) -> Driver:
    """A type that hears commands, in active mode; `mode = "passive"` asks for each frame instead."""
    frame = framing(layout)
    wake = Read(frame, WAKE, pause_s=0.1, answered=False)

    def at(address: int | None, given: Mapping[str, object]) -> Driver:
        options = Options(name, address, given)
        mode = options.one_of("mode", ("active", "passive"), "active")
        options.end()
        if mode == "active":
            return active
        return replace(
            active,
            reads=(Read(frame, READ),),
            every_s=1.0,
            start=(wake, Read(frame, PASSIVE, pause_s=0.1, answered=False)),
        )

    mode_note = 'Option: mode = "passive" (the sensor is asked for each frame; "active" is the default).'
    active = replace(
        active_only(name, title, layout, *notes, mode_note),
        start=(wake, Read(frame, ACTIVE, pause_s=0.1, answered=False)),
        at=at,
    )
    return active
