"""BSWA 308 / 309 sound level meters (class 1), RS-232, 9600 8N1 (4800 and 19200 by its menu).

    02 ID A  filter,detector,mode,value,range  03 BCC 0D 0A

- ID: 1-255, set in the meter. Then `C` command, `A` answer, 06 acknowledged, 15 refused with a code of 4 characters.
- BCC: exclusive or of every byte from 02 to 03, both included (the manual's words leave them out; its examples do not).
- `DMA1 ?` asks once for the main screen: filter 0 A, 1 B, 2 C, 3 Z; detector 0 fast, 1 slow, 2 impulse; mode 0 level,
  1 peak, 2 Leq, 3 max, 4 min; value in dB; range 0 fits, 1 overload now, 2 too quiet now, 3 and 4 the same earlier in
  this period. So what the meter shows decides which point there is.
- `STA1` starts a measurement, `STA0` stops it, `STA?` asks.

    02 01 43 44 4D 41 31 20 3F 03 25 0D 0A
    02 01 41 30 2C 30 2C 30 2C 30 37 34 2E 33 2C 30 03 6F 0D 0A     0,0,0,074.3,0 = 74.3 dB(A), fast

Sources: BSWA 308/309 communication protocol; the same meter is sold as Sauter SW 1000/2000.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.checks import xor
from drivers.errors import BadChecksum, BadFrame, DeviceFault
from drivers.frames import whole

STX, ETX = 0x02, 0x03
ANSWER, ACKNOWLEDGED, REFUSED = 0x41, 0x06, 0x15
LONGEST = 64
_FIELDS = re.compile(r"([0-3]),([0-2]),([0-4]),(-?\d{1,3}\.\d),([0-4])")
FILTERS, DETECTORS = "ABCZ", ("fast", "slow", "impulse")
# The point that filter, detector and mode make; a period's value does not depend on the detector of the level.
LEVELS = {("A", "fast"): "laf", ("A", "slow"): "las", ("C", "fast"): "lcf", ("Z", "fast"): "lzf"}
PERIOD = {("A", 2): "laeq", ("A", 3): "lamax", ("A", 4): "lamin"}
PEAK = 1


def block(unit: int, attribute: int, text: str = "") -> bytes:
    body = bytes((STX, unit, attribute)) + text.encode("ascii") + bytes((ETX,))
    return body + bytes((xor(body),)) + b"\r\n"


def command(unit: int, text: str) -> bytes:
    return block(unit, ord("C"), text)


def framing(unit: int) -> Framing:
    def frame(data: bytes) -> int:
        if data[:2] != bytes((STX, unit))[: len(data)] or data[2:3] not in (b"", b"A", b"\x06", b"\x15"):
            raise BadFrame(f"not an answer of meter {unit}: {data[:3].hex(' ')!r}")
        end = data.find(ETX, 3, LONGEST)
        text = data[3 : end if end >= 0 else LONGEST]
        if not text.isascii() or not text.decode("ascii").isprintable() or (end < 0 and len(data) >= LONGEST):
            raise BadFrame(f"not the text of an answer: {text!r}")
        if end < 0 or len(data) < end + 4:
            return 0
        if data[end + 2 : end + 4] != b"\r\n":
            raise BadFrame("a block ends with CR LF")
        if xor(data[: end + 1]) != data[end + 1]:
            raise BadChecksum("the BCC does not fit")
        return end + 4

    return frame


def decode(frame: Framing, replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    text = data[3:-4].decode("ascii")
    if data[2] == REFUSED:
        raise DeviceFault(f"the meter refuses: {text}")
    match = _FIELDS.fullmatch(text)
    if data[2] != ANSWER or match is None:
        raise BadFrame(f"not an answer to DMA: {text!r}")
    weighting, detector = FILTERS[int(match[1])], DETECTORS[int(match[2])]
    mode, value, fit = int(match[3]), float(match[4]), int(match[5])
    point = "lpeak" if mode == PEAK else PERIOD.get((weighting, mode)) if mode else LEVELS.get((weighting, detector))
    if point is None:
        return [invalid("laf", f"the meter shows {weighting}, {detector}, mode {mode}: set it to A, fast, level")]
    if fit in {1, 2} or (fit in {3, 4} and mode != 0):
        return [invalid(point, "overload" if fit in {1, 3} else "too quiet for the range", value)]
    return [within(point, value, 0, 150)]


def encode(unit: int, values: Mapping[str, float]) -> tuple[bytes, ...]:
    """The meter shows one value: the first of these that there is."""
    shown = {name: (FILTERS.index(w), DETECTORS.index(d), 0) for (w, d), name in LEVELS.items()}
    shown |= {name: (FILTERS.index(w), 0, mode) for (w, mode), name in PERIOD.items()}
    shown["lpeak"] = (FILTERS.index("C"), 0, PEAK)
    name = next((name for name in shown if name in values), "laf")
    filter_, detector, mode = shown[name]
    return (block(unit, ANSWER, f"{filter_},{detector},{mode},{values.get(name, 0.0):05.1f},0"),)


def build(unit: int, baud: int) -> Driver:
    frame = framing(unit)
    return replace(
        DRIVER,
        address=unit,
        baud=baud,
        decode=partial(decode, frame),
        encode=partial(encode, unit),
        reads=(Read(frame, command(unit, "DMA1 ?")),),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("bswa_308", address, given)
    unit = options.address(range(1, 256), 1)
    baud = options.one_of("baud", (4800, 9600, 19200), 9600)
    options.end()
    return build(unit, baud)


_FRAME = framing(1)
DRIVER = Driver(
    name="bswa_308",
    title="BSWA 308 / 309 sound level meter (class 1)",
    points=("laf", "las", "lcf", "lzf", "laeq", "lamax", "lamin", "lpeak"),
    decode=partial(decode, _FRAME),
    encode=partial(encode, 1),
    reads=(Read(_FRAME, command(1, "DMA1 ?")),),
    address=1,
    evidence=True,
    warm_up_s=30.0,
    at=at,
    notes=(
        "What its main screen shows is what it says: set it to A, fast, level for the point laf.",
        "Option: baud = 4800, 9600 (the default) or 19200, as in the meter's menu.",
    ),
)
