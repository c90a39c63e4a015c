"""Nova SDS198: PM100, all the dust up to 100 um (frames and commands: `_nova.py`).

AA CF  reserved  PM100 LL HH  II II  SS  AB      1 ug/m3, range 0-20000
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers._nova import build, driver, framing
from drivers._values import within
from drivers.base import Measurement
from drivers.frames import whole

KIND = 0xCF
frame = framing(KIND)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    return [within("pm100", data[4] | data[5] << 8, 0, 20000)]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    return (build(KIND, 0, round(values.get("pm100", 0))),)


DRIVER = driver(
    name="sds198",
    title="Nova SDS198",
    points=("pm100",),
    frame=frame,
    decode=decode,
    encode=encode,
)
