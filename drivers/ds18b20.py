"""DS18B20 temperature sensor, 1-Wire, as the kernel's w1_therm shows it in `/sys/bus/w1/devices/28-*/w1_slave`.

    72 01 4b 46 7f ff 0e 10 57 : crc=57 YES
    72 01 4b 46 7f ff 0e 10 57 t=23125

- Nine bytes of scratchpad: temperature (little-endian, signed, 1/16 degC), two alarm bytes, configuration (bits 6-5 =
  resolution, 9 to 12 bit; the bits below it mean nothing), three more, and the Dallas CRC. t = the same in 0.001 degC.
- Reading the file starts a conversion and takes 750 ms. It disappears when the sensor is unplugged.
- `50 05` with byte 6 = 0C: 85 degC, the power-on value: no conversion happened (weak supply). A true 85 has byte 6
  = 10.
- Nine zeros have a valid CRC, and the kernel says YES: the data line is shorted. Nine FF say NO: nothing is connected.
Everything is checked against everything, for the text goes through no other check. Range -55 to 125 degC.
Source: Maxim DS18B20 datasheet 19-7487 Rev 6; Linux drivers/w1/slaves/w1_therm.c.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read
from drivers.checks import crc8_dallas
from drivers.errors import BadChecksum, BadFrame, DeviceFault
from drivers.frames import whole

_PAD = rb"((?:[0-9a-f]{2} ){9})"
_TEXT = re.compile(_PAD + rb": crc=([0-9a-f]{2}) (YES|NO)\n" + _PAD + rb"t=(-?[0-9]{1,6})\n")
POWER_ON = 85.0
CONVERTED = 0x10  # byte 6 after a conversion of exactly n x 1 degC; 0x0C at power-up


def frame(data: bytes) -> int:
    """The kernel's text comes whole or not at all: two lines."""
    lines = data.count(b"\n")
    if lines < 2 and len(data) <= 80:
        return 0
    _parse(data)
    return len(data)


def _parse(text: bytes) -> re.Match[bytes]:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise BadFrame(f"not the text of w1_slave: {text[:80]!r}")
    return match


def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    shown, crc, verdict, again, thousandths = _parse(whole(frame, reply)).groups()
    pad = bytes.fromhex(shown.decode())
    if verdict != b"YES" or int(crc, 16) != pad[8] or crc8_dallas(pad[:8]) != pad[8]:
        raise BadChecksum("the CRC of the scratchpad does not fit: a bad contact, or nothing is connected")
    raw = int.from_bytes(pad[:2], "little", signed=True)
    if again != shown or int(thousandths) != _thousandths(raw):
        raise BadFrame(f"t={thousandths.decode()} is not what the bytes {shown.decode()!r} say")
    if not any(pad):
        raise DeviceFault("all bytes are zero: the data line is shorted to ground")
    unused = 3 - (pad[4] >> 5 & 3)
    celsius = (raw >> unused << unused) / 16
    if celsius == POWER_ON and pad[6] != CONVERTED:
        return [invalid("temperature", "power-on value: no conversion happened", celsius)]
    return [within("temperature", celsius, -55, 125)]


def encode(values: Mapping[str, float]) -> tuple[bytes, ...]:
    raw = round(values.get("temperature", 20.0) * 16)
    pad = (raw & 0xFFFF).to_bytes(2, "little") + bytes((0x4B, 0x46, 0x7F, 0xFF, 0x10 - raw % 16, 0x10))
    pad += bytes((crc8_dallas(pad),))
    shown = " ".join(f"{b:02x}" for b in pad)
    return (f"{shown} : crc={pad[8]:02x} YES\n{shown} t={_thousandths(raw)}\n".encode(),)


def _thousandths(raw: int) -> int:
    """As the kernel computes it in C, where division goes towards zero."""
    size = abs(raw) * 1000 // 16
    return -size if raw < 0 else size


DRIVER = Driver(
    name="ds18b20",
    title="Maxim DS18B20 (1-Wire)",
    points=("temperature",),
    decode=decode,
    encode=encode,
    reads=(Read(frame, timeout_s=3.0),),
    transport="file",
    every_s=1.0,
    notes=(
        "Its port is the kernel's file, /sys/bus/w1/devices/28-.../w1_slave; switch on 1-Wire in the Pi's config.txt.",
        "Give it three wires: on two (parasite power) it answers 85 degC when the supply is weak.",
    ),
)
