"""The real bus code against slaves and lines that are not ours: pymodbus, libmodbus, socat, serial servers."""

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import serial
from serial.rfc2217 import PortManager

from drivers.library import find
from gateway.sources.serial_bus import BoundDevice
from gateway.values import BusState, Lost, Readings
from tests.kit_bus import Running, ScriptedBus, device

PYMODBUS = """
import sys
from pymodbus.server import StartSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice
units = [SimDevice(id=n, simdata=[SimData(0, values=[500 + n] * 16, datatype=DataType.REGISTERS)]) for n in (1, 2)]
print("ready", flush=True)
StartSerialServer(units, port=sys.argv[1], baudrate=9600, ignore_missing_devices=True)
"""

LIBMODBUS = r"""
#include <modbus.h>
#include <stdio.h>
int main(int argc, char **argv) {
    modbus_t *line = modbus_new_rtu(argv[1], 9600, 'N', 8, 1);
    modbus_mapping_t *map = modbus_mapping_new(0, 0, 16, 0);
    for (int i = 0; i < 16; i++) map->tab_registers[i] = 501;
    modbus_set_slave(line, 1);
    if (modbus_connect(line) == -1) return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
        int length = modbus_receive(line, query);
        if (length > 0) modbus_reply(line, query, length, map);
    }
}
"""


@contextmanager
def program(*command: object, ready: bool = True) -> Iterator[None]:
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE) as child:
        try:
            assert not ready or child.stdout.readline() == b"ready\n"
            yield
        finally:
            child.kill()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two pseudo-terminals joined by socat: our end and the slave's."""
    if not shutil.which("socat"):
        pytest.skip("socat is not installed")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with program("socat", f"pty,raw,echo=0,link={ours}", f"pty,raw,echo=0,link={theirs}", ready=False):
        deadline = time.monotonic() + 5
        while not (ours.exists() and theirs.exists()) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield ours, theirs


def meter(address: int) -> BoundDevice:
    driver = replace(find("renke_rs_zs").at(address, {}), warm_up_s=0.0, every_s=0.1)
    return BoundDevice(f"meter-{address}", driver, 0.1)


def test_pymodbus_slaves(pair: tuple[Path, Path]) -> None:
    """Two units of pymodbus's serial server are read as noise meters; an address that the server refuses is told as the
    device's own fault.
    """
    ours, theirs = pair

    with (
        program(sys.executable, "-c", PYMODBUS, theirs),
        Running(ours, [meter(1), meter(2), replace(device(1, blocks=[(900, 1)]), name="beyond")]) as bus,
    ):
        one = bus.wait(lambda m: isinstance(m, Readings) and m.device == "meter-1", 10)
        two = bus.wait(lambda m: isinstance(m, Readings) and m.device == "meter-2")
        beyond = bus.wait(lambda m: isinstance(m, Lost) and m.device == "beyond")

        assert (one.readings[0].value, two.readings[0].value) == (50.1, 50.2)
        assert beyond.cause == "DeviceFault"
        assert "illegal data address" in beyond.detail


def test_libmodbus_slave(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A slave built on libmodbus, compiled here, is read as a noise meter."""
    ours, theirs = pair
    source, binary = tmp_path / "slave.c", tmp_path / "slave"
    source.write_text(LIBMODBUS)
    if not shutil.which("gcc") or not Path("/usr/include/modbus/modbus.h").exists():
        pytest.skip("gcc or libmodbus-dev is not installed")
    subprocess.run(["gcc", source, "-o", binary, "-I/usr/include/modbus", "-lmodbus"], check=True)

    with program(binary, theirs), Running(ours, [meter(1)]) as bus:
        bus.stop.wait(1.0)
        levels = {m.readings[0].value for m in bus.readings("meter-1")}

        assert levels == {50.1}
        assert len(bus.readings("meter-1")) >= 8
        assert bus.lost("meter-1") == []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_serial_server_of_raw_bytes(tmp_path: Path) -> None:
    """A TCP to serial server (socat) is a bus like any other; when it goes away and comes back, so do the readings."""
    number = free_port()
    command = ("socat", f"TCP-LISTEN:{number},bind=127.0.0.1,reuseaddr", f"FILE:{tmp_path / 'line'},raw,echo=0")

    with ScriptedBus(tmp_path / "line"), Running(f"socket://127.0.0.1:{number}", [device(1, timeout_s=0.5)]) as bus:
        bus.wait(lambda m: isinstance(m, BusState) and m.error is not None)
        with program(*command, ready=False):
            bus.wait(lambda m: isinstance(m, Readings))
            mark = len(bus.told)
        bus.wait(lambda m: isinstance(m, BusState) and m.error is not None, after=mark)
        with program(*command, ready=False):
            bus.wait(lambda m: isinstance(m, Readings), after=len(bus.told))
            values = {r.value for m in bus.readings("unit-1") for r in m.readings}

            assert values == {1000.0}


class Line(serial.Serial):
    """A pseudo-terminal has no modem lines: all are said to be on."""

    cts = dsr = ri = cd = dtr = rts = True


def serve_rfc2217(server: socket.socket, port: str, stop: threading.Event) -> None:
    """One connection of a serial server that also sets speed and parity, on pyserial's own server side."""
    peer, _ = server.accept()
    with peer, Line(port, timeout=0) as line:
        peer.settimeout(0.01)
        connection = SimpleNamespace(write=peer.sendall)
        manager = PortManager(line, connection)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                line.write(b"".join(manager.filter(peer.recv(1024))))
            if data := line.read(1024):
                peer.sendall(b"".join(manager.escape(data)))


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # in pyserial 3.5 itself
def test_serial_server_by_rfc2217(tmp_path: Path) -> None:
    """A serial server by RFC 2217 is a bus like any other, and is told the line's speed."""
    stop = threading.Event()
    with ScriptedBus(tmp_path / "line") as line, socket.create_server(("127.0.0.1", 0)) as server:
        served = threading.Thread(target=serve_rfc2217, args=(server, str(line.port), stop))
        served.start()
        url = f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
        line.registers = lambda *_: 0xFFFF  # as many bytes to be escaped as there can be
        with Running(url, [device(1, timeout_s=0.5)], baud=4800) as bus:
            reading = bus.wait(lambda m: isinstance(m, Readings))
            stop.set()
        served.join(5)

        assert reading.readings[0].value == 65535.0
        assert bus.lost("unit-1") == []
