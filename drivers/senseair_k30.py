"""Senseair K30: CO2, 9600 8N1 (two stop bits accepted), any-address 0xFE. Read from its RAM, as its own manual does it.

    request  FE 44  00 08  02      crc crc      function 0x44: from RAM address 0008, two bytes
    reply    FE 44  02  HH LL      crc crc      HH LL: CO2 in ppm, signed, big-endian
    refusal  FE C4  EE             crc crc

CRC as in Modbus. A new value every 2 s. The open air has more than 200 ppm; less is no measurement.
Source: Senseair AN-126 / K30 UART notes: the request is printed there; replies are built from its description.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers._values import within
from drivers.base import Driver, Measurement, Read
from drivers.checks import crc16_modbus
from drivers.errors import BadChecksum, BadFrame, DeviceFault
from drivers.frames import whole

_HEAD, _REFUSAL = b"\xfe\x44\x02", b"\xfe\xc4"
REQUEST = bytes.fromhex("fe 44 00 08 02 9f 25")


def frame(buffer: bytes) -> int:
    if buffer[:3] == _HEAD[: len(buffer)]:
        size = 7
    elif buffer[:2] == _REFUSAL:
        size = 5
    else:
        raise BadFrame(f"not an answer from a K30's RAM: {buffer[:7].hex(' ')}")
    if len(buffer) < size:
        return 0
    if crc16_modbus(buffer[: size - 2]) != buffer[size - 2 : size]:
        raise BadChecksum(f"CRC does not fit: {buffer[:size].hex(' ')}")
    return size


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    if whole(frame, reply)[1] != _HEAD[1]:
        raise DeviceFault(f"refused with code {reply[2]}")
    return [within("co2", int.from_bytes(reply[3:5], "big", signed=True), 200, 10000)]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    body = _HEAD + round(values["co2"]).to_bytes(2, "big", signed=True)
    return (body + crc16_modbus(body),)


DRIVER = Driver(
    name="senseair_k30",
    title="Senseair K30 CO2 sensor",
    points=("co2",),
    decode=decode,
    encode=encode,
    reads=(Read(frame, REQUEST),),
    every_s=2.0,
    warm_up_s=60.0,
    notes=(
        "Works with one device on the line only: it is asked by its any-address 254.",
        "Automatic background calibration takes the lowest value of some days as fresh air.",
    ),
)
