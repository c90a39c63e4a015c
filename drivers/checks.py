"""Checksums, each with the known answer that `tests/test_checks.py` holds it to."""

from functools import cache


def crc16_modbus(data: bytes) -> bytes:
    """CRC-16/Modbus (poly 0xA001 reflected, start 0xFFFF), low byte first as it goes over the wire."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC16[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def _crc16_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC16 = _crc16_table()


def crc8(data: bytes, poly: int = 0x31, start: int = 0xFF) -> int:
    """CRC-8, most significant bit first: Sensirion by default; SMBus PEC is poly 0x07, start 0."""
    table = _crc8_table(poly)
    crc = start
    for byte in data:
        crc = table[crc ^ byte]
    return crc


@cache
def _crc8_table(poly: int) -> bytes:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = ((crc << 1) ^ poly) & 0xFF if crc & 0x80 else crc << 1
        table.append(crc)
    return bytes(table)


def crc8_dallas(data: bytes) -> int:
    """CRC-8 of 1-Wire (poly 0x31 reflected, start 0). Nine zero bytes are "valid": check for them too."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8C if crc & 1 else crc >> 1
    return crc


def sum16(data: bytes) -> bytes:
    """Sum of all bytes, 16 bit, high byte first (Plantower, UT353BT)."""
    return (sum(data) & 0xFFFF).to_bytes(2, "big")


def sum8(data: bytes) -> int:
    return sum(data) & 0xFF


def winsen(data: bytes) -> int:
    """Two's complement of the sum of bytes 1..7 of a Winsen frame (pass those bytes, without the leading 0xFF)."""
    return -sum(data) & 0xFF


def xor(data: bytes) -> int:
    result = 0
    for byte in data:
        result ^= byte
    return result
