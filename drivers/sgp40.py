"""Sensirion SGP40: raw signal of volatile organic compounds; I2C address 0x59.

    26 0F  80 00 A2  66 66 93  ->  30 ms  ->  RR RR CC

Measures with the humidity and temperature given (here 50 %RH, 25 degC: not compensated). The answer is a number
without a unit, which falls as the air gets worse; an index of 0-500 needs the maker's own algorithm and is not made
up here. CRC-8 after each word (`_sensirion.py`). It heats up with the first measurements; the maker's algorithm
passes over the first 45 s.
Source: Sensirion SGP40 datasheet, version 1.2, chapter 3.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers import _sensirion
from drivers.base import Driver, Measurement, Read

MEASURE = _sensirion.command(0x260F, 0x8000, 0x6666)
HEATER_OFF = _sensirion.command(0x3615)
frame = _sensirion.framing(1)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    return [Measurement("voc_raw", _sensirion.words(frame, reply)[0])]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    return (_sensirion.pack(round(values.get("voc_raw", 30000))),)


DRIVER = Driver(
    name="sgp40",
    title="Sensirion SGP40",
    points=("voc_raw",),
    decode=decode,
    encode=encode,
    reads=(Read(frame, MEASURE, pause_s=0.030, size=3),),
    transport="i2c",
    address=0x59,
    warm_up_s=45.0,
    notes=("A raw signal: lower means worse air. For trends, not for limits.",),
)
