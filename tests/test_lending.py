"""A port lent over the local socket: to one at a time, given back when the borrower is done or dies, without alarm."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway import lending
from gateway.configuration.config import Bus
from gateway.errors import Refused
from gateway.lending import Desk, borrowed, same_port
from gateway.machine.health import LOAN_S
from gateway.moment import SystemClock
from gateway.persons.control import Control, Doorman
from gateway.sources.link import Link, PortError
from gateway.values import BusState, Readings
from gateway.worker import Worker
from tests.kit_bus import Running, ScriptedBus, device
from tests.kit_engine import Bench


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A bus that reads a unit, and the sockets over which its port can be borrowed, in `tmp_path`."""
    with ScriptedBus(tmp_path / "port") as line, Running(line.port, [device(1)]) as bus, desk(tmp_path, bus):
        bus.wait(lambda m: isinstance(m, Readings))
        yield bus


@contextmanager
def desk(state: Path, bus: Running) -> Iterator[None]:
    clock = SystemClock()
    door = Desk(lambda port, _: bus.bus if same_port(port, bus.bus.port) else None)
    control = Worker("control", Control(state, Doorman({}, clock), lambda _: None, clock, lend=door.serve).run)
    control.start()
    deadline = time.monotonic() + 5
    while not (state / "operate.sock").exists() and time.monotonic() < deadline:
        bus.stop.wait(0.01)
    try:
        yield
    finally:
        control.stop()
        assert control.join(3)


def read_again(bus: Running) -> None:
    bus.wait(lambda m: isinstance(m, Readings), after=len(bus.told))


def test_a_port_is_borrowed_and_given_back(running: Running, tmp_path: Path) -> None:
    """B8: the gateway closes the port for the borrower, says who has it, and reads on as soon as it is given back."""
    alias = tmp_path / "alias"
    alias.symlink_to(tmp_path / "port")

    with borrowed(tmp_path, str(alias), 30, "scan") as port:
        Link(Bus(port=port)).close()
        lent = running.wait(lambda m: isinstance(m, BusState) and m.lent)
    read_again(running)

    assert f"is lent to scan (uid {os.getuid()})" in lent.error
    assert port == str(tmp_path / "port")


def test_one_at_a_time_and_for_a_bounded_time(running: Running, tmp_path: Path) -> None:
    """B8: a second borrower is told so, senseless and endless loans are refused, and a loan ends by itself."""
    port = str(tmp_path / "port")
    with borrowed(tmp_path, port, 0.3, "first"):
        with pytest.raises(Refused, match="lent to somebody already"), borrowed(tmp_path, port, 1, "second"):
            pass
        read_again(running)
        with pytest.raises(PortError, match="in use"):
            Link(Bus(port=port))
    for seconds in (-1, lending.LONGEST_S + 1, "x", True):
        lent: list[object] = []
        with pytest.raises(Refused, match="30 minutes"):
            Desk(lambda *_: None).serve(lent, {"port": port, "seconds": seconds}, "uid 0")


def test_a_borrower_that_dies_gives_back(running: Running, tmp_path: Path) -> None:
    """B8: a borrower that is killed keeps no port: the gateway reads on at once."""
    code = (
        "import sys, pathlib; from gateway.lending import borrowed\n"
        "with borrowed(pathlib.Path(sys.argv[1]), sys.argv[2], 60, 'scan'): print(1, flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, tmp_path, tmp_path / "port"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as borrower:
        assert borrower.stdout.readline() == b"1\n"
        running.wait(lambda m: isinstance(m, BusState) and m.lent)
        borrower.send_signal(signal.SIGKILL)
        read_again(running)


def test_what_the_gateway_has_not_is_not_lent(running: Running, tmp_path: Path) -> None:
    """A port that the gateway does not use, or without a gateway any port, is opened as it is."""
    with borrowed(tmp_path, "/dev/ttyUSB9", 1, "scan") as port:
        assert port == "/dev/ttyUSB9"
    with borrowed(tmp_path / "nowhere", "/dev/ttyUSB9", 1, "scan") as port:
        assert port == "/dev/ttyUSB9"
    assert not any(isinstance(m, BusState) and m.lent for m in running.told)


def test_a_loan_that_is_not_granted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port whose owner does not answer is not waited for without end, and what it grants later is over at once."""
    monkeypatch.setattr(lending, "GRANT_S", 0.1)
    with ScriptedBus(tmp_path / "port") as line:
        bus = Running(line.port, [device(1)])
        with desk(tmp_path, bus):
            with pytest.raises(Refused, match="not given out"), borrowed(tmp_path, str(line.port), 60, "scan"):
                pass
            with bus:
                bus.wait(lambda m: isinstance(m, Readings))


def test_a_short_loan_is_no_alarm_and_a_long_one_is(tmp_path: Path) -> None:
    """B8: while a port is lent for some minutes nobody is called; kept longer it is one alarm of the bus, however often
    it is lent anew; and when it is back, each device has the time that it needs to answer.
    """
    bench = Bench(tmp_path)

    def lend() -> None:
        bench.engine.handle(BusState("rs485", ("gate-noise",), "lent to scan", bench.now, lent=True))

    def back() -> None:
        bench.engine.handle(BusState("rs485", ("gate-noise",), None, bench.now))

    def raised() -> list[str]:
        return [e["alarm"] for e in bench.out.events if e["transition"] == "raised"]

    bench.level(50.0)
    lend()
    bench.wait(LOAN_S - 10)
    back()
    bench.wait(3)
    bench.level(50.0)

    assert raised() == []
    lend()
    bench.wait(LOAN_S - 10)
    back()
    lend()
    bench.wait(20)

    assert raised() == ["bus-rs485"]
    back()
    bench.wait(30)

    assert raised() == ["bus-rs485", "device-gate-noise"]


def test_a_port_that_comes_and_goes_hides_no_silence(tmp_path: Path) -> None:
    """B6: a device is given its time once when its port is back: one that opens and fails for ever is still told."""
    bench = Bench(tmp_path)
    bench.level(50.0)
    for _ in range(30):
        bench.engine.handle(BusState("rs485", ("gate-noise",), "gone", bench.now))
        bench.wait(0.5)
        bench.engine.handle(BusState("rs485", ("gate-noise",), None, bench.now))
        bench.wait(1)

    assert "device-gate-noise" in [e["alarm"] for e in bench.out.events if e["transition"] == "raised"]


def test_no_threads_are_left(tmp_path: Path) -> None:
    """The desk leaves nothing behind."""
    before = threading.active_count()
    with ScriptedBus(tmp_path / "port") as line, Running(line.port, [device(1)]) as bus, desk(tmp_path, bus):
        bus.wait(lambda m: isinstance(m, Readings))
        with borrowed(tmp_path, str(line.port), 5, "scan"):
            pass
        read_again(bus)

    assert threading.active_count() <= before
