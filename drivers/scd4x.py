"""Sensirion SCD40 / SCD41: CO2, temperature, humidity; I2C address 0x62.

    EC 05  ->  1 ms  ->  CO CO CC  TT TT CC  HH HH CC

- CO2 in ppm; T = -45 + 175 x / 65535; RH = 100 x / 65535; CRC-8 after each word (`_sensirion.py`).
- 21 B1 starts measuring every 5 s; 3F 86 stops it and takes 500 ms. While measuring, other commands are refused, 21 B1
  among them: so at start it is stopped first. Asked before there is a new value, it does not acknowledge.
The first value comes after 5 s and is accurate after a minute. Self-calibration takes the lowest value of a week for
fresh air. Source: Sensirion SCD4x datasheet, version 1.2, chapter 3.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers import _sensirion
from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read

STOP, START, READ = (_sensirion.command(code) for code in (0x3F86, 0x21B1, 0xEC05))
TOP = 0xFFFF
frame = _sensirion.framing(3)


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    co2, temperature, humidity = _sensirion.words(frame, reply)
    return [
        within("co2", co2, 1, 40000) if co2 else invalid("co2", "0 ppm: nothing measured yet"),
        within("temperature", round(175 * temperature / TOP - 45, 2), -10, 60),
        within("humidity", round(100 * humidity / TOP, 2), 0, 100),
    ]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    temperature = round((values.get("temperature", 20.0) + 45) / 175 * TOP)
    humidity = round(values.get("humidity", 50.0) / 100 * TOP)
    return (_sensirion.pack(round(values.get("co2", 420)), temperature, humidity),)


DRIVER = Driver(
    name="scd4x",
    title="Sensirion SCD40 / SCD41",
    points=("co2", "temperature", "humidity"),
    decode=decode,
    encode=encode,
    reads=(Read(frame, READ, pause_s=0.002, size=9),),
    start=(
        Read(frame, STOP, pause_s=0.5, answered=False),
        Read(frame, START, pause_s=0.001, answered=False),
    ),
    transport="i2c",
    address=0x62,
    every_s=5.5,  # a little more than its own 5 s, so that there always is a new value
    warm_up_s=60.0,
    notes=("Its self-calibration wants fresh air once a week.",),
)
