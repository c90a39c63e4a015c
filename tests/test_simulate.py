"""The simulator: real ports, real frames, and faults that really do what they are called."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import serial
from gpiozero import DigitalInputDevice
from pymodbus.client import ModbusSerialClient

from drivers import errors
from drivers.base import Driver, Quality, Read
from drivers.frames import Scanner
from gateway.configuration.config import Config
from gateway.configuration.screening import Screening
from gateway.configuration.settings import check
from gateway.errors import ConfigError, Refused
from gateway.moment import NANO, Moment, SystemClock
from gateway.screening.persons import Peaks
from gateway.simulate import scenario
from gateway.simulate.clock import FastClock
from gateway.simulate.simulation import Simulation, driver_of
from gateway.simulate.world import HABITS, DeviceWorld, Level, level_of

CONFIG = {
    "venue": {"id": "test", "name": "Test"},
    "bus": {"rs485": {"port": "/dev/ttyUSB0"}},
    "device": {
        "gate-noise": {"driver": "renke_rs_zs", "bus": "rs485", "address": 1},
        "yard-noise": {"driver": "renke_rs_zs", "bus": "rs485", "address": 2},
        "dust": {"driver": "pms5003", "port": "/dev/ttyAMA0", "every": "200ms"},
    },
    "contact": {
        "leak-button": {"kind": "leak", "pin": 27, "safe": "low", "pin_other": 5, "lamp_pin": 22},
        "bell": {"kind": "other", "pin": 6},
    },
}


def config(**changes: object) -> Config:
    return Config.model_validate(CONFIG | changes)


@contextmanager
def played(table: Config | None = None, **which: Any) -> Iterator[Simulation]:
    simulation = Simulation(table or config(), SystemClock(), **which)
    stop = threading.Event()
    threads = [threading.Thread(target=run, args=(stop,), name=name) for name, run in simulation.workers]
    for thread in threads:
        thread.start()
    try:
        yield simulation
    finally:
        stop.set()
        for thread in threads:
            thread.join(5)
        simulation.close()
    assert [t.name for t in threads if t.is_alive()] == []


def opened(simulation: Simulation, device: str) -> serial.Serial:
    table = simulation.config.device[device]
    path = table.port or simulation.config.bus[table.bus or ""].port
    return serial.Serial(path, driver_of(table).baud, timeout=0.05, exclusive=True)


def exchange(port: serial.Serial, read: Read, within_s: float = 0.6) -> bytes:
    """What comes within the time, up to one good frame."""
    port.reset_input_buffer()
    if read.send:
        port.write(read.send)
    got, until = b"", time.monotonic() + within_s
    while time.monotonic() < until:
        got += port.read(port.in_waiting or 1)
        try:
            if got and read.frame(got):
                break
        except errors.BadFrame:
            continue
    return got


def asked(port: serial.Serial, driver: Driver, **options: float) -> dict[str, float | None]:
    replies = []
    for read in driver.reads:
        frames = Scanner(read.frame).feed(exchange(port, read, **options))
        replies.append(frames[0])
    return {m.name: m.value for m in driver.decode(tuple(replies))}


def until(what: Callable[[], bool], within_s: float = 3.0) -> bool:
    end = time.monotonic() + within_s
    pause = threading.Event()
    while not what():
        if time.monotonic() > end:
            return False
        pause.wait(0.01)
    return True


# ---- the clock and the world


def test_a_fast_clock_runs_as_many_times_faster_as_it_says() -> None:
    """Wall and monotonic time run `speed` times real time, and a pause is so much shorter."""
    clock = FastClock(datetime(2026, 6, 7, 1, tzinfo=UTC), 1000)
    first, began = clock.now(), time.monotonic()
    threading.Event().wait(0.05)
    second, took = clock.now(), time.monotonic() - began

    assert pytest.approx(took, rel=0.2) == second.seconds_since(first) / 1000
    assert second.mono_ns - first.mono_ns == second.wall_ns - first.wall_ns
    assert first.text().startswith("2026-06-07T01:00:0")
    assert clock.pause(60) == 0.06


@pytest.mark.parametrize("speed", [0, -1, 1001, float("nan")])
def test_a_fast_clock_refuses_what_is_no_speed(speed: float) -> None:
    """Time neither stands nor runs backwards."""
    with pytest.raises(ValueError, match="1000 times"):
        FastClock(datetime(2026, 6, 7, tzinfo=UTC), speed)


def moment(seconds: float) -> Moment:
    return Moment(0, round(seconds * NANO))


def test_a_level_goes_where_it_is_told_and_wanders_about_it() -> None:
    """A scripted change takes its time, and what is held stands still until it is let go."""
    level = Level("gate-noise/laf", HABITS["laf"])
    level.move(71.0, 20.0, moment(0))
    half = level.at(moment(10))
    later = [level.at(moment(20 + s)) for s in range(200)]
    level.hold(55.5)
    held = {level.at(moment(300 + s)) for s in range(10)}
    level.free()

    assert pytest.approx((46.5 + 71.0) / 2, abs=6) == half
    assert pytest.approx(71.0, abs=1) == sum(later) / len(later)
    assert max(later) - min(later) > 2
    assert held == {55.5}
    assert level.at(moment(400)) > 60


def test_the_same_point_wanders_the_same_way_in_every_run() -> None:
    """A scenario looks alike each time, and two meters do not move together."""
    one, two = (Level("gate-noise/laf", HABITS["laf"]) for _ in range(2))
    other = Level("yard-noise/laf", HABITS["laf"])
    walks = [[level.at(moment(s)) for s in range(20)] for level in (one, two, other)]

    assert walks[0] == walks[1]
    assert walks[0] != walks[2]


@pytest.mark.parametrize("quantity", ["object_temperature", "body_temperature"])
def test_people_walk_by_an_entry_thermometer(quantity: str) -> None:
    """Asked once a second it sees persons who pass and a wall between them, each person twice at least, nobody with a
    fever; and what somebody sets by hand.
    """
    level = level_of("entry", quantity)
    peaks = Peaks(Screening(point=f"entry/{quantity}"), 1.0)
    found = [peaks.add(moment(n), round(level.at(moment(n)), 2), None) for n in range(600)]
    persons = [person for person in found if person is not None]
    level.hold(38.0)

    assert 60 <= len(persons) <= 100
    assert {"passed"} == {person.verdict for person in persons}
    assert 38.0 == level.at(moment(601))


def test_larger_particles_are_never_fewer_than_smaller_ones() -> None:
    """PM1, PM2.5 and PM10 stay in order whatever is set, as each counts the one before it too."""
    driver = driver_of(config().device["dust"])
    world = DeviceWorld("dust", driver)
    world.level("pm2_5").hold(500)
    values = world.values(moment(0))

    assert values["pm1"] <= values["pm2_5"] == 500 <= values["pm10"]


# ---- ports


def test_what_the_driver_decodes_is_what_the_world_holds() -> None:
    """The bytes on the pseudo-terminal carry the levels, through the real drivers, asked and unasked."""
    with played() as simulation:
        simulation.act("gate-noise", ["71.3"])
        simulation.act("yard-noise", ["44.0"])
        simulation.act("dust/pm2_5", ["88"])
        with opened(simulation, "gate-noise") as bus, opened(simulation, "dust") as own:
            gate = asked(bus, driver_of(simulation.config.device["gate-noise"]))
            yard = asked(bus, driver_of(simulation.config.device["yard-noise"]))
            dust = asked(own, driver_of(simulation.config.device["dust"]), within_s=2)

    assert gate == {"laf": 71.3}
    assert yard == {"laf": 44.0}
    assert dust["pm2_5"] == 88


def test_a_modbus_master_that_is_not_ours_reads_a_simulated_meter() -> None:
    """pymodbus's client reads the level, and is told of an address and a function that are not there."""
    with played() as simulation:
        simulation.act("yard-noise", ["58.4"])
        client = ModbusSerialClient(simulation.config.bus["rs485"].port, baudrate=9600, timeout=1, retries=0)
        assert client.connect()
        try:
            level = client.read_holding_registers(0, count=1, device_id=2)
            beyond = client.read_holding_registers(7, count=2, device_id=2)
            strange = client.read_input_registers(0, count=1, device_id=2)
            written = client.write_register(0x07D0, 3, device_id=2)
        finally:
            client.close()

    assert level.registers == [584]
    assert beyond.exception_code == 2
    assert strange.exception_code == 1
    assert not written.isError()


def wrong_with(driver: Driver, got: bytes) -> str:
    """The name of what is wrong with an answer: Timeout when there is too little."""
    try:
        length = driver.reads[0].frame(got) if got else 0
        if not length:
            return "Timeout"
        driver.decode((got[:length],))
    except errors.DeviceError as error:
        return type(error).__name__
    return "good"


FAULTS = [
    ("silent", "Timeout", b""),
    ("wrong-unit", "BadFrame", b"\x02\x03\x02\x02\xc9"),
    ("bad-crc", "BadChecksum", b"\x01\x03\x02\x02\xc9"),
    ("short", "Timeout", b"\x01\x03\x02"),
    ("busy", "DeviceFault", b"\x01\x83\x06"),
]


@pytest.mark.parametrize(("fault", "error", "begins"), FAULTS)
def test_a_fault_is_on_the_wire_what_it_is_called(fault: str, error: str, begins: bytes) -> None:
    """Each fault is the error that a driver has for it (B1-B5), the neighbour is not touched, and it ends."""
    with played() as simulation, opened(simulation, "gate-noise") as port:
        driver, neighbour = (driver_of(simulation.config.device[n]) for n in ("gate-noise", "yard-noise"))
        simulation.act("gate-noise", ["71.3"])
        simulation.act("gate-noise", ["fault", fault])
        got = exchange(port, driver.reads[0], within_s=0.2)
        beside = asked(port, neighbour)
        simulation.act("gate-noise", ["ok"])
        after = asked(port, driver)

    assert begins == got[: len(begins)]
    assert error == wrong_with(driver, got)
    assert set(beside) == set(after) == {"laf"}


def test_an_echo_garbage_and_a_late_answer_still_hold_the_frame() -> None:
    """An adapter that echoes gives the request first; garbage comes before; a late answer comes, but late."""
    with played() as simulation, opened(simulation, "gate-noise") as port:
        read = driver_of(simulation.config.device["gate-noise"]).reads[0]
        simulation.act("gate-noise", ["71.3"])
        good = exchange(port, read)
        simulation.act("gate-noise", ["fault", "echo"])
        echo = exchange(port, read, within_s=0.1)
        simulation.act("gate-noise", ["fault", "garbage"])
        garbage = exchange(port, read, within_s=0.1)
        simulation.act("gate-noise", ["fault", "late", "300"])
        early = exchange(port, read, within_s=0.2)
        late = port.read(20) + port.read(20) + port.read(20) + port.read(20)

    assert bytes.fromhex("010302 02c9").hex() in good.hex()
    assert echo == read.send + good
    assert garbage.endswith(good)
    assert len(garbage) > len(good)
    assert early == b""
    assert late == good


def test_an_unplugged_adapter_is_gone_and_comes_back_under_its_name() -> None:
    """B6: the path vanishes, whoever reads gets an error, and the same path works again afterwards."""
    with played() as simulation:
        path = Path(simulation.config.bus["rs485"].port)
        driver = driver_of(simulation.config.device["yard-noise"])
        with opened(simulation, "yard-noise") as port:
            first = asked(port, driver)
            before = path.readlink()
            simulation.act("gate-noise", ["fault", "unplugged"])
            assert until(lambda: not path.is_symlink())
            with pytest.raises((serial.SerialException, OSError)):
                port.read(1)
        simulation.act("gate-noise", ["ok"])
        assert until(path.exists)
        with opened(simulation, "yard-noise") as port:
            again = asked(port, driver)

    assert str(before).startswith("/dev/pts/")
    assert set(first) == set(again) == {"laf"}


@pytest.mark.parametrize(
    ("fault", "frames"), [("silent", (0, 0)), ("bad-crc", (0, 0)), ("short", (0, 0)), ("garbage", (2, 9))]
)
def test_a_device_that_talks_by_itself_has_the_same_faults(fault: str, frames: tuple[int, int]) -> None:
    """A streaming device falls silent, damages its frames, or comes with bytes that are none."""
    with played() as simulation, opened(simulation, "dust") as port:
        driver = driver_of(simulation.config.device["dust"])
        healthy = asked(port, driver, within_s=2)
        simulation.act("dust", ["fault", fault])
        threading.Event().wait(0.1)
        port.reset_input_buffer()
        scanner, found, end = Scanner(driver.reads[0].frame), 0, time.monotonic() + 1.0
        while time.monotonic() < end:
            found += len(scanner.feed(port.read(200)))

    assert healthy
    assert frames[0] <= found <= frames[1]


def test_bytes_that_are_no_request_get_no_answer() -> None:
    """A foreign unit, noise and half a request are met with silence, and do not spoil the next request."""
    with played() as simulation, opened(simulation, "gate-noise") as port:
        read = driver_of(simulation.config.device["gate-noise"]).reads[0]
        silence = []
        for noise in (b"\x09" + read.send[1:], b"\xff\x00\xff", read.send[:5], read.send[:-1] + b"\x00"):
            port.write(noise)
            silence.append(port.read(20))
        good = exchange(port, read)

    assert silence == [b""] * 4
    assert len(good) == 7


def test_a_port_that_nobody_reads_goes_on_with_what_is_new() -> None:
    """A stream that nobody takes neither blocks the simulator nor fills it; the next reader gets whole frames."""
    with played(config(device={"dust": CONFIG["device"]["dust"] | {"every": "1ms"}})) as simulation:
        threading.Event().wait(1.0)
        with opened(simulation, "dust") as port:
            got = asked(port, driver_of(simulation.config.device["dust"]))

    assert got


def test_a_file_device_is_renewed_and_goes_away() -> None:
    """A 1-Wire sensor is a file with the level in it; unplugged it is missing, short it is no good frame."""
    table = config(device={"attic": {"driver": "ds18b20", "port": "/sys/bus/w1/devices/28-0/w1_slave"}})
    driver = driver_of(table.device["attic"])
    with played(table) as simulation:
        path = Path(simulation.config.device["attic"].port or "")
        simulation.act("attic", ["-3.5"])
        assert until(lambda: driver.decode((path.read_bytes(),))[0].value == -3.5)
        simulation.act("attic", ["fault", "short"])
        assert until(lambda: wrong_with(driver, path.read_bytes()) in {"Timeout", "BadFrame"})
        simulation.act("attic", ["fault", "unplugged"])
        assert until(lambda: not path.exists())
        simulation.act("attic", ["ok"])
        assert until(path.exists)
        with pytest.raises(Refused, match="attic is a file"):
            simulation.act("attic", ["fault", "bad-crc"])


# ---- what cannot be done is refused by name

REFUSED = [
    ("gate-nois", ["71.3"], "did you mean gate-noise"),
    ("xyz", ["press"], "nothing simulated is called xyz; there is: dust, gate-noise"),
    ("gate-noise", ["explode"], "'explode' is nothing that can be done"),
    ("gate-noise", [], "is nothing that can be done"),
    ("gate-noise", ["press"], "gate-noise is a device"),
    ("gate-noise", ["fault", "tired"], "there are: silent, late"),
    ("gate-noise/pm10", ["3"], "has no point pm10; it has laf"),
    ("gate-noise", ["71", "over", "long"], "a number and a unit"),
    ("dust", ["fault", "busy"], "speaks no Modbus"),
    ("dust", ["fault", "echo"], "nothing to echo"),
    ("leak-button", ["71.3"], "leak-button is a contact"),
    ("bell", ["short"], "has one wire"),
    ("broker", ["down"], "the broker is real"),
    ("leak-button", ["reset"], "reset by a named person"),
]


@pytest.mark.parametrize(("name", "action", "sentence"), REFUSED)
def test_what_cannot_be_done_is_refused_with_a_sentence(name: str, action: list[str], sentence: str) -> None:
    """A wrong name, action, point or fault changes nothing and says what would be right."""
    with closing(Simulation(config(), SystemClock())) as simulation, pytest.raises(Refused, match=sentence):
        simulation.act(name, action)


@pytest.mark.parametrize(
    ("which", "name", "action", "sentence"),
    [
        ({"pins": False}, "leak-button", ["press"], "the pin of leak-button is real"),
        ({"ports": False}, "gate-noise", ["71.3"], "the port of gate-noise is real"),
    ],
)
def test_real_pins_and_ports_cannot_be_driven(
    which: dict[str, bool], name: str, action: list[str], sentence: str
) -> None:
    """Each pin and port that is not simulated is refused by name, and keeps its place in the configuration."""
    with closing(Simulation(config(), SystemClock(), **which)) as simulation, pytest.raises(Refused, match=sentence):
        simulation.act(name, action)

    assert (simulation.config.bus["rs485"].port == "/dev/ttyUSB0") == (which.get("ports") is False)
    assert (simulation.pin_factory is None) == (which.get("pins") is False)


def test_every_device_that_cannot_be_simulated_is_named() -> None:
    """A USB HID device and an unknown driver are both said, in one refusal, and no folder is left behind."""
    table = config(
        device={
            "wet-bulb": {"driver": "gm1356", "port": "/dev/hidraw0"},
            "gate": {"driver": "renke_rs_zz", "bus": "rs485"},
        }
    )
    with pytest.raises(Refused, match=r"wet-bulb cannot be simulated.*hid(?s:.*)gate: .*renke_rs_zz"):
        Simulation(table, SystemClock())


# ---- pins


def test_a_press_moves_both_wires_as_a_switch_does() -> None:
    """The closed contact opens before the open one closes, with bounce, and both come back after the press."""
    with played() as simulation:
        pins = simulation.pin_factory
        assert pins is not None
        button = [DigitalInputDevice(pin, pull_up=True, pin_factory=pins) for pin in (27, 5)]
        found = [line.pin.state for line in button]
        seen: list[tuple[int, bool]] = []

        def first(_ticks: float, state: bool) -> None:
            seen.append((0, state))

        def second(_ticks: float, state: bool) -> None:
            seen.append((1, state))

        button[0].pin.when_changed, button[1].pin.when_changed = first, second
        simulation.act("leak-button", ["press", "latch"])
        assert until(lambda: (0, True) in seen and (1, False) in seen)
        threading.Event().wait(0.05)
        pressed, held = list(seen), [line.pin.state for line in button]
        simulation.act("leak-button", ["release"])
        assert until(lambda: [line.pin.state for line in button] == found)
        for line in button:
            line.close()

    assert found == [False, True]
    assert pressed[0] == (0, True)
    assert [line for line, _ in pressed[1:]] == [1] * (len(pressed) - 1)
    assert len(pressed) >= 4
    assert held == [True, False]


@pytest.mark.parametrize(("word", "levels"), [("press", [True, False]), ("cut", [True, True]), ("short", [False] * 2)])
def test_each_position_of_a_changeover_can_be_played(word: str, levels: list[bool]) -> None:
    """A cut opens both wires and a short closes both, also before anybody has claimed the pins."""
    with played() as simulation:
        simulation.act("leak-button", [word])
        pins = simulation.pin_factory
        assert pins is not None

        assert until(lambda: [bool(pins.pin(pin).state) for pin in (27, 5)] == levels)


@pytest.mark.parametrize("word", ["press", "cut", "short"])
def test_a_switch_stands_where_it_was_left_when_the_program_begins_again(tmp_path: Path, word: str) -> None:
    """A latched button outlives the program, one that springs back is back, and a torn file counts as nothing."""
    file, action = tmp_path / "switches.json", [word, "latch"] if word == "press" else [word]
    with played(switches=file) as simulation:
        simulation.act("leak-button", action)
        assert until(lambda: file.exists() and json.loads(file.read_text()) != {})
    left = [_standing(file)]
    with played(switches=file) as simulation:
        simulation.act("leak-button", ["release"])
        assert until(lambda: _standing(file) == [False, True])
    file.write_text('{"leak-bu')

    assert left == [{"press": [True, False], "cut": [True, True], "short": [False, False]}[word]]
    assert _standing(file) == [False, True]


def _standing(file: Path) -> list[bool]:
    """The levels of the button's two wires as a program that begins now finds them."""
    with closing(Simulation(config(), SystemClock(), ports=False, switches=file)) as simulation:
        pins = simulation.pin_factory
        assert pins is not None
        lines = [DigitalInputDevice(pin, pull_up=True, pin_factory=pins) for pin in (27, 5)]
        levels = [bool(line.pin.state) for line in lines]
        for line in lines:
            line.close()
        return levels


# ---- scenarios

GOOD = 'title = {en = "t", zh = "t"}\nstart = 2026-06-07T08:57:00\n'
BROKEN = [
    ("not = [toml", "is no TOML file"),
    (GOOD, "step: this key is missing"),
    (GOOD + 'speeed = 3\n[[step]]\nafter = "1s"\n', "speeed: this key is not known here"),
    (GOOD + '[[step]]\nafter = "1s"\nat = "09:00:00"\n', "step 1: a step has either at"),
    (GOOD + '[[step]]\nat = "soon"\n', 'step 1, at: a time of day is written "09:12:30"'),
    (GOOD + '[[step]]\nafter = "1 min"\n', "step 1, after: a duration is a number and a unit"),
    (GOOD + '[[step]]\nat = "08:00:00"\n', "step 1 is at 08:00:00, which is before"),
    (GOOD + '[[step]]\nafter = "1s"\ndo = ["gate-noise fault tired"]\n', "step 1: gate-noise: tired is no fault"),
    ('title = {en = "t", zh = "t"}\n[[step]]\nat = "08:00:00"\n', "so the scenario needs a start"),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN)
def test_a_broken_scenario_says_where_and_what(tmp_path: Path, text: str, sentence: str) -> None:
    """Each mistake in a scenario file is named with its file and its place."""
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        scenario.load(path)

    assert sentence in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_a_scenario_that_is_not_there_names_the_nearest() -> None:
    """A misspelt name of a shipped scenario is answered with the right one."""
    with pytest.raises(ConfigError, match="did you mean exam-morning"):
        scenario.load("exam-mornin")


@pytest.mark.parametrize("name", scenario.shipped())
def test_each_shipped_scenario_is_right(name: str) -> None:
    """Every shipped scenario loads and tells its story in order."""
    offsets = [timed.offset_s for timed in scenario.load(name).timeline()]

    assert offsets == sorted(offsets)


def test_a_scenario_acts_at_its_times(tmp_path: Path) -> None:
    """Steps come in order, at their times by the clock that is given, and each once."""
    path = tmp_path / "short.toml"
    path.write_text(GOOD + '[[step]]\nat = "08:57:10"\ndo = ["a 1", "b 2"]\n[[step]]\nafter = "20s"\ndo = ["c ok"]\n')
    done: list[tuple[float, str, list[str]]] = []
    ended = threading.Event()
    clock = FastClock(datetime(2026, 6, 7, tzinfo=UTC), 100)
    began = clock.now()

    def act(name: str, action: list[str]) -> str:
        done.append((clock.now().seconds_since(began), name, action))
        return ""

    stop = threading.Event()
    player = scenario.Player(scenario.load(path), clock, act, ended=ended.set)
    thread = threading.Thread(target=player.run, args=(stop,))
    thread.start()
    assert ended.wait(5)
    stop.set()
    thread.join(5)

    assert [("a", ["1"]), ("b", ["2"]), ("c", ["ok"])] == [(name, action) for _, name, action in done]
    assert pytest.approx([10, 10, 30], abs=8) == [at for at, _, _ in done]
    assert not thread.is_alive()


def test_the_values_of_every_driver_that_can_be_simulated_are_good() -> None:
    """An ordinary day's levels are within every device's range: a simulated device does not look broken."""
    from drivers import library

    bad: list[tuple[str, str]] = []
    for name in library.names():
        driver = library.find(name)
        if driver.transport not in {"serial", "file"} or driver.encode is None or not driver.points:
            continue
        values = DeviceWorld(name, driver).values(moment(0))
        bad += [(name, m.name) for m in driver.decode(driver.encode(values)) if m.quality is not Quality.GOOD]

    assert bad == []


def test_a_simulated_unit_says_who_it_is() -> None:
    """A device whose serial number is asked for when it comes up has one, and another device has another."""
    from drivers import library
    from gateway.simulate.devices import SimulatedDevice

    driver = library.find("senseair_s8")
    assert driver.identity is not None
    assert driver.identify is not None
    heard = [SimulatedDevice(name, driver).hear(driver.identity.send, moment(0)) for name in ("hall", "hall", "room")]
    seen = [driver.identify(each.reply) for each in heard if each is not None]

    assert seen[0] == seen[1] != seen[2]


# ---- the command


@contextmanager
def commanded(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "gateway", "simulate", *arguments, "--lang", "en"]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


def test_simulate_plays_a_configuration_until_it_is_told_to_stop() -> None:
    """The ports are printed and answer, typed actions are done, and Ctrl-C leaves neither port nor folder."""
    venue = Path(scenario.__file__).parent / "venues" / "demo.toml"
    with commanded(str(venue)) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        lines: list[str] = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(child.stdout.readline())
        path = Path(next(line.split()[0] for line in lines if "gate-noise (renke_rs_zs @1)" in line))
        child.stdin.write("gate-noise 71.3\ngate-noise explode\n")
        child.stdin.flush()
        said = [child.stdout.readline() for _ in range(2)]
        with serial.Serial(str(path), 9600, timeout=0.05) as port:
            driver = driver_of(config().device["gate-noise"])
            level = asked(port, driver)
        child.send_signal(signal.SIGINT)
        code = child.wait(5)

    assert level == {"laf": 71.3}
    assert said[0] == "gate-noise is at 71.3\n"
    assert said[1].startswith("'explode' is nothing that can be done")
    assert code == 0
    assert not path.parent.exists()


def test_simulate_refuses_a_scenario_that_is_for_another_venue(tmp_path: Path) -> None:
    """Every step that this configuration cannot do is named before anything is played, with exit code 78."""
    venue = Path(scenario.__file__).parent / "venues" / "demo.toml"
    story = tmp_path / "other.toml"
    story.write_text(
        GOOD + '[[step]]\nafter = "1s"\ndo = ["roof-noise 50"]\n[[step]]\nafter = "1s"\ndo = ["entry ok"]\n'
    )
    with commanded(str(venue), "--scenario", str(story)) as child:
        output, _ = child.communicate(timeout=10)

    assert "step 1, 'roof-noise 50': nothing simulated is called roof-noise; did you mean" in output
    assert "step 2" not in output
    assert child.returncode == 78


def test_the_demos_venue_is_a_good_configuration() -> None:
    """The shipped venue passes the same door as any other; its only warning is the station that the demo adds."""
    checked = check(Path(scenario.__file__).parent / "venues" / "demo.toml")

    assert [] == [str(problem) for problem in checked.problems if problem.severity == "error"]


@pytest.mark.parametrize("name", scenario.shipped())
def test_each_shipped_scenario_fits_the_demos_venue(name: str) -> None:
    """Every action of a shipped scenario can be done in the demo's venue."""
    checked = check(Path(scenario.__file__).parent / "venues" / "demo.toml")
    assert checked.config is not None
    with closing(Simulation(checked.config, SystemClock())) as simulation:
        simulation.power, simulation.people = lambda _on: None, True
        done = [simulation.check(*scenario.split(words)) for step in scenario.load(name).step for words in step.do]

    assert done
