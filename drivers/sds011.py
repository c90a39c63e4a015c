"""Nova SDS011 and SDS018: PM2.5 and PM10 (frames and commands: `_nova.py`).

AA C0  PM2.5 LL HH  PM10 LL HH  II II  SS  AB      0.1 ug/m3, range 0-999.9
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers._nova import build, driver, framing
from drivers._values import ZEROS, fractions, invalid, within
from drivers.base import Measurement
from drivers.errors import BadFrame
from drivers.frames import whole

KIND = 0xC0
frame = framing(KIND)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    pm2_5, pm10 = data[2] | data[3] << 8, data[4] | data[5] << 8
    if pm2_5 > pm10:
        raise BadFrame(f"PM2.5 {pm2_5} above PM10 {pm10}: a smaller fraction cannot exceed a larger one")
    if pm10 == 0:
        return [invalid(name, ZEROS) for name in DRIVER.points]
    return [within("pm2_5", pm2_5 / 10, 0, 999.9), within("pm10", pm10 / 10, 0, 999.9)]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    _, pm2_5, pm10 = fractions(values)
    return (build(KIND, round(pm2_5 * 10), round(pm10 * 10)),)


DRIVER = driver(
    name="sds011",
    title="Nova SDS011 / SDS018",
    points=("pm2_5", "pm10"),
    frame=frame,
    decode=decode,
    encode=encode,
)
