"""Modbus RTU, pure: requests as bytes, replies recognised by their request. Source: Modbus over Serial Line 1.02.

    request  UU FF  AA AA NN NN  crc crc          read: unit, function 1-4, first address, count
    reply    UU FF  BB  data ... crc crc          BB bytes of data: 2 a register, a bit a coil
    request  UU FF  AA AA VV VV  crc crc          write one: functions 5 and 6; the reply is the same bytes
    request  UU FF  AA AA NN NN BB data crc crc   write many: functions 15 and 16
    reply    UU FF  AA AA NN NN  crc crc
    reply    UU FF+80 EE crc crc                  exception EE

RTU has no transaction number: a reply is recognised by unit, function, byte count and CRC, and whoever owns the port
sees to it that no late reply is waiting. A request that comes back as an echo is no good frame here, but for functions
5 and 6, whose reply is the request itself.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from drivers.base import Framing
from drivers.checks import crc16_modbus
from drivers.errors import BadChecksum, BadFrame, DeviceFault

READ_COILS, READ_INPUTS, READ_HOLDING, READ_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
MAX_REGISTERS = 125  # of one read
MAX_BITS = 2000

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, still working",
    6: "busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}


def read(unit: int, function: int, start: int, count: int) -> bytes:
    """Ask for `count` coils (1), discrete inputs (2), holding (3) or input registers (4) from `start` on."""
    most = MAX_BITS if function in {READ_COILS, READ_INPUTS} else MAX_REGISTERS
    if function not in {1, 2, 3, 4} or not 1 <= count <= most or start + count > 0x10000:
        raise ValueError(f"cannot read {count} from {start} with function {function}")
    return _framed(struct.pack(">BBHH", unit, function, start, count))


def write_coil(unit: int, address: int, on: bool) -> bytes:
    return _framed(struct.pack(">BBHH", unit, WRITE_COIL, address, 0xFF00 if on else 0))


def write_register(unit: int, address: int, value: int) -> bytes:
    return _framed(struct.pack(">BBHH", unit, WRITE_REGISTER, address, value))


def write_coils(unit: int, start: int, values: Sequence[bool]) -> bytes:
    if not 1 <= len(values) <= 0x7B0:
        raise ValueError(f"cannot write {len(values)} coils at once")
    data = pack_bits(values)
    return _framed(struct.pack(">BBHHB", unit, WRITE_COILS, start, len(values), len(data)) + data)


def write_registers(unit: int, start: int, values: Sequence[int]) -> bytes:
    count = len(values)
    if not 1 <= count <= 0x7B:
        raise ValueError(f"cannot write {count} registers at once")
    return _framed(struct.pack(f">BBHHB{count}H", unit, WRITE_REGISTERS, start, count, 2 * count, *values))


@lru_cache(maxsize=1024)
def reply(request: bytes) -> Framing:
    """How the reply to `request` is recognised: by its unit, function, byte count or repeated fields, and CRC."""
    unit, function = request[0], request[1]
    head, length = _expected(request)
    exception = bytes((unit, function | 0x80))

    def frame(buffer: bytes) -> int:
        if buffer[: len(head)] == head[: len(buffer)]:
            expected = length
        elif buffer[:2] == exception:
            expected = 5
        else:
            raise BadFrame(f"not a reply of unit {unit} to function {function}: {buffer[:8].hex(' ')}")
        if len(buffer) < expected:
            return 0
        if crc16_modbus(buffer[: expected - 2]) != buffer[expected - 2 : expected]:
            raise BadChecksum(f"CRC does not fit: {buffer[:expected].hex(' ')}")
        return expected

    return frame


def parse(request: bytes, received: bytes) -> bytes:
    """The data of a good reply, between its head and its CRC. An exception is a DeviceFault with its meaning."""
    if not received or reply(request)(received) != len(received):
        raise BadFrame(f"not one whole frame: {received[:8].hex(' ')}")
    if received[1] & 0x80:
        code = received[2]
        raise DeviceFault(f"exception {code}: {EXCEPTIONS.get(code, 'unknown')}")
    return received[3 if request[1] <= READ_REGISTERS else 2 : -2]


def registers(request: bytes, received: bytes) -> tuple[int, ...]:
    """The unsigned registers of a reply to function 3 or 4."""
    data = parse(request, received)
    return struct.unpack(f">{len(data) // 2}H", data)


def answer(request: bytes, data: bytes) -> bytes:
    """What a slave says to a read (1-4) with `data`; to a write, with any data, its confirmation."""
    if request[1] > READ_REGISTERS:
        return _framed(request[:6])
    return _framed(request[:2] + bytes((len(data),)) + data)


def exception(request: bytes, code: int) -> bytes:
    """What a slave says when it cannot."""
    return _framed(bytes((request[0], request[1] | 0x80, code)))


def pack_bits(values: Sequence[bool]) -> bytes:
    """Coils as Modbus packs them: the first in the lowest bit of the first byte."""
    data = bytearray((len(values) + 7) // 8)
    for index, on in enumerate(values):
        data[index // 8] |= on << index % 8
    return bytes(data)


def _expected(request: bytes) -> tuple[bytes, int]:
    """How a good reply begins, and how long it is."""
    function, count = request[1], int.from_bytes(request[4:6], "big")
    if function in {READ_COILS, READ_INPUTS}:
        size = (count + 7) // 8
    elif function in {READ_HOLDING, READ_REGISTERS}:
        size = 2 * count
    elif function in {WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS}:
        return request[:6], 8
    else:
        raise ValueError(f"function {function} is not one of 1-6, 15, 16")
    return request[:2] + bytes((size,)), 5 + size


def _framed(body: bytes) -> bytes:
    return body + crc16_modbus(body)
