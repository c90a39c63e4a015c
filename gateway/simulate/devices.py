"""What a simulated device says, byte for byte: answers to its driver's requests, and a Modbus slave's to any other.

Pure: bytes and moments in, bytes out. Whoever owns the port owns these.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from drivers import modbus
from drivers.base import Driver
from drivers.checks import crc16_modbus
from gateway.catalogue import say
from gateway.errors import Refused
from gateway.moment import Moment
from gateway.simulate.actions import Action, Fail, FaultKind, Heal, Move
from gateway.simulate.world import DeviceWorld

BUSY = 6
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2
_FILE_FAULTS = {FaultKind.SILENT, FaultKind.UNPLUGGED, FaultKind.SHORT, FaultKind.GARBAGE}
_WRITES_ONE, _WRITES_MANY = (5, 6), (15, 16)


@dataclass(frozen=True, slots=True)
class Heard:
    """A request at the start of a buffer: how long it is, and what a healthy device answers (nothing: b"")."""

    length: int
    reply: bytes


class SimulatedDevice:
    """One instrument: its levels, its fault, and its answers."""

    def __init__(self, name: str, driver: Driver, every_s: float | None = None) -> None:
        if driver.transport not in {"serial", "file"} or driver.encode is None:
            raise Refused(
                say(
                    "{device} cannot be simulated: its driver {driver} speaks over {transport}; "
                    "serial devices and files can, or use --simulate pins",
                    device=name,
                    driver=driver.name,
                    transport=driver.transport,
                )
            )
        self.name = name
        self.fault: Fail | None = None
        self.is_file = driver.transport == "file"
        self.streams = any(not read.send for read in driver.reads)
        self.every_s = driver.every_s if every_s is None else every_s
        self._world = DeviceWorld(name, driver)
        self._encode = driver.encode
        self._identity = driver.identity
        self._streamed = tuple(i for i, read in enumerate(driver.reads) if not read.send)
        self._asked = {read.send: (i if read.answered else None) for i, read in enumerate(driver.reads) if read.send}
        for read in driver.start:
            self._asked.setdefault(read.send, None)
        self._introduced: dict[bytes, bytes] = {}
        if driver.identity is not None and driver.introduce is not None:
            serial = crc16_modbus(name.encode()).hex()
            self._introduced[driver.identity.send] = driver.introduce(serial)
        self._modbus = {read.send: i for i, read in enumerate(driver.reads) if _is_modbus_read(read.send)}
        self.unit = next((send[0] for send in self._modbus), None)
        self._noise = random.Random(name)  # noqa: S311  a repeatable play, not a secret

    # ---- what is done to it

    def check(self, point: str | None, action: Action) -> None:
        """Raise Refused if this cannot be done to this device."""
        match action:
            case Move():
                self._world.level(point)
            case Fail(kind) if kind in {FaultKind.WRONG_UNIT, FaultKind.BUSY} and self.unit is None:
                raise Refused(say("{device} speaks no Modbus, so it cannot play {fault}", device=self.name, fault=kind))
            case Fail(kind) if self.is_file and kind not in _FILE_FAULTS:
                raise Refused(
                    say("{device} is a file: it can be silent, unplugged, short or garbage", device=self.name)
                )
            case Fail(FaultKind.ECHO) if self.streams:
                raise Refused(say("{device} talks by itself, so it has nothing to echo", device=self.name))
            case Fail() | Heal():
                pass
            case _:
                raise Refused(say("{device} is a device: it has a level, fault KIND and ok", device=self.name))

    def do(self, point: str | None, action: Action, now: Moment) -> None:
        match action:
            case Move(value, None):
                self._world.level(point).hold(value)
            case Move(value, over_s):
                self._world.level(point).move(value, over_s or 0.0, now)
            case Fail():
                self.fault = action
            case Heal():
                self.fault = None
                self._world.free()

    # ---- what it says

    def values(self, now: Moment) -> Mapping[str, float]:
        return self._world.values(now)

    def stream(self, now: Moment) -> bytes:
        """What a device that talks by itself says once."""
        replies = self._encode(self._world.values(now))
        return b"".join(replies[i] for i in self._streamed)

    def hear(self, buffer: bytes, now: Moment) -> Heard | None:
        """The request to this device that the buffer begins with, or None."""
        for send, reply in self._introduced.items():
            if buffer.startswith(send):
                return Heard(len(send), reply)
        for send, index in sorted(self._asked.items(), key=lambda item: -len(item[0])):
            if buffer.startswith(send):
                if index is not None:
                    return Heard(len(send), self._encode(self._world.values(now))[index])
                if not _is_modbus(send):
                    return Heard(len(send), b"")
        if self.unit is not None and buffer[:1] == bytes((self.unit,)):
            return self._as_slave(buffer, now)
        return None

    def expects(self, buffer: bytes) -> bool:
        """True while the buffer may still become a request to this device."""
        return any(send.startswith(buffer) for send in (*self._asked, *self._introduced)) or (
            self.unit is not None and buffer[0] == self.unit and (_modbus_length(buffer) or 256) > len(buffer)
        )

    def _as_slave(self, buffer: bytes, now: Moment) -> Heard | None:
        length = _modbus_length(buffer)
        if not length or len(buffer) < length or not _is_modbus(buffer[:length]):
            return None
        request = buffer[:length]
        function = request[1]
        if function in _WRITES_ONE:
            return Heard(length, request)
        if function in _WRITES_MANY:
            return Heard(length, _with_crc(request[:6]))
        start, count = struct.unpack_from(">HH", request, 2)
        words = self._registers(now)
        known = [words.get((function, address)) for address in range(start, start + count)]
        if not any(f == function for f, _ in words):
            return Heard(length, modbus.exception(request, ILLEGAL_FUNCTION))
        if function < modbus.READ_HOLDING or None in known or not 1 <= count <= modbus.MAX_REGISTERS:
            return Heard(length, modbus.exception(request, ILLEGAL_ADDRESS))
        data = b"".join(word for word in known if word is not None)
        return Heard(length, modbus.answer(request, data))

    def _registers(self, now: Moment) -> dict[tuple[int, int], bytes]:
        """Every register that the driver reads, as it stands in the answers: (function, address) to two bytes."""
        replies = self._encode(self._world.values(now))
        words: dict[tuple[int, int], bytes] = {}
        for send, index in self._modbus.items():
            function, start, _count = struct.unpack_from(">BHH", send, 1)
            data = replies[index][3:-2]
            words |= {(function, start + i // 2): data[i : i + 2] for i in range(0, len(data), 2)}
        if self._identity is not None and _is_modbus_read(self._identity.send):
            function, start, count = struct.unpack_from(">BHH", self._identity.send, 1)
            serial = crc16_modbus(self.name.encode())
            words |= {(function, start + i): serial for i in range(count)}
        return words

    def spoil(self, request: bytes, reply: bytes) -> bytes:
        """The reply as the present fault lets it onto the wire."""
        if self.fault is None or not reply:
            return reply
        match self.fault.kind:
            case FaultKind.SILENT | FaultKind.UNPLUGGED:
                return b""
            case FaultKind.WRONG_UNIT:
                return _with_crc(bytes((reply[0] % 247 + 1,)) + reply[1:-2])
            case FaultKind.BAD_CRC:
                return reply[:-1] + bytes((reply[-1] ^ 0x20,))
            case FaultKind.SHORT:
                return reply[: len(reply) // 2]
            case FaultKind.ECHO:
                return request + reply
            case FaultKind.GARBAGE:
                return self._noise.randbytes(self._noise.randint(1, 5)) + reply
            case FaultKind.BUSY:
                return modbus.exception(request, BUSY)
            case FaultKind.LATE:
                return reply


def _is_modbus(frame: bytes) -> bool:
    return len(frame) >= 8 and crc16_modbus(frame[:-2]) == frame[-2:]


def _is_modbus_read(frame: bytes) -> bool:
    return len(frame) == 8 and frame[1] in {1, 2, 3, 4} and _is_modbus(frame)


def _modbus_length(buffer: bytes) -> int:
    """How long the request is that begins here; 0 while that cannot be said."""
    if len(buffer) < 2:
        return 0
    if buffer[1] in _WRITES_MANY:
        return 9 + buffer[6] if len(buffer) > 6 else 0
    return 8


def _with_crc(body: bytes) -> bytes:
    return body + crc16_modbus(body)
