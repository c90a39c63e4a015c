"""The real bus code on real pseudo-terminals, against a scripted line (F-BUS): rows B1 to B12."""

import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from drivers.base import Driver, Measurement, Quality, Read
from drivers.errors import BadFrame
from drivers.library import find
from gateway.configuration.config import Bus
from gateway.simulate.clock import FastClock
from gateway.sources import plan
from gateway.sources.link import Link, PortError
from gateway.sources.loans import Loan
from gateway.sources.serial_bus import BoundDevice
from gateway.values import BusState, LineHealth, Lost, Readings
from tests.kit_bus import Running, ScriptedBus, device, patient

Wanted = Callable[[object], bool]


def readings(name: str) -> Wanted:
    return lambda m: isinstance(m, Readings) and m.device == name


def lost(name: str, cause: str | None = None) -> Wanted:
    return lambda m: isinstance(m, Lost) and m.device == name and cause in {None, m.cause}


def together(*works: Callable[[], None]) -> None:
    """Each in a thread of its own, on a line of its own: they only wait. Fails with the first that fails."""
    with ThreadPoolExecutor(len(works)) as threads:
        for done in [threads.submit(work) for work in works]:
            done.result()


def port(*, error: bool) -> Wanted:
    return lambda m: isinstance(m, BusState) and (m.error is not None) == error


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planner's times a tenth as long, like the timeouts and intervals of the scripted units."""
    for name in ("CREDIT_S", "FIRST_BACKOFF_S", "LAST_BACKOFF_S"):
        monkeypatch.setattr(f"gateway.sources.plan.{name}", getattr(plan, name) / 10)
    for module in ("serial_bus", "exchange"):  # how soon a bus looks whether to stop
        monkeypatch.setattr(f"gateway.sources.{module}.SLICE_S", 0.05)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that failed is tried again sooner."""
    for name in ("REOPEN_S", "PROVEN_S"):
        monkeypatch.setattr(f"gateway.sources.serial_bus.{name}", 0.2)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[ScriptedBus]:
    with ScriptedBus(tmp_path / "port") as bus:
        yield bus


def test_a_meter_is_read(line: ScriptedBus) -> None:
    """A Renke meter's level arrives as a reading with its point, value, quality and moment, after its warm-up."""
    line.registers = lambda *_: 583
    meter = replace(find("renke_rs_zs").at(1, {}), warm_up_s=0.2, every_s=0.05)

    with Running(line.port, [BoundDevice("gate-noise", meter, 0.05)]) as bus:
        first = bus.wait(readings("gate-noise")).readings[0]
        warm = bus.wait(lambda m: readings("gate-noise")(m) and m.readings[0].quality is Quality.GOOD).readings[0]

        assert (first.quality, first.reason) == (Quality.INVALID, "warm-up")
        assert (warm.point, warm.value, warm.quality) == ("gate-noise/laf", 58.3, Quality.GOOD)
        assert isinstance(bus.told[0], BusState)
        assert bus.told[0].error is None
        assert warm.at.seconds_since(bus.told[0].at) == pytest.approx(0.2, abs=0.15)


def test_dead_units_do_not_slow_the_others(tmp_path: Path) -> None:
    """B1: with any number of eight units silent, each healthy one keeps 90 % of its rate once all were tried; and the
    breaker probes, so that a unit that answers again is read at its full rate again.
    """

    def work(dead: int) -> None:
        with ScriptedBus(tmp_path / f"port-{dead}") as line:
            for unit in range(1, dead + 1):
                line.does(unit, "silent")
            with Running(line.port, [device(unit, every_s=0.1, timeout_s=0.1) for unit in range(1, 9)]) as bus:
                bus.stop.wait(3.0)
                counts = [len(bus.readings(f"unit-{unit}")) for unit in range(dead + 1, 9)]

                assert min(counts) >= 0.9 * 15
                assert all(bus.lost(f"unit-{unit}") for unit in range(1, dead + 1))

    def back() -> None:
        with ScriptedBus(tmp_path / "port") as line:
            line.does(2, "silent")
            with Running(line.port, [device(1), device(2, timeout_s=0.05)]) as bus:
                for _ in range(3):
                    bus.wait(lost("unit-2"), after=len(bus.told))
                line.does(2, "ok")
                bus.wait(readings("unit-2"), timeout_s=12, after=len(bus.told))
                mark = len(bus.told)
                bus.stop.wait(0.5)

                assert len(bus.readings("unit-2", mark)) >= 7

    together(back, *(partial(work, dead) for dead in (1, 4, 7)))


def test_a_late_reply_is_never_taken_for_another_point(tmp_path: Path) -> None:
    """B2: two blocks of one shape on one unit; whatever the lateness, no value is attributed to the wrong point."""
    blocks = [(100, 1), (200, 1)]

    def work(late_s: float) -> None:
        rng = random.Random(late_s)
        devices = [device(1, blocks=blocks), device(2, blocks=blocks)]
        with ScriptedBus(tmp_path / f"port-{late_s}") as line, Running(line.port, devices) as bus:
            for _ in range(4):
                line.does(1, "late", late_s)
                bus.stop.wait(rng.uniform(0.05, 0.25))
                line.does(1, "ok")
                bus.stop.wait(rng.uniform(0.0, 0.1))
            seen = {(r.point, r.value) for m in bus.told if isinstance(m, Readings) for r in m.readings}
            wrong = seen - {(f"unit-{u}/pressure_{i}", u * 1000 + (100, 200)[i]) for u in (1, 2) for i in (0, 1)}

            assert wrong == set()
            assert ("unit-2/pressure_1", 2200) in seen

    together(*(partial(work, late_s) for late_s in (0.16, 0.2, 0.25, 0.31, 0.4, 0.5)))


def test_one_spurious_frame_does_not_shift_the_answers(line: ScriptedBus) -> None:
    """B3: a frame that nobody asked for, of the right shape, costs one cycle at most and shifts nothing."""
    blocks = [(100, 1), (200, 1)]
    line.registers = lambda _, register: register

    with Running(line.port, [device(1, blocks=blocks)]) as bus:
        bus.wait(readings("unit-1"))
        line.say(bytes.fromhex("01 03 02 00 c8 b9 d2"))  # register 200's, before register 100's
        mark = len(bus.told)
        bus.wait(readings("unit-1"), after=mark)
        bus.stop.wait(0.3)
        values = {tuple(r.value for r in m.readings) for m in bus.readings("unit-1", mark)}

        assert values == {(100.0, 200.0)}
        assert len(bus.lost("unit-1", mark)) <= 1


def test_two_strange_answers_open_the_port_afresh(line: ScriptedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """B3: after two answers in a row that are not ours the port is closed and opened again, and goes on by itself."""
    monkeypatch.setattr("gateway.sources.serial_bus.FRESH_S", 0.0)
    opened = []
    real = Link.__init__
    monkeypatch.setattr(Link, "__init__", lambda self, *given: (opened.append(1), real(self, *given))[1])
    line.does(1, "wrong-unit")

    with Running(line.port, [device(1)]) as bus:
        bus.wait(lost("unit-1", "BadFrame"))
        bus.stop.wait(0.35)
        line.does(1, "ok")
        bus.wait(readings("unit-1"))

        assert len(opened) >= 2
        assert [m.error for m in bus.told if isinstance(m, BusState)] == [None]


FAILURES = (
    ("silent", "Timeout", "no answer"),
    ("echo-only", "Timeout", "only the echo"),
    ("wrong-unit", "BadFrame", "not a reply of unit 1"),
    ("bad-crc", "BadChecksum", "check"),
    ("short", "Timeout", "cut off after 4 bytes"),
    ("busy", "DeviceFault", "busy"),
    ("parity", "Garbled", "parity"),
    ("twice", "Confused", "2 answers"),
)


def test_each_failure_has_its_name(tmp_path: Path) -> None:
    """B5: what is wrong with a line is told by name; wrong parity is told from a dead device; no number comes of it."""

    def work(kind: str, cause: str, detail: str) -> None:
        with ScriptedBus(tmp_path / kind) as line:
            line.does(1, kind)
            with Running(line.port, [device(1)]) as bus:
                message = bus.wait(lost("unit-1"))

                assert message.cause == cause
                assert detail in message.detail
                assert bus.readings("unit-1") == []

    together(*(partial(work, *failure) for failure in FAILURES))


def test_echo_and_noise_before_the_answer_are_stepped_over(tmp_path: Path) -> None:
    """B4, B5: an echoed question or noise before the answer costs nothing; the line's health says that it echoes."""

    def work(kind: str) -> None:
        with ScriptedBus(tmp_path / kind) as line:
            line.does(1, kind)
            with Running(line.port, [device(1)]) as bus:
                bus.wait(readings("unit-1"))
                bus.stop.wait(0.4)

                assert bus.lost("unit-1") == []
                assert {r.value for m in bus.readings("unit-1") for r in m.readings} == {1000.0}

    together(partial(work, "echo"), partial(work, "garbage"))


def test_the_health_of_each_unit_is_told(line: ScriptedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """B5: error rates are counted for each unit and told once a minute, with what the line does."""
    monkeypatch.setattr("gateway.sources.serial_bus.HEALTH_S", 0.5)
    line.does(1, "echo")
    line.does(2, "bad-crc")

    with Running(line.port, [device(1), device(2)]) as bus:
        first = bus.wait(lambda m: isinstance(m, LineHealth) and m.device == "unit-1")
        second = bus.wait(lambda m: isinstance(m, LineHealth) and m.device == "unit-2")

        assert first.asked == first.answered > 3
        assert (first.echo, first.damaged) == (True, 0)
        assert second.damaged == second.asked > 0
        assert second.answered == 0


def test_random_bytes_never_become_a_number(line: ScriptedBus) -> None:
    """B5: a line full of noise ends no thread and yields no value that a unit did not say."""
    rng = random.Random(5)

    with Running(line.port, [device(1), device(2)]) as bus:
        for _ in range(30):
            line.say(rng.randbytes(rng.randrange(1, 40)))
            bus.stop.wait(0.02)
        mark = len(bus.told)
        bus.wait(readings("unit-1"), after=mark)
        bus.wait(readings("unit-2"), after=mark)
        values = {(m.device, r.value) for m in bus.told if isinstance(m, Readings) for r in m.readings}

        assert values == {("unit-1", 1000.0), ("unit-2", 2000.0)}


def test_unplugged_and_plugged_again_under_another_number(line: ScriptedBus) -> None:
    """B6: the outage is told once, the return once, and readings go on within 3 s of the port's return."""
    with Running(line.port, [device(1)]) as bus:
        bus.wait(readings("unit-1"))
        before = line.port.readlink()
        line.unplug()
        gone = bus.wait(port(error=True))
        bus.stop.wait(0.1)
        decoy = os.openpty()  # takes the number that has become free
        bus.stop.wait(0.3)
        mark = len(bus.told)
        after = line.plug()
        back = time.monotonic()
        bus.wait(readings("unit-1"), after=mark)
        took_s = time.monotonic() - back
        states = [m.error is None for m in bus.told if isinstance(m, BusState)]
        for fd in decoy:
            os.close(fd)

        assert took_s < 3
        assert str(before) != after
        assert states in ([True, False, True], [True, False, False, True])  # gone; and not yet there
        assert gone.devices == ("unit-1",)


def test_a_port_that_is_missing_at_first_is_waited_for(tmp_path: Path, soon: None) -> None:
    """B6: an adapter that is plugged in after the start is found, and until then the message says what to look at."""
    line = ScriptedBus(tmp_path / "port")

    with Running(line.port, [device(1)]) as bus:
        state = bus.wait(port(error=True))
        with line:
            bus.wait(readings("unit-1"))
            bus.stop.set()

        assert "is its adapter plugged in" in state.error


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of pyserial, after a reset
def test_a_serial_server_that_hangs_up_at_once_has_failed(soon: None) -> None:
    """A server whose one line somebody else has takes each call, says so and hangs up: the port is not back each time,
    else neither its alarm nor its devices' would ever be raised.
    """
    calls = []

    def serve() -> None:
        while len(calls) < 4:
            connection, _ = server.accept()
            calls.append(connection)
            connection.sendall(b"in use\r\n")
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        served = threads.submit(serve)
        with Running(f"socket://127.0.0.1:{server.getsockname()[1]}", [device(1)]) as bus:
            served.result(20)
            bus.stop.set()

        assert [False, True] == [m.error is not None for m in bus.told if isinstance(m, BusState)][:2]
        assert [] == [m for m in bus.told[2:] if isinstance(m, BusState) and m.error is None]


def test_a_unit_that_cannot_any_more_is_started_again(line: ScriptedBus) -> None:
    """An SPS30 or SCD30 whose supply dips between two questions answers all, and measures nothing until told to."""
    bound = device(1)
    start = device(1, blocks=[(900, 1)]).driver.reads
    starts = lambda: sum(request == start[0].send for _, request in line.asked)  # noqa: E731

    with Running(line.port, [replace(bound, driver=replace(bound.driver, start=start))]) as bus:
        bus.wait(readings("unit-1"))
        assert 1 == starts()
        line.does(1, "busy")
        bus.wait(lambda _: starts() == 2)
        line.does(1, "ok")
        bus.wait(readings("unit-1"), after=len(bus.told))

        assert {"DeviceFault"} == {m.cause for m in bus.lost("unit-1")}


def serial_number(unit: int) -> BoundDevice:
    """A device that answers register 900 with its serial number."""
    bound = device(unit)
    ask = device(unit, blocks=[(900, 1)]).driver.reads[0]
    return replace(
        bound, driver=replace(bound.driver, identity=ask, identify=lambda reply: str(int.from_bytes(reply[3:5], "big")))
    )


def test_swapped_adapters_are_refused(tmp_path: Path) -> None:
    """B7: two ports swapped while the gateway is off are refused by the units' identities, and mislabel nothing."""
    with ScriptedBus(tmp_path / "north") as north, ScriptedBus(tmp_path / "south") as south:
        north.registers = lambda *_: 7001
        south.registers = lambda *_: 7002
        meter = replace(serial_number(1), identity="7001")
        with Running(south.port, [meter]) as bus:
            wrong = bus.wait(lost("unit-1", "WrongDevice"))
            bus.stop.wait(0.3)

            assert bus.readings("unit-1") == []
            assert "7002" in wrong.detail
        with Running(north.port, [meter]) as bus:
            bus.wait(readings("unit-1"))


def test_an_adapter_swapped_while_running_is_refused(line: ScriptedBus) -> None:
    """B7: without an identity in the configuration, the unit that was there first is the one that must come back."""
    serial = 7001
    line.registers = lambda *_: serial

    with Running(line.port, [serial_number(1)]) as bus:
        bus.wait(readings("unit-1"))
        line.unplug()
        bus.wait(port(error=True))
        serial = 7002
        mark = len(bus.told)
        line.plug()
        bus.wait(lost("unit-1", "WrongDevice"), after=mark)

        assert bus.readings("unit-1", mark) == []


def test_a_second_program_is_named(line: ScriptedBus, soon: None) -> None:
    """B8: who opens a port that is held is told by whom, by name and process."""
    code = "import serial, sys; p = serial.Serial(sys.argv[1], exclusive=True); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, line.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with Running(line.port, [device(1)]) as bus:
            state = bus.wait(port(error=True))
            other.stdin.close()
            bus.wait(readings("unit-1"))

        assert f"process {other.pid}" in state.error


def test_a_lent_port_can_be_opened_by_others_and_comes_back(line: ScriptedBus) -> None:
    """B8: a port is lent for a bounded time: closed, told so, and used again when it is back or the time is over."""
    granted = threading.Event()

    with Running(line.port, [device(1)]) as bus:
        bus.wait(readings("unit-1"))
        bus.bus.lend(Loan(10.0, granted.set))
        assert granted.wait(3)
        guest = Link(Bus(port=str(line.port)))
        guest.close()
        mark = len(bus.told)
        bus.bus.give_back()
        bus.wait(readings("unit-1"), after=mark)
        granted.clear()
        bus.bus.lend(Loan(0.2, granted.set))
        assert granted.wait(3)
        bus.wait(readings("unit-1"), after=len(bus.told))

        assert any("lent to another program" in (m.error or "") and m.lent for m in bus.told if isinstance(m, BusState))


class Oops(Exception):
    """Nobody knows it."""


def test_a_driver_with_a_bug_harms_nobody_else(line: ScriptedBus, caplog: pytest.LogCaptureFixture) -> None:
    """B10: a driver that raises anything is logged once, told as lost, and all points recover; no thread leaks."""
    rng = random.Random(10)
    kinds = [
        ValueError,
        KeyError,
        ZeroDivisionError,
        Oops,
        AssertionError,
        RecursionError,
        MemoryError,
        OSError,
        BadFrame,
    ]
    sick = True
    threads = threading.active_count()
    good = device(1).driver

    def decode(replies: tuple[bytes, ...]) -> list[Measurement]:
        if sick:
            raise rng.choice(kinds)("on purpose")
        return good.decode(replies)

    buggy = BoundDevice("unit-1", replace(good, decode=decode), 0.05)
    with Running(line.port, [buggy, device(2)]) as bus:
        for _ in range(3):
            bus.wait(lost("unit-1"), after=len(bus.told))
        bus.stop.wait(0.3)
        healthy = len(bus.readings("unit-2"))
        sick = False
        bus.wait(readings("unit-1"), timeout_s=12)

        assert healthy > 5
    assert threads == threading.active_count()
    assert sum("driver-bug" in record.message for record in caplog.records) == 1


def test_what_is_not_a_value_stays_not_a_value(line: ScriptedBus) -> None:
    """B12: a value outside the range of the device's own data sheet is told with its reason and never as good."""
    line.registers = lambda *_: 0x7FFF
    meter = replace(find("renke_rs_zs").at(1, {}), warm_up_s=0.0, every_s=0.05)

    with Running(line.port, [BoundDevice("gate-noise", meter, 0.05)]) as bus:
        reading = bus.wait(readings("gate-noise")).readings[0]

        assert reading.quality is Quality.INVALID
        assert reading.reason


def talker() -> BoundDevice:
    """A device that says `AA n BB` by itself, n its pressure; no check."""

    def frame(data: bytes) -> int:
        if data[:1] != b"\xaa"[: len(data)] or data[2:3] not in {b"", b"\xbb"}:
            raise BadFrame("no talker")
        return 3 if len(data) >= 3 else 0

    start = Read(frame, bytes.fromhex("01 03 00 00 00 01 84 0a"), answered=False, pause_s=0.01)
    driver = Driver(
        name="talker",
        title="Talker",
        points=("pressure",),
        decode=lambda replies: [Measurement("pressure", float(replies[0][1]))],
        reads=(Read(frame, timeout_s=0.3),),
        start=(start,),
        every_s=0.1,
        checked=False,
    )
    return BoundDevice("talker", driver, 0.1)


def test_talking_devices(tmp_path: Path) -> None:
    """A device that talks by itself costs no polling: every due frame is read, and without a check it stays suspect
    until two agree. E4: its silence is told as Lost, its start command is sent again, and bytes without a frame are
    called what they are. B7: one that is another than it should be is asked again at a rest, not without end.
    """

    def heard() -> None:
        with ScriptedBus(tmp_path / "heard", units=[]) as line, Running(line.port, [talker()]) as bus:
            for _ in range(40):
                line.say(bytes.fromhex("aa 07 bb"))
                bus.stop.wait(0.02)
            told = [m.readings[0] for m in bus.readings("talker")]

            assert 6 <= len(told) <= 11
            assert (told[0].quality, told[-1].quality) == (Quality.SUSPECT, Quality.GOOD)
            assert {reading.value for reading in told} == {7.0}
            assert len(line.asked) == 1

    def silent() -> None:
        with ScriptedBus(tmp_path / "silent", units=[]) as line, Running(line.port, [talker()]) as bus:
            bus.wait(port(error=False))
            bus.stop.wait(0.1)  # its start command has been sent, and what lay on the line before is thrown away
            line.say(bytes.fromhex("aa 07 bb"))
            bus.wait(readings("talker"))
            bus.wait(lost("talker", "Timeout"))
            starts = len(line.asked)
            for _ in range(30):
                line.say(b"\x00\xf8\x00")
                bus.stop.wait(0.02)
            bus.wait(lost("talker", "Garbled"))

            assert starts >= 1
            assert len(line.asked) > starts

    def stranger() -> None:
        other = talker()
        ask = device(1, blocks=[(900, 1)]).driver.reads[0]
        driver = replace(other.driver, start=(), identity=ask, identify=lambda _: "X")
        wrong = replace(other, driver=driver, identity="Y")
        with ScriptedBus(tmp_path / "stranger") as line, Running(line.port, [wrong]) as bus:
            bus.wait(lost("talker", "WrongDevice"))
            bus.stop.wait(0.7)

            assert 2 <= len(bus.lost("talker")) <= 6

    together(heard, silent, stranger)


def test_a_simulated_clock_makes_the_bus_faster(line: ScriptedBus) -> None:
    """Intervals and gaps are of the product's clock: forty times as fast, forty readings a second."""
    clock = FastClock(datetime(2026, 6, 7, tzinfo=UTC), 40)

    with Running(line.port, [device(1, every_s=1.0)], clock, gap="20ms") as bus:
        bus.wait(readings("unit-1"))
        mark = len(bus.told)
        bus.stop.wait(0.6)
        moments = [m.readings[0].at for m in bus.readings("unit-1", mark)]

        assert 18 <= len(moments) <= 26
        assert moments[-1].seconds_since(moments[0]) / (len(moments) - 1) == pytest.approx(1.0, abs=0.1)


def test_stop_ends_it_soon(line: ScriptedBus) -> None:
    """A bus that waits for a silent unit with a long timeout still ends within a second of being asked."""
    line.does(1, "silent")

    with Running(line.port, [patient(device(1), 30.0)]) as bus:
        bus.stop.wait(0.2)
        began = time.monotonic()
        bus.stop.set()
        bus._thread.join(5)

        assert time.monotonic() - began < 1.0


def test_a_port_that_is_no_port(tmp_path: Path) -> None:
    """B6: a file, a missing server and an unknown scheme are PortErrors with a sentence, and never anything else."""
    (tmp_path / "file").write_text("no port")
    for name in (tmp_path / "file", "socket://127.0.0.1:1", "nonsense://x", tmp_path):
        with pytest.raises(PortError, match="port"):
            Link(Bus(port=str(name)))
