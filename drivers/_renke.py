"""The service question of Renke transmitters: which speed and address has the one device on this line?

    question  FD FD FD 00 00  crc crc      00: leave as it is
    answer    FD FD FD BB AA  crc crc

- BB: 1 = 2400, 2 = 4800, 3 = 9600 baud (not the codes of register 0x07D1).  AA: its Modbus address.
- crc: as Modbus, low byte first.  Other units take no notice: 0xFD is no address that they have.
Undocumented, reverse engineered on a ZTS-3008-WS-N01, which said FD FD FD 02 01 29 28. With two such devices on the
line both answer at once, and the check fails.
"""

from __future__ import annotations

from drivers.base import Read
from drivers.checks import crc16_modbus
from drivers.errors import BadChecksum, BadFrame

_HEAD = b"\xfd\xfd\xfd"
_BAUDS = {1: 2400, 2: 4800, 3: 9600}
_LENGTH = 7


def frame(buffer: bytes) -> int:
    """Not the question itself, which a line with an echo gives back."""
    if buffer[:3] != _HEAD[: len(buffer)] or buffer[3:4] == b"\x00":
        raise BadFrame(f"no answer to the service question: {buffer[:8].hex(' ')}")
    if len(buffer) < _LENGTH:
        return 0
    if crc16_modbus(buffer[:5]) != buffer[5:_LENGTH]:
        raise BadChecksum(f"CRC does not fit: {buffer[:_LENGTH].hex(' ')}")
    return _LENGTH


def settings(answer: bytes) -> tuple[int | None, int]:
    """Speed (None: a code that is not known) and address. Raises BadFrame."""
    if frame(answer) != len(answer):
        raise BadFrame(f"not one whole answer: {answer.hex(' ')}")
    return _BAUDS.get(answer[3]), answer[4]


QUESTION = Read(frame, _HEAD + bytes(2) + crc16_modbus(_HEAD + bytes(2)), timeout_s=0.3)
