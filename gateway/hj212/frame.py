"""The frame of HJ 212: `##`, four digits of length, the data segment, four hexadecimal digits of its CRC, CR LF.

The CRC looks like CRC-16/MODBUS and is not: for every byte the low half of the register is thrown away, so only 256
values exist and one damaged frame in 256 passes. Length, tail and the segment's own form are checked beside it.
Deployed software uses either dialect; a receiver takes both and tells which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

HEAD, TAIL = b"##", b"\r\n"
MOST_SEGMENT = 1024  # bytes
OVERHEAD = 12  # head, length, CRC, tail
LARGEST = MOST_SEGMENT + OVERHEAD

Dialect = Literal["standard", "modbus"]
Damage = Literal["junk", "length", "tail", "crc"]
_HEX = frozenset(b"0123456789ABCDEFabcdef")


def _eight_shifts(register: int) -> int:
    for _ in range(8):
        register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return register


_TABLE = tuple(_eight_shifts(byte) for byte in range(256))


def crc_standard(data: bytes) -> int:
    """As HJ 212 has it: the high half of the register XOR the byte; the low half is lost."""
    register = 0xFFFF
    for byte in data:
        register = _TABLE[(register >> 8) ^ byte]
    return register


def crc_modbus(data: bytes) -> int:
    """CRC-16/MODBUS, which much deployed software sends instead. Written high byte first all the same."""
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ _TABLE[(register ^ byte) & 0xFF]
    return register


CRCS: Mapping[Dialect, Callable[[bytes], int]] = {"standard": crc_standard, "modbus": crc_modbus}


def wrap(segment: bytes, dialect: Dialect = "standard") -> bytes:
    """The whole frame, CR LF included. ValueError when the segment is longer than the standard allows."""
    if len(segment) > MOST_SEGMENT:
        raise ValueError(f"a data segment of {len(segment)} bytes; the standard allows {MOST_SEGMENT}")
    return b"##%04d%b%04X\r\n" % (len(segment), segment, CRCS[dialect](segment))


@dataclass(frozen=True, slots=True)
class Frame:
    segment: bytes
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that are no frame, and why; they are dropped and counted, and never answered."""

    damage: Damage


class Splitter:
    """Finds frames in a stream of hostile bytes. Holds at most one frame's worth of them between calls."""

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def waiting(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return len(self._buffer)

    def forget(self) -> None:
        """Half a frame and silence: what comes next is another one."""
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Frame | Damaged]:
        buffer = self._buffer + data
        at = 0
        while True:
            start = buffer.find(HEAD, at)
            if start < 0:
                rest = len(buffer) - buffer.endswith(b"#")  # the first half of a head, perhaps
                if rest > at:
                    yield Damaged("junk")
                    at = rest
                break
            if start > at:
                yield Damaged("junk")
                at = start
            found, end = _frame_at(buffer, start)
            if found is None:
                break
            at = end
            yield found
        self._buffer = buffer[at:]


def _frame_at(buffer: bytes, start: int) -> tuple[Frame | Damaged | None, int]:
    """The frame that begins here and where it ends; None when more bytes are needed."""
    digits = buffer[start + 2 : start + 6]
    length = int(digits) if digits.isdigit() else 0
    if (digits and not digits.isdigit()) or length > MOST_SEGMENT:
        return Damaged("length"), _next_head(buffer, start + 1)
    check_at = start + 6 + length
    end = check_at + 6
    if len(digits) < 4 or len(buffer) < end:
        return None, start
    if buffer[end - 2 : end] != TAIL:
        return Damaged("tail"), _next_head(buffer, start + 2)
    segment, check = buffer[start + 6 : check_at], buffer[check_at : end - 2]
    if _HEX.issuperset(check):
        for dialect, crc in CRCS.items():
            if crc(segment) == int(check, 16):
                return Frame(segment, dialect), end
    return Damaged("crc"), end  # as a whole: heads inside it are not looked at


def _next_head(buffer: bytes, at: int) -> int:
    """What follows a bad head belongs to it: up to the next head, or to the end."""
    start = buffer.find(HEAD, at)
    return start if start >= 0 else len(buffer) - buffer.endswith(b"#")
