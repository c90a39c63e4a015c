"""Winsen gas and dust modules: what they share. UART 3.3 V (supply 5 V), 9600 8N1, blocks of nine bytes.

    FF 01  cmd  a b c d e  SS      command; 01 is the sensor's number and never another on a wire of its own
    FF cmd  six bytes      SS      answer

SS: two's complement of the sum of bytes 1 to 7. Numbers are big-endian. An echoed command begins `FF 01`, no answer
does. Some printed frames end in 00: they were cut short by the printer and are no frames.
"""

from __future__ import annotations

from drivers.base import Framing, Read
from drivers.checks import winsen
from drivers.errors import BadChecksum, BadFrame

SIZE = 9


def block(*data: int) -> bytes:
    """Start byte, the bytes given (filled up with 0), and the check."""
    body = bytes(data).ljust(SIZE - 2, b"\0")
    return b"\xff" + body + bytes((winsen(body),))


def command(code: int, *data: int) -> bytes:
    return block(1, code, *data)


READ = command(0x86)


def framing(*head: int) -> Framing:
    """Blocks that begin with FF and these bytes."""
    start = bytes((0xFF, *head))

    def frame(data: bytes) -> int:
        if data[: len(start)] != start[: len(data)]:
            raise BadFrame(f"the answer does not begin with {start.hex(' ')!r}: {data[:4].hex(' ')!r}")
        if len(data) < SIZE:
            return 0
        if winsen(data[1:8]) != data[8]:
            raise BadChecksum("the check of a Winsen block does not fit")
        return SIZE

    return frame


def setting(send: bytes) -> Read:
    """A command whose answer differs by firmware, or never comes: sent, and not waited for."""
    return Read(framing(send[2]), send, pause_s=0.2, answered=False)
