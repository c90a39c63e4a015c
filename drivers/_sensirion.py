"""Sensirion sensors on I2C: 16-bit words, big-endian, each followed by its CRC-8 (poly 0x31, start 0xFF)."""

from __future__ import annotations

import struct

from drivers.base import Framing
from drivers.checks import crc8
from drivers.errors import BadChecksum
from drivers.frames import whole


def pack(*words: int) -> bytes:
    """Words as the sensor sends them, or wants them after a command."""
    parts = [struct.pack(">H", word) for word in words]
    return b"".join(part + bytes((crc8(part),)) for part in parts)


def command(code: int, *arguments: int) -> bytes:
    return struct.pack(">H", code) + pack(*arguments)


def framing(count: int) -> Framing:
    """An answer of so many words."""
    size = 3 * count

    def frame(data: bytes) -> int:
        for at in range(0, min(len(data), size) - 2, 3):
            if crc8(data[at : at + 2]) != data[at + 2]:
                raise BadChecksum(f"the CRC of word {at // 3} does not fit: {data[at : at + 3].hex(' ')!r}")
        return size if len(data) >= size else 0

    return frame


def words(frame: Framing, reply: bytes) -> tuple[int, ...]:
    """The words of one whole answer."""
    data = whole(frame, reply)
    return tuple(data[at] << 8 | data[at + 1] for at in range(0, len(data), 3))
