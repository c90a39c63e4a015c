"""BSWA 308 / 309 sound level meters, RS-232, 9600 8N1 (4800 and 19200 by its menu).

    02 ID A  filter,detector,mode,value,range  03 BCC 0D 0A

- ID: 1-255, set in the meter. Then `C` command, `A` answer, 06 acknowledged, 15 refused with a code of 4 characters.
- BCC: exclusive or of every byte from 02 to 03, both included (the manual's words leave them out; its examples do not).
- `TPR1 ?` asks once for the screen of three profiles: filter, detector, mode, value of each, and one range flag;
  `DMA1 ?` likewise for the main screen, which is one such group and the flag.
  filter 0 A, 1 B, 2 C, 3 Z; detector 0 fast, 1 slow, 2 impulse; mode 0 level, 1 peak, 2 Leq, 3 max, 4 min; value in dB;
  range 0 fits, 1 overload now, 2 too quiet now, 3 and 4 the same earlier in this period.
  So what the meter is set to decides which points there are: Leq, max and min are those of its own integral period.
- `PR1f d m 0` sets profile 1 to filter, detector and mode, `PR2` and `PR3` the others; `STA1` starts a measurement,
  `STA0` stops it, `STA?` asks.

    02 01 43 54 50 52 31 20 3F 03 3B 0D 0A      TPR1 ?
    0,0,0,074.4,2,0,0,076.2,3,0,0,076.4,0       A fast 74.4, C fast 76.2, Z fast 76.4 dB, fits

Source: BSWA 308/309 user's manual, RS-232 protocol (TPR: page 99). PCE-428, -430 and -432 and Sauter SW 1000/2000 are
sold with the same protocol. The 308 is of class 1, the 309 of class 2: the unit's label and certificate say which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.checks import xor
from drivers.errors import BadChecksum, BadFrame, DeviceFault
from drivers.frames import whole

STX, ETX = 0x02, 0x03
ANSWER, ACKNOWLEDGED, REFUSED = 0x41, 0x06, 0x15
LONGEST = 96
_GROUP = r"[0-3],[0-2],[0-4],-?\d{1,3}\.\d,"
_SCREEN = re.compile(f"({_GROUP}|{_GROUP * 3})([0-4])")
FILTERS, DETECTORS = "ABCZ", ("fast", "slow", "impulse")
# The point that filter, detector and mode make; a period's value does not depend on the detector of the level.
LEVELS = {("A", "fast"): "laf", ("A", "slow"): "las", ("C", "fast"): "lcf", ("Z", "fast"): "lzf"}
PERIOD = {("A", 2): "laeq", ("A", 3): "lamax", ("A", 4): "lamin"}
LEVEL, PEAK, LEQ, MAX = range(4)
SCREENS = {"profiles": "TPR1 ?", "main": "DMA1 ?"}


def block(unit: int, attribute: int, text: str = "") -> bytes:
    body = bytes((STX, unit, attribute)) + text.encode("ascii") + bytes((ETX,))
    return body + bytes((xor(body),)) + b"\r\n"


def command(unit: int, text: str) -> bytes:
    return block(unit, ord("C"), text)


def profile(unit: int, number: int, filter_: str, detector: str, mode: int) -> bytes:
    """Sets one of the three profiles; its history goes on being kept as Leq."""
    return command(unit, f"PR{number}{FILTERS.index(filter_)} {DETECTORS.index(detector)} {mode} 0")


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
    match = _SCREEN.fullmatch(text)
    if data[2] != ANSWER or match is None:
        raise BadFrame(f"not a screen: {text!r}")
    fields, fit = match[1].split(","), int(match[2])
    found: dict[str, Measurement] = {}
    for at in range(0, len(fields) - 1, 4):
        filter_, detector, mode = (int(field) for field in fields[at : at + 3])
        point = _point(filter_, detector, mode)
        if point is not None:
            found.setdefault(point, _value(point, float(fields[at + 3]), fit, period=mode != LEVEL))
    return list(found.values()) or [invalid("laf", "the meter shows no A-weighted level: set it to A, fast, level")]


def _point(filter_: int, detector: int, mode: int) -> str | None:
    if mode == PEAK:
        return "lpeak"
    weighting = FILTERS[filter_]
    return PERIOD.get((weighting, mode)) if mode else LEVELS.get((weighting, DETECTORS[detector]))


def _value(point: str, level: float, fit: int, *, period: bool) -> Measurement:
    """A range that did not fit earlier spoils what is taken over the period, and not the level of now."""
    if fit in {1, 2} or (fit and period):
        return invalid(point, "overload" if fit in {1, 3} else "too quiet for the range", level)
    return within(point, level, 0, 150)


def encode(unit: int, groups: int, values: Mapping[str, float]) -> tuple[bytes, ...]:
    """The screen shows as many of these values as it has room for, and the first again where there are fewer."""
    shown = {name: (FILTERS.index(w), DETECTORS.index(d), LEVEL) for (w, d), name in LEVELS.items()}
    shown |= {name: (FILTERS.index(w), 0, mode) for (w, mode), name in PERIOD.items()}
    shown["lpeak"] = (FILTERS.index("C"), 0, PEAK)
    names = [name for name in ("laf", "laeq", "lamax", *shown) if name in values] or ["laf"]
    names = list(dict.fromkeys(names))[:groups]
    names += names[:1] * (groups - len(names))
    fields = [f"{','.join(map(str, shown[name]))},{values.get(name, 40.0):05.1f}" for name in names]
    return (block(unit, ANSWER, ",".join((*fields, "0"))),)


def build(unit: int, baud: int, screen: str, *, configure: bool) -> Driver:
    frame = framing(unit)
    modes = ((1, LEVEL), (2, LEQ), (3, MAX))
    set_up = [profile(unit, number, "A", "fast", mode) for number, mode in modes] if configure else []
    start = [command(unit, "STA0"), *set_up, command(unit, "STA1")] if configure else []
    return Driver(
        name="bswa_308",
        title="BSWA 308 (class 1) / 309 (class 2) sound level meter",
        points=("laf", "las", "lcf", "lzf", "laeq", "lamax", "lamin", "lpeak"),
        decode=partial(decode, frame),
        encode=partial(encode, unit, 3 if screen == "profiles" else 1),
        reads=(Read(frame, command(unit, SCREENS[screen])),),
        start=tuple(Read(frame, send, pause_s=0.3, answered=False) for send in start),
        address=unit,
        baud=baud,
        evidence=True,
        warm_up_s=30.0,
        at=at,
        notes=(
            "What its profiles are set to is what it says; configure = true sets them to LAF, LAeq and LAFmax.",
            'Option: screen = "main" reads the main screen (one value) in place of the three profiles.',
            "Option: baud = 4800, 9600 (the default) or 19200, as in the meter's menu.",
            "Leq, max and min are those of the meter's own integral period: set 1 s, repeated without end.",
        ),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("bswa_308", address, given)
    unit = options.address(range(1, 256), 1)
    baud = options.one_of("baud", (4800, 9600, 19200), 9600)
    screen = options.one_of("screen", tuple(SCREENS), "profiles")
    configure = options.flag("configure", default=False)
    options.end()
    return build(unit, baud, screen, configure=configure)


DRIVER = build(1, 9600, "profiles", configure=False)
