"""F-BUS: a pseudo-terminal with a scripted line of Modbus units behind it, and a hand that unplugs the adapter.

    with ScriptedBus(tmp_path / "port") as line, Running(line, [device(1), device(2)]) as bus:
        line.does(2, "late", 0.3)
        bus.wait(lambda m: isinstance(m, Lost) and m.device == "unit-2")

Register r of unit u holds u * 1000 + r unless `line.registers` says otherwise, so every value tells whose it is.
"""

import contextlib
import heapq
import os
import select
import threading
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from drivers import modbus
from drivers.base import Driver, Measurement, Read
from gateway.configuration.config import Bus
from gateway.moment import Clock, SystemClock
from gateway.sources.serial_bus import BoundDevice, SerialBus
from gateway.values import Lost, Readings

KINDS = (
    *("ok", "silent", "late", "wrong-unit", "bad-crc", "short", "echo", "echo-only"),
    *("garbage", "busy", "parity", "twice"),
)


def crc(data: bytes) -> bytes:
    """Bit by bit, from the specification, so that the kit does not lean on the code that it tests."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return bytes((value & 0xFF, value >> 8))


class ScriptedBus:
    """One thread plays every unit of `units`; the others are silent. `asked` keeps (seconds, request)."""

    def __init__(self, port: Path, units: Sequence[int] = range(1, 33), turn_round_s: float = 0.002) -> None:
        self.port = port
        self.turn_round_s = turn_round_s
        self.least_rest_s = 0.0  # a question that follows an answer sooner gets a damaged answer
        self._said = 0.0
        self.registers: Callable[[int, int], int] = lambda unit, register: unit * 1000 + register
        self.asked: list[tuple[float, bytes]] = []
        self._units = set(units)
        self._script: dict[int, tuple[str, float]] = {}
        self._master: int | None = None
        self._slave: int | None = None
        self._due: list[tuple[float, int, bytes]] = []
        self._count = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, name="scripted-bus")

    def does(self, unit: int, kind: str, seconds: float = 0.0) -> None:
        assert kind in KINDS
        self._script[unit] = (kind, seconds)

    def say(self, data: bytes) -> None:
        """Bytes that nobody asked for."""
        self._later(0.0, data)

    def plug(self) -> str:
        """Plugs the adapter in; the number that it got."""
        master, slave = os.openpty()
        tty.setraw(slave)
        self.port.unlink(missing_ok=True)
        self.port.symlink_to(os.ttyname(slave))
        # Kept open, so that a program that closes the port does not look to us as if the line had gone.
        self._slave, self._master = slave, master
        return os.ttyname(slave)

    def unplug(self) -> None:
        self.port.unlink(missing_ok=True)
        master, slave, self._master, self._slave = self._master, self._slave, None, None
        for fd in (master, slave):
            if fd is not None:
                os.close(fd)

    def __enter__(self) -> Self:
        self.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)
        self.unplug()

    def _play(self) -> None:
        buffer = b""
        while not self._stop.is_set():
            master = self._master
            if master is None:
                self._stop.wait(0.01)
                continue
            wait_s = min(0.02, max(0.0, self._due[0][0] - time.monotonic())) if self._due else 0.02
            with contextlib.suppress(OSError, ValueError):  # unplugged meanwhile
                if select.select([master], [], [], wait_s)[0]:
                    buffer = self._hear(buffer + os.read(master, 4096))
                while self._due and self._due[0][0] <= time.monotonic():
                    os.write(master, heapq.heappop(self._due)[2])
                    self._said = time.monotonic()

    def _hear(self, buffer: bytes) -> bytes:
        while len(buffer) >= 8:
            request, rest = buffer[:8], buffer[8:]
            if crc(request[:6]) == request[6:]:
                self.asked.append((time.monotonic(), request))
                self._answer(request)
                buffer = rest
            else:
                buffer = buffer[1:]
        return buffer

    def _answer(self, request: bytes) -> None:
        unit = request[0]
        if unit not in self._units:
            return
        kind, seconds = self._script.get(unit, ("ok", 0.0))
        if time.monotonic() - self._said < self.least_rest_s:
            kind = "bad-crc"
        for delay_s, data in self._replies(kind, seconds, request):
            self._later(self.turn_round_s + delay_s, data)

    def _replies(self, kind: str, seconds: float, request: bytes) -> list[tuple[float, bytes]]:
        unit, function = request[0], request[1]
        start, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
        data = b"".join((self.registers(unit, start + i) & 0xFFFF).to_bytes(2, "big") for i in range(count))
        body = bytes((unit, function, len(data))) + data
        good = body + crc(body)
        other = bytes((unit % 247 + 1,)) + body[1:]
        busy = bytes((unit, function | 0x80, 6))
        return {
            "ok": [(0.0, good)],
            "silent": [],
            "late": [(seconds, good)],
            "wrong-unit": [(0.0, other + crc(other))],
            "bad-crc": [(0.0, good[:-1] + bytes((good[-1] ^ 0x40,)))],
            "short": [(0.0, good[:-3])],
            "echo": [(0.0, request), (0.01, good)],
            "echo-only": [(0.0, request)],
            "garbage": [(0.0, b"\x00\xff" + request[:1]), (0.01, good)],
            "busy": [(0.0, busy + crc(busy))],
            "parity": [(0.0, bytes((unit, 0, 0, 0, 0x80, 0)))],
            "twice": [(0.0, good + good)],
        }[kind]

    def _later(self, seconds: float, data: bytes) -> None:
        self._count += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._count, data))


def driver(
    unit: int, blocks: Sequence[tuple[int, int]] = ((0, 1),), timeout_s: float = 0.15, every_s: float = 0.05
) -> Driver:
    """Reads blocks (start, count) of `unit`; the values come as pressure_0, pressure_1 ... in the order read."""
    requests = tuple(modbus.read(unit, 3, start, count) for start, count in blocks)
    channels = sum(count for _, count in blocks)

    def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
        values = [v for ask, reply in zip(requests, replies, strict=True) for v in modbus.registers(ask, reply)]
        return [Measurement("pressure", float(value), channel=str(i)) for i, value in enumerate(values)]

    return Driver(
        name="scripted",
        title="Scripted",
        points=tuple(f"pressure_{i}" for i in range(channels)),
        decode=decode,
        reads=tuple(Read(modbus.reply(request), request, timeout_s=timeout_s) for request in requests),
        address=unit,
        every_s=every_s,
    )


def device(unit: int, every_s: float = 0.05, **options: object) -> BoundDevice:
    return BoundDevice(f"unit-{unit}", driver(unit, every_s=min(every_s, 0.05), **options), every_s)


def patient(bound: BoundDevice, timeout_s: float) -> BoundDevice:
    """The same device with other timeouts."""
    reads = tuple(replace(read, timeout_s=timeout_s) for read in bound.driver.reads)
    return replace(bound, driver=replace(bound.driver, reads=reads))


class Running:
    """A SerialBus in its thread, and everything that it told."""

    def __init__(
        self, port: Path | str, devices: Sequence[BoundDevice], clock: Clock | None = None, **settings: object
    ) -> None:
        self.told: list[object] = []
        self.failed: list[Exception] = []
        self._news = threading.Condition()
        self.stop = threading.Event()
        config = Bus(**{"port": str(port), "baud": 115200, "gap": "2ms", **settings})
        self.bus = SerialBus("line", config, devices, self._hear, clock or SystemClock())
        self._thread = threading.Thread(target=self._run, name="bus-under-test")

    def wait(self, wanted: Callable[[object], bool], timeout_s: float = 20.0, after: int = 0) -> object:
        """The first message from position `after` on that is wanted; AssertionError when none comes in time."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while True:
                for message in self.told[after:]:
                    if wanted(message):
                        return message
                left_s = deadline - time.monotonic()
                assert left_s > 0, f"not told; last: {self.told[-3:]}"
                self._news.wait(left_s)

    def readings(self, name: str, after: int = 0) -> list[Readings]:
        return [m for m in self.told[after:] if isinstance(m, Readings) and m.device == name]

    def lost(self, name: str, after: int = 0) -> list[Lost]:
        return [m for m in self.told[after:] if isinstance(m, Lost) and m.device == name]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()
        assert self.failed == [], self.failed

    def _run(self) -> None:
        try:
            self.bus.run(self.stop)
        except Exception as error:  # noqa: BLE001  shown by __exit__
            self.failed.append(error)

    def _hear(self, message: object) -> None:
        with self._news:
            self.told.append(message)
            self._news.notify_all()
