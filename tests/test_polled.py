"""Devices that are no serial line: the kernel's files, hidraw, I2C and lines over TCP, through the same contract."""

import os
import socket
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from smbus2 import i2c_msg

from drivers.base import Driver, Measurement, Quality, Read
from drivers.errors import BadFrame, DeviceFault, NotReady, Timeout
from drivers.library import find
from gateway.configuration.config import Config
from gateway.errors import ConfigError
from gateway.moment import SystemClock
from gateway.sources.choice import bind, build_sources, source_for
from gateway.sources.link import PortError
from gateway.sources.polled import PolledDevice
from gateway.sources.serial_bus import BoundDevice, SerialBus
from gateway.sources.transports import HidRaw, I2c, TcpLines, TextFile
from gateway.values import BusState, Lost, Readings

NEVER = threading.Event()


@contextmanager
def running(bound: BoundDevice, port: object) -> Iterator[list[object]]:
    told: list[object] = []
    stop = threading.Event()
    source = source_for(bound, str(port), told.append, SystemClock())
    thread = threading.Thread(target=source.run, args=(stop,))
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


def until(told: list[object], kind: type, count: int = 1, timeout_s: float = 4.0) -> list[object]:
    deadline = time.monotonic() + timeout_s
    while len(found := [m for m in told if isinstance(m, kind)]) < count:
        assert time.monotonic() < deadline, f"not told: {told}"
        NEVER.wait(0.01)
    return found


def test_one_wire_file(tmp_path: Path) -> None:
    """A DS18B20 is read through the kernel's file; unplugged it is told once, and read again when it is back."""
    driver = replace(find("ds18b20"), every_s=0.05)
    file = tmp_path / "w1_slave"
    text = driver.encode({"temperature": 23.125})[0]
    file.write_bytes(text)

    with running(BoundDevice("store", driver, 0.05), file) as told:
        until(told, Readings, 2)
        file.unlink()
        until(told, BusState, 2)
        file.write_bytes(text)
        until(told, BusState, 3)
        readings = until(told, Readings, 4)

        assert [s.error is None for s in told if isinstance(s, BusState)] == [True, False, True]
        assert (readings[-1].readings[0].point, readings[-1].readings[0].value) == ("store/temperature", 23.125)
        assert readings[-1].readings[0].quality is Quality.GOOD


def test_a_file_that_says_nothing_or_half(tmp_path: Path) -> None:
    """An empty file is a silent sensor and a cut one a bad frame: told as lost, never a number."""
    driver = replace(find("ds18b20"), every_s=0.05)
    file = tmp_path / "w1_slave"
    file.write_bytes(b"")

    with running(BoundDevice("store", driver, 0.05), file) as told:
        empty = until(told, Lost)[0]
        file.write_bytes(driver.encode({"temperature": 20.0})[0][:50])
        NEVER.wait(0.3)

        assert empty.cause == "Timeout"
        assert told[-1].cause == "BadFrame"
        assert not [m for m in told if isinstance(m, Readings)]


def report(data: bytes) -> int:
    if data[:1] not in {b"", b"\x07"}:
        raise BadFrame("not mine")
    return 2 if len(data) >= 2 else 0


def scripted(transport: str, every_s: float = 0.05, **read: object) -> Driver:
    return Driver(
        name="scripted",
        title="Scripted",
        points=("pressure",),
        decode=lambda replies: [Measurement("pressure", float(replies[0][1]))],
        reads=(Read(report, **{"timeout_s": 0.2, **read}),),
        transport=transport,
        every_s=every_s,
        address=0x44,
    )


def test_hid_reports() -> None:
    """A HID device is asked by a report and answers by one; old reports are thrown away; unplugged it is told."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.write(master, b"\x07\x63\x00\x00")  # of a question before us
    with running(BoundDevice("meter", scripted("hid", send=b"\xb3\x01"), 0.05), os.ttyname(slave)) as told:
        assert os.read(master, 8) == b"\xb3\x01"
        os.write(master, b"\x07\x2a\x00\x00\x00\x00\x00\x00")
        readings = until(told, Readings)
        lost = until(told, Lost)
        os.close(master)
        os.close(slave)
        states = until(told, BusState, 2)

        assert readings[0].readings[0].value == 42.0
        assert lost[0].cause == "Timeout"
        assert states[1].error


def test_hid_node_by_vendor_and_product(tmp_path: Path) -> None:
    """`hid:64bd:74e3` finds the node whatever its number; none, or two, is a sentence and no guess."""
    for number, ids in ((0, "0003:000004D9:0000A1CD"), (3, "0003:000064BD:000074E3")):
        (tmp_path / f"hidraw{number}" / "device").mkdir(parents=True)
        (tmp_path / f"hidraw{number}" / "device" / "uevent").write_text(f"DRIVER=hid\nHID_ID={ids}\n")

    with pytest.raises(PortError, match="/dev/hidraw3"):
        HidRaw("hid:64bd:74e3", tmp_path)
    with pytest.raises(PortError, match="0 USB devices"):
        HidRaw("hid:1111:2222", tmp_path)
    with pytest.raises(PortError, match="hexadecimal"):
        HidRaw("hid:xyz", tmp_path)


class FakeI2c:
    """The kernel's side of i2c_rdwr: keeps each transaction, answers `reply`, or fails with `error`."""

    def __init__(self) -> None:
        self.transactions: list[list[tuple[str, bytes | int]]] = []
        self.reply = b"\x07\x2a"
        self.error: OSError | None = None
        self.library = SimpleNamespace(i2c_msg=i2c_msg, SMBus=lambda _: self)

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        if self.error:
            raise self.error
        self.transactions.append([("read", m.len) if m.flags & 1 else ("write", bytes(m)) for m in messages])
        for message in messages:
            if message.flags & 1:
                for index, byte in enumerate(self.reply):
                    message.buf[index] = bytes((byte,))

    def close(self) -> None:
        self.transactions.append([])


@pytest.mark.parametrize(
    ("read", "transactions"),
    [
        (Read(report, b"\x06", size=2), [[("write", b"\x06"), ("read", 2)]]),
        (Read(report, b"\x2c\x06", pause_s=0.01, size=2), [[("write", b"\x2c\x06")], [("read", 2)]]),
        (Read(report, size=2), [[("read", 2)]]),
        (Read(report, b"\x36", answered=False), [[("write", b"\x36")]]),
    ],
)
def test_i2c_transactions(read: Read, transactions: list[object]) -> None:
    """Without a pause one transaction with a repeated start, with one two; a setting is only written."""
    kernel = FakeI2c()
    bus = I2c("/dev/i2c-1", 0x44, kernel.library)

    assert bus.ask(read, NEVER) == (b"\x07\x2a" if read.answered else b"")
    assert kernel.transactions == transactions


def test_i2c_errors() -> None:
    """No acknowledgement is a silent device; a missing bus is a broken port."""
    kernel = FakeI2c()
    bus = I2c("/dev/i2c-1", 0x44, kernel.library)
    read = Read(report, b"\x06", size=2)
    kernel.error = OSError(121, "Remote I/O error")
    with pytest.raises(Timeout, match="0x44"):
        bus.ask(read, NEVER)
    kernel.error = OSError(19, "No such device")
    with pytest.raises(PortError, match="gone"):
        bus.ask(read, NEVER)
    with pytest.raises(PortError):
        I2c("/dev/i2c-99", 0x44)


def test_lines_over_tcp() -> None:
    """A server's answer in pieces is one reply; when it closes, the connection is made again."""

    def line(data: bytes) -> int:
        return data.find(b"\n") + 1

    driver = replace(
        scripted("tcp"),
        reads=(Read(line, b"GET\n", timeout_s=0.5),),
        decode=lambda replies: [Measurement("pressure", float(replies[0].split()[1]))],
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"127.0.0.1:{server.getsockname()[1]}"
        with running(BoundDevice("ups", driver, 0.05), port) as told:
            for value in (b"11", b"12"):
                peer, _ = server.accept()
                with peer:
                    assert peer.recv(100) == b"GET\n"
                    peer.sendall(b"VAR ")
                    NEVER.wait(0.05)
                    peer.sendall(value + b"\n")
                    until(told, Readings, 1 if value == b"11" else 2)
            values = [m.readings[0].value for m in told if isinstance(m, Readings)]

            assert values == [11.0, 12.0]
            assert [s.error is None for s in until(told, BusState, 3)][:3] == [True, False, True]


def test_a_server_that_does_not_answer_is_not_trusted_with_the_next_question() -> None:
    """B2: after a timeout over TCP the connection is thrown away, so that a late answer answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        lines = TcpLines(f"127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(PortError, match="does not answer"):
            lines.ask(Read(report, b"GET\n", timeout_s=0.1), NEVER)
        lines.close()
    with pytest.raises(PortError, match="nobody answers"):
        TcpLines("127.0.0.1:1")


def test_a_driver_with_a_bug_is_told_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """B10: a driver's own exception is logged once and told as lost; the thread goes on."""
    file = tmp_path / "file"
    file.write_bytes(b"\x07\x2a")
    driver = replace(scripted("file"), decode=lambda replies: [replies[1]])

    with running(BoundDevice("store", driver, 0.05), file) as told:
        lost = until(told, Lost, 3)

    assert lost[0].cause == "IndexError"
    assert sum("driver-bug" in record.message for record in caplog.records) == 1


def test_not_ready_is_no_failure_unless_it_lasts(tmp_path: Path) -> None:
    """A sensor with nothing new yet is neither lost nor started again; ten times in a row is told."""
    file = tmp_path / "file"
    file.write_bytes(b"\x07\x2a")
    answers = iter([1, 0, 0, 0, 1, *[0] * 30])

    def decode(_: tuple[bytes, ...]) -> list[Measurement]:
        if not next(answers, 0):
            raise NotReady("nothing new")
        return [Measurement("pressure", 42.0)]

    with running(BoundDevice("store", replace(scripted("file", every_s=0.02), decode=decode), 0.02), file) as told:
        lost = until(told, Lost)[0]
        readings = [m for m in told if isinstance(m, Readings)]

        assert lost.cause == "NotReady"
        assert len(readings) == 2
        assert not [m for m in told[: told.index(readings[1])] if isinstance(m, Lost)]


@pytest.mark.parametrize("error", [DeviceFault, NotReady])
def test_a_sensor_that_lost_its_settings_is_started_again(tmp_path: Path, error: type[Exception]) -> None:
    """A dip of the supply too short for a missed answer: a BME280 sleeps and a CCS811 runs no application until each is
    told to; what cannot ten times in a row is started, and warmed up, again.
    """
    file = tmp_path / "file"
    file.write_bytes(b"\x07\x2a")
    starts: list[int] = []

    def started(data: bytes) -> int:
        starts.append(len(data))
        return report(data)

    def decode(_: tuple[bytes, ...]) -> list[Measurement]:
        if dipped.is_set() and len(starts) < 2:
            raise error("it sleeps")
        return [Measurement("pressure", 42.0)]

    dipped = threading.Event()
    driver = replace(scripted("file", every_s=0.02), decode=decode, start=(Read(started),), warm_up_s=0.05)
    with running(BoundDevice("store", driver, 0.02), file) as told:
        until_good(told, 0)
        dipped.set()
        until(told, Lost)
        mark = len(told)
        until_good(told, mark)
        warm = next(m for m in told[mark:] if isinstance(m, Readings)).readings[0]

    assert 2 == len(starts)
    assert "warm-up" == warm.reason


def until_good(told: list[object], mark: int) -> None:
    deadline = time.monotonic() + 10
    while not any(isinstance(m, Readings) and m.readings[0].quality is Quality.GOOD for m in told[mark:]):
        assert time.monotonic() < deadline, f"no good reading: {told[mark:]}"
        NEVER.wait(0.01)


def test_another_unit_at_the_port_is_refused(tmp_path: Path) -> None:
    """B7: a sensor that says another serial number than the configuration is told as the wrong one, with no value."""
    file = tmp_path / "file"
    file.write_bytes(b"\x07\x2a")
    driver = replace(scripted("file"), identity=Read(report), identify=lambda reply: str(reply[1]))

    with running(BoundDevice("store", driver, 0.05, identity="43"), file) as told:
        assert until(told, Lost)[0].cause == "WrongDevice"
        assert not [m for m in told if isinstance(m, Readings)]
    with running(BoundDevice("store", driver, 0.05, identity="42"), file) as told:
        until(told, Readings)


def test_each_device_gets_its_source() -> None:
    """Devices of a bus share one thread; each other one has its own, by its driver's transport."""
    tables = Config.model_validate(
        {
            "venue": {"id": "v", "name": "V"},
            "bus": {"rs485": {"port": "/dev/ttyUSB0"}, "idle": {"port": "/dev/ttyUSB1"}},
            "device": {
                "north": {"driver": "renke_rs_zs", "bus": "rs485", "address": 1},
                "south": {"driver": "renke_rs_zs", "bus": "rs485", "address": 2, "every": "2s", "identity": "S7"},
                "dust": {"driver": "sds011", "port": "/dev/ttyUSB2"},
                "store": {"driver": "ds18b20", "port": "/sys/bus/w1/devices/28-0/w1_slave"},
            },
        }
    )
    made = build_sources(tables, bind(tables), lambda _: None, SystemClock())

    assert [(source.name, type(source)) for source in made] == [
        ("rs485", SerialBus),
        ("dust", SerialBus),
        ("store", PolledDevice),
    ]
    assert [(b.name, b.driver.address, b.every_s, b.identity) for b in bind(tables)][:2] == [
        ("north", 1, 1.0, None),
        ("south", 2, 2.0, "S7"),
    ]


def test_a_device_that_cannot_be_bound_is_a_configuration_error() -> None:
    """An option that the driver does not know names the device."""
    tables = Config.model_validate(
        {
            "venue": {"id": "v", "name": "V"},
            "device": {"north": {"driver": "renke_rs_zs", "port": "/dev/x", "address": 1, "colour": "red"}},
        }
    )
    with pytest.raises(ConfigError, match="north"):
        bind(tables)
    with pytest.raises(ConfigError, match="address"):
        source_for(BoundDevice("x", replace(scripted("i2c"), address=None), 1.0), "/dev/i2c-1", print, SystemClock())


def test_a_file_source_wants_its_file() -> None:
    """A missing file is a sentence for people."""
    with pytest.raises(PortError, match="is the sensor connected"):
        TextFile("/nowhere/w1_slave")


def test_no_more_samples_are_due_than_a_device_can_give() -> None:
    """A CO2 sensor asked for every second is read every 5 s: were five times as many due, its statistics would for ever
    lack four fifths of their samples, and no rule on them would be judged.
    """
    tables = Config.model_validate(
        {
            "venue": {"id": "v", "name": "V", "timezone": "Asia/Shanghai"},
            "device": {"co2-hall": {"driver": "mh_z19b", "port": "/dev/ttyS9", "every": "1s"}},
        }
    )

    assert [5.0] == [bound.every_s for bound in bind(tables)]
