"""Sensirion SHT3x and SHT4x: what they share. Two words: temperature T = -45 + 175 x / 65535, and humidity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from drivers import _sensirion
from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read

TOP = 0xFFFF
frame = _sensirion.framing(2)


@dataclass(frozen=True, slots=True)
class Humidity:
    """%RH = offset + span x / 65535; SHT4x goes beyond both ends, and its datasheet says to cut that off."""

    offset: float
    span: float

    def of(self, raw: int) -> float:
        return min(100.0, max(0.0, round(self.offset + self.span * raw / TOP, 2)))

    def raw(self, percent: float) -> int:
        return round((percent - self.offset) / self.span * TOP)


def decode_with(humidity: Humidity) -> Callable[[tuple[bytes, ...]], list[Measurement]]:
    def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
        (reply,) = replies
        temperature, moisture = _sensirion.words(frame, reply)
        if temperature == moisture == TOP:
            return [invalid(name, "all bits are set: no conversion") for name in ("temperature", "humidity")]
        return [
            within("temperature", round(175 * temperature / TOP - 45, 2), -40, 125),
            within("humidity", humidity.of(moisture), 0, 100),
        ]

    return decode


def driver(
    *, name: str, title: str, addresses: tuple[int, ...], send: bytes, pause_s: float, humidity: Humidity
) -> Driver:
    def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
        temperature = round((values.get("temperature", 20.0) + 45) / 175 * TOP)
        return (_sensirion.pack(temperature, humidity.raw(values.get("humidity", 50.0))),)

    def at(address: int | None, given: Mapping[str, object]) -> Driver:
        options = Options(name, address, given)
        chosen = options.address(addresses, addresses[0])
        options.end()
        return replace(plain, address=chosen)

    plain = Driver(
        name=name,
        title=title,
        points=("temperature", "humidity"),
        decode=decode_with(humidity),
        encode=encode,
        reads=(Read(frame, send, pause_s=pause_s, size=6),),
        transport="i2c",
        address=addresses[0],
        at=at,
        notes=("Sunlight and the warmth of the computer spoil it: mount it outside the case, in the shade.",),
    )
    return plain
