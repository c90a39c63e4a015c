"""Each checksum against its published answer and against somebody else's implementation."""

from __future__ import annotations

import binascii
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from drivers import checks


@pytest.mark.parametrize(
    ("check", "data", "expected"),
    [
        (checks.crc16_modbus, "01 03 00 00 00 01", "84 0a"),
        (checks.crc16_modbus, "31 32 33 34 35 36 37 38 39", "37 4b"),  # the catalogue's "123456789": 0x4B37
        (checks.crc16_modbus, "fe 44 00 08 02", "9f 25"),
        (checks.sum16, "42 4d e1 00 00", "01 70"),
        (checks.sum16, "aa bb 10 01 3b 20 20 35 34 2e 37 64 42 41 3d 33 08", "04 1e"),
        (checks.winsen, "01 86 00 00 00 00 00", "79"),
        (checks.winsen, "86 02 60 47 00 00 00", "d1"),
        (checks.sum8, "5a 5a 45 04 0c 78 0d 19", "a7"),
        (checks.sum8, "d4 04 3a 0a a1 60", "1d"),
        (checks.xor, "02 01 43 44 4d 41 31 20 3f 03", "25"),
        (checks.xor, "02 01 43 53 54 41 31 03", "34"),
        (checks.crc8, "be ef", "92"),
        (checks.crc8, "00 00", "81"),
        (checks.crc8, "ff ff", "ac"),
        (checks.crc8, "66 67", "a2"),
        (checks.crc8_dallas, "72 01 4b 46 7f ff 0e 10", "57"),
        (checks.crc8_dallas, "31 32 33 34 35 36 37 38 39", "a1"),  # the catalogue's "123456789" (CRC-8/MAXIM)
        (checks.crc8_dallas, "00 00 00 00 00 00 00 00", "00"),  # why nine zeros pass
    ],
)
def test_known_answers(check: Callable[[bytes], bytes | int], data: str, expected: str) -> None:
    """What the datasheets and the CRC catalogue print."""
    found = check(bytes.fromhex(data))

    assert expected == (found if isinstance(found, bytes) else bytes((found,))).hex(" ")


def test_the_check_of_an_smbus_word() -> None:
    """MLX90614: the PEC covers address and command bytes too."""

    assert checks.crc8(bytes.fromhex("b4 07 b5 d2 3a"), poly=0x07, start=0) == 0x30
    assert checks.crc8(b"123456789", poly=0x07, start=0) == 0xF4  # CRC-8/SMBUS


@given(st.binary(max_size=300))
def test_crc16_is_that_of_pymodbus(data: bytes) -> None:
    """Any bytes, against an implementation that is not ours."""

    assert FramerRTU.compute_CRC(data).to_bytes(2, "big") == checks.crc16_modbus(data)


@given(st.binary(max_size=300))
def test_sums_by_other_means(data: bytes) -> None:
    """Sums against the same sums formed in another way: bytewise carry, pairing, and 32-bit arithmetic."""
    total = int.from_bytes(checks.sum16(data), "big")

    assert checks.sum8(data) == total % 256
    assert (checks.winsen(data) + checks.sum8(data)) % 256 == 0
    assert checks.xor(data + data) == 0
    assert checks.xor(data) == checks.xor(data[::2]) ^ checks.xor(data[1::2])


@given(st.binary(min_size=1, max_size=64))
def test_a_crc_over_its_own_frame_is_nought(data: bytes) -> None:
    """The defining property of a CRC, for every polynomial in use."""

    assert checks.crc16_modbus(data + checks.crc16_modbus(data)) == b"\x00\x00"
    assert checks.crc8(data + bytes((checks.crc8(data),))) == 0
    assert checks.crc8_dallas(data + bytes((checks.crc8_dallas(data),))) == 0


@given(st.binary(max_size=64))
def test_crc8_by_long_division(data: bytes) -> None:
    """CRC-8 against polynomial division over GF(2), done on one big number; `binascii` checks the method itself."""

    assert divided(data, 0x131, 8, 0xFF) == checks.crc8(data)
    assert divided(data, 0x107, 8, 0) == checks.crc8(data, poly=0x07, start=0)
    assert divided(data, 0x11021, 16, 0xFFFF) == binascii.crc_hqx(data, 0xFFFF)


def divided(data: bytes, poly: int, width: int, start: int) -> int:
    """The remainder of the message, its start value XORed into its first bits, divided by the polynomial."""
    size = 8 * len(data) + width
    number = int.from_bytes(data, "big") << width
    number ^= start << (size - width)
    for bit in range(size - 1, width - 1, -1):
        if number >> bit & 1:
            number ^= poly << (bit - width)
    return number
