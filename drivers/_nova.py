"""Nova SDS011 / SDS018 / SDS198: what they share. UART 3.3 V (supply 5 V), 9600 8N1, a frame a second by itself.

    AA C0  LL HH  LL HH  II II  SS  AB     data of SDS011: PM2.5 and PM10, little-endian, 0.1 ug/m3; id; sum of six
    AA CF  LL HH  LL HH  II II  SS  AB     data of SDS198: the second word is PM100, 1 ug/m3
    AA B4  cmd set value 0 x 10  II II  SS  AB     command of 19 bytes; id FF FF = any; sum of bytes 2 to 16
    AA C5  cmd set value 0  II II  SS  AB  its answer: as long as data, and never to be taken for it

Commands: 02 reporting (0 by itself, 1 when asked), 04 ask, 06 sleep 0 / work 1, 07 firmware, 08 working period: 0
always on, n = 30 s of work in n minutes. Period and mode are kept without power: a silent sensor may only be
asleep, so work mode and period 0 are sent at start. Asleep and in asked mode it does not answer. A value counts 30
s after waking. Header, tail and command bytes may occur inside a frame: only the sum tells. Above 70 %RH the sensor
reads high.
Source: Nova SDS011 laser dust sensor control protocol V1.3, and captured frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from drivers._options import Options
from drivers.base import Driver, Framing, Measurement, Read
from drivers.checks import sum8
from drivers.errors import BadChecksum, BadFrame
from drivers.frames import whole

TAIL = 0xAB
SIZE = 10


def command(code: int, *data: int, device: int = 0xFFFF) -> bytes:
    """A command to one sensor by its id, or to any."""
    body = bytes((code, *data)).ljust(13, b"\0") + device.to_bytes(2, "big")
    return b"\xaa\xb4" + body + bytes((sum8(body), TAIL))


REPORT_BY_ITSELF, REPORT_WHEN_ASKED = command(2, 1, 0), command(2, 1, 1)
ASK = command(4)
SLEEP, WORK = command(6, 1, 0), command(6, 1, 1)
FIRMWARE = command(7)


def period(minutes: int) -> bytes:
    """Work for 30 s in every so many minutes (1-30), or without pause (0). The sensor remembers it."""
    if not 0 <= minutes <= 30:
        raise ValueError(f"the working period is 0 to 30 minutes, not {minutes}")
    return command(8, 1, minutes)


def framing(kind: int) -> Framing:
    head = bytes((0xAA, kind))

    def frame(data: bytes) -> int:
        if data[:2] != head[: len(data)]:
            raise BadFrame(f"no data frame begins with {data[:2].hex(' ')!r}")
        if len(data) < SIZE:
            return 0
        if data[9] != TAIL:
            raise BadFrame(f"the tail is {data[9]:02x}, not ab")
        if sum8(data[2:8]) != data[8]:
            raise BadChecksum("the sum of a Nova frame does not fit")
        return SIZE

    return frame


def build(kind: int, first: int, second: int, device: int = 0xA160) -> bytes:
    body = first.to_bytes(2, "little") + second.to_bytes(2, "little") + device.to_bytes(2, "big")
    return bytes((0xAA, kind)) + body + bytes((sum8(body), TAIL))


def driver(
    *,
    name: str,
    title: str,
    points: tuple[str, ...],
    frame: Framing,
    decode: Callable[[tuple[bytes, ...]], list[Measurement]],
    encode: Callable[[Mapping[str, float]], tuple[bytes, ...]],
) -> Driver:
    def settings(report: bytes) -> tuple[Read, ...]:
        # The answers AA C5 are not waited for: data may come first, and the reader steps over what is not data.
        return tuple(Read(frame, send, pause_s=0.1, answered=False) for send in (WORK, period(0), report))

    def at(address: int | None, given: Mapping[str, object]) -> Driver:
        options = Options(name, address, given)
        mode = options.one_of("mode", ("active", "asked"), "active")
        options.end()
        if mode == "active":
            return active
        return replace(active, reads=(Read(frame, ASK),), start=settings(REPORT_WHEN_ASKED), identity=Read(frame, ASK))

    active = Driver(
        name=name,
        title=title,
        points=points,
        decode=decode,
        encode=encode,
        reads=(Read(frame, timeout_s=2.5),),
        start=settings(REPORT_BY_ITSELF),
        warm_up_s=30.0,
        at=at,
        identity=Read(frame, timeout_s=2.5),  # each frame carries it
        identify=lambda reply: whole(frame, reply)[6:8].hex(),
        notes=(
            'Option: mode = "asked" (the sensor answers questions; "active", by itself, is the default).',
            "Above 70 %RH it reads high: mist is counted as dust.",
            "The laser lasts about 8000 hours of running.",
        ),
    )
    return active
