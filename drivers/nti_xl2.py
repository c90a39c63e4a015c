"""NTi Audio XL2 sound level meter (class 1), USB serial (/dev/ttyACM*), lines of text ended by LF.

    INIT START                        begins a measurement (once)
    MEAS:INIT                         takes the values of this moment
    MEAS:SLM:123? LAF                 ->   46.7 dB, OK

LAF fast, LAS slow, LAEQ equivalent level since the measurement was begun. Dashes, or a status other than OK, mean that
there is no value now. The XL2 needs its Remote Measurement option. The text has no check; a value counts when a second
agrees. The XL3 speaks another language and is not this device.
Source: XL2 Remote Measurement reference manual V4.50 (commands); published programs (form of the answer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read
from drivers.errors import BadFrame
from drivers.frames import whole

_LINE = re.compile(rb"(-{1,5}(?:\.-{1,2})?|-?\d{1,3}\.\d{1,2}) dB, ?([A-Za-z][A-Za-z _-]{0,23})\r?\n")
_BEGUN = re.compile(rb"[-0-9.dB, A-Za-z_]*\r?")
LONGEST = 48
PARAMETERS = {"laf": "LAF", "las": "LAS", "laeq": "LAEQ"}


def frame(data: bytes) -> int:
    end = data.find(b"\n", 0, LONGEST)
    if end < 0:
        if len(data) >= LONGEST or _BEGUN.fullmatch(data) is None:
            raise BadFrame(f"not a level: {data[:LONGEST]!r}")
        return 0
    _parse(data[: end + 1])
    return end + 1


def _parse(line: bytes) -> re.Match[bytes]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadFrame(f"not a level: {line!r}")
    return match


def reads(points: tuple[str, ...]) -> tuple[Read, ...]:
    """All values of one moment: only the first question takes them."""
    ask = [f"MEAS:SLM:123? {PARAMETERS[point]}\n".encode() for point in points]
    return tuple(Read(frame, (b"" if i else b"MEAS:INIT\n") + send, timeout_s=2.0) for i, send in enumerate(ask))


def decode(points: tuple[str, ...], replies: tuple[bytes, ...]) -> list[Measurement]:
    return [_level(point, whole(frame, reply)) for point, reply in zip(points, replies, strict=True)]


def _level(point: str, line: bytes) -> Measurement:
    match = _parse(line)
    number, status = match[1].decode(), match[2].decode()
    if "-" in number[1:] or number == "-":
        return invalid(point, "the meter shows dashes")
    if status != "OK":
        return invalid(point, f"the meter says {status}", float(number))
    return within(point, float(number), 0, 150)


def encode(points: tuple[str, ...], values: Mapping[str, float]) -> tuple[bytes, ...]:
    return tuple(f"{values.get(point, 40.0):.1f} dB, OK\n".encode() for point in points)


def build(points: tuple[str, ...]) -> Driver:
    return Driver(
        name="nti_xl2",
        title="NTi Audio XL2 sound level meter (class 1, USB)",
        points=points,
        decode=partial(decode, points),
        encode=partial(encode, points),
        reads=reads(points),
        start=(Read(frame, b"INIT START\n", pause_s=0.5, answered=False),),
        warm_up_s=10.0,
        checked=False,
        evidence=True,
        at=at,
        notes=(
            'Option: speed = "slow" reads LAS in place of LAF. Option: leq = false leaves LAEQ out.',
            "Its LAEQ runs since the measurement was begun, not since the last question.",
            "The Remote Measurement option must be installed on the meter; set it to SLM and to COM port over USB.",
        ),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("nti_xl2", address, given)
    level = "laf" if options.one_of("speed", ("fast", "slow"), "fast") == "fast" else "las"
    points = (level, "laeq") if options.flag("leq", default=True) else (level,)
    options.end()
    return build(points)


DRIVER = build(("laf", "laeq"))
