"""The installer's tools on a scripted line: what is there, and giving it an address and a speed."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from drivers import _renke, modbus
from drivers.base import Driver, Provision, Read
from drivers.errors import BadFrame, DeviceError, Timeout
from drivers.library import find
from gateway.installer.survey_cli import Stanzas
from gateway.sources import provision as provisioning
from gateway.sources import survey
from gateway.sources.link import PortError
from gateway.sources.provision import Setting, provision
from tests.kit_bus import Running, ScriptedBus, device, driver


@pytest.fixture
def line(tmp_path: Path) -> Iterator[ScriptedBus]:
    with ScriptedBus(tmp_path / "port", units=[3, 17]) as bus:
        bus.registers = lambda *_: 583
        yield bus


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "LISTEN_S", 0.25)


def scan(line: ScriptedBus, **settings: object) -> list[survey.Found]:
    told = settings.pop("progress", lambda _: None)
    sweep = survey.Sweep(**{"bauds": (9600,), "addresses": range(1, 21), "try_s": 0.03, **settings})
    return list(survey.scan(str(line.port), sweep, told))


def test_scan_finds_who_is_there(line: ScriptedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unit that answers is found, with every driver that reads it well, and progress goes to its end."""
    monkeypatch.setattr(survey, "_serial_drivers", lambda: [find("renke_rs_zs"), find("pms5003")])
    shares: list[float] = []

    found = scan(line, progress=shares.append)

    assert [(f.baud, f.parity, f.address, f.drivers) for f in found] == [
        (9600, "N", 3, ("renke_rs_zs",)),
        (9600, "N", 17, ("renke_rs_zs",)),
    ]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_scan_finds_who_refuses(line: ScriptedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that only says that it cannot is there all the same; which driver fits is not known, and so not said."""
    monkeypatch.setattr(survey, "_serial_drivers", lambda: [find("renke_rs_zs")])
    line.does(3, "busy")

    assert [(f.address, f.drivers) for f in scan(line)] == [(3, ()), (17, ("renke_rs_zs",))]


def test_scan_finds_who_talks(line: ScriptedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that talks by itself is known by its frame, and nobody is asked on its line."""
    monkeypatch.setattr(survey, "LISTEN_S", 1.0)
    frame = find("pms5003").encode({"pm2_5": 12})[0]
    monkeypatch.setattr(survey, "_serial_drivers", lambda: [find("pms5003")])
    real = survey.Link.read

    def read(link: survey.Link, timeout_s: float) -> bytes:
        line.say(frame)
        return real(link, timeout_s)

    monkeypatch.setattr(survey.Link, "read", read)

    assert [(f.address, f.drivers) for f in scan(line)] == [(None, ("pms5003",))]
    assert line.asked == []


@pytest.fixture
def quiet_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "_serial_drivers", lambda: [find("renke_rs_zs")])


def test_scan_says_what_it_cannot_tell_apart(line: ScriptedBus, quiet_list: None) -> None:
    """Two devices of one address give damaged answers, and are told as such; many such addresses are noise."""
    line.does(3, "bad-crc")
    line.does(17, "twice")
    doubts = [(f.address, f.drivers, f.doubt.partition(":")[0]) for f in scan(line)]
    line._units = set(range(1, 21))
    for unit in range(1, 21):
        line.does(unit, "bad-crc")
    noise = [(f.address, f.doubt) for f in scan(line)]

    assert doubts == [(3, (), "damaged answers"), (17, (), "damaged answers")]
    assert noise == [(None, "noise: 20 addresses gave damaged answers")]


def test_scan_stops_at_the_first_when_told_to(line: ScriptedBus, quiet_list: None) -> None:
    """With one device wanted, the first that is found ends the scan."""
    assert [f.address for f in scan(line, one=True)] == [3]


class Speaker:
    """Answers one question with one answer, as often as it is asked, whatever else is said on the line."""

    def __init__(self, line: ScriptedBus, monkeypatch: pytest.MonkeyPatch, replies: dict[bytes, bytes]) -> None:
        real = survey.Link.write
        self.heard: list[bytes] = []

        def write(link: survey.Link, data: bytes) -> None:
            real(link, data)
            self.heard.append(data)
            if data in replies:
                line.say(replies[data])

        monkeypatch.setattr(survey.Link, "write", write)


def test_the_service_question_finds_an_unknown_address(
    line: ScriptedBus, monkeypatch: pytest.MonkeyPatch, quiet_list: None
) -> None:
    """One Renke device of unknown address is found without trying addresses; the echo of the question is no answer."""
    answer = bytes.fromhex("fd fd fd 02 11 28 e4")
    speaker = Speaker(line, monkeypatch, {_renke.QUESTION.send: answer})

    assert _renke.QUESTION.send == bytes.fromhex("fd fd fd 00 00 e9 88")
    assert _renke.settings(bytes.fromhex("fd fd fd 02 01 29 28")) == (4800, 1)
    assert [(f.address, f.drivers) for f in scan(line, one=True)] == [(17, ("renke_rs_zs",))]
    assert [data[0] for data in speaker.heard if data[0] != 17] == [0xFD]
    for bad in ("fd fd fd 00 00 e9 88", "fd fd fd 02 01 29 29", "fd fd fe", "fd fd fd 02"):
        with pytest.raises(BadFrame):
            _renke.settings(bytes.fromhex(bad))


def test_scan_asks_devices_without_an_address(line: ScriptedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that has no address is found by its own question; those that ask alike are named together."""
    names = ("mh_z19b", "mh_z19c", "senseair_k30")
    monkeypatch.setattr(survey, "_serial_drivers", lambda: [find(name) for name in names])
    sensor = find("mh_z19b")
    Speaker(line, monkeypatch, {sensor.reads[0].send: sensor.encode({"co2": 612})[0]})

    assert [(f.address, f.drivers) for f in scan(line)] == [(None, ("mh_z19b", "mh_z19c"))]


def test_scan_tells_the_identity(line: ScriptedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """B7: a device that can say who it is does so in the lines for the configuration."""
    monkeypatch.setattr(survey, "_serial_drivers", lambda: [find("senseair_s8")])
    line.registers = lambda _, register: {0: 0, 3: 612}.get(register, 0x0102)
    found = scan(line, addresses=range(17, 18))

    assert [(f.drivers, f.identity) for f in found] == [(("senseair_s8",), "01020102")]


def test_a_port_in_use_is_refused_by_name(line: ScriptedBus) -> None:
    """B8: the tools do not fight the running gateway for its port."""
    with Running(line.port, [device(3)]) as bus:
        bus.wait(lambda m: type(m).__name__ == "Readings")
        with pytest.raises(PortError, match="in use"):
            scan(line)


def settable(line: ScriptedBus, address: int) -> Driver:
    """A unit whose address and speed are written to registers 0x07D0 and 0x07D1."""

    def setting(register: int, value: int) -> tuple[Read, ...]:
        if value > 250 and register == 0x07D0:
            raise ValueError("out of range")
        question = modbus.write_register(address, register, value)
        return (Read(modbus.reply(question), question, timeout_s=0.05),)

    way = Provision(address=partial(setting, 0x07D0), baud=partial(setting, 0x07D1), bauds=(4800, 9600))
    return replace(driver(address, timeout_s=0.05), provision=way)


class Settable:
    """A line with one unit that takes another address and speed; a pty has no speed by itself."""

    def __init__(self, line: ScriptedBus, monkeypatch: pytest.MonkeyPatch, baud: int = 9600, address: int = 3) -> None:
        self.line, self.baud, self.address = line, baud, address
        self.deaf = self.lost = self.dies = False
        self.port = survey.line(str(line.port), 9600)
        real = survey.Link.write
        monkeypatch.setattr(survey.Link, "write", lambda link, data: self.write(link, data, real))
        monkeypatch.setattr(provisioning, "RESTART_S", 0.0)
        line._units = {address}

    def write(self, link: survey.Link, data: bytes, real: object) -> None:
        self.line._units = {self.address} if link.baud == self.baud else set()
        if data[1] == 6 and data[0] == self.address and link.baud == self.baud and not self.deaf:
            if self.dies:
                raise PortError("unplugged")
            register, value = data[3], int.from_bytes(data[4:6], "big")
            if register == 0xD0:
                self.address = value
            else:
                self.baud = value
            if self.lost:
                self.line._units = set()
        real(link, data)

    def provision(self, before: Setting, wanted: Setting) -> str:
        return provision(partial(settable, self.line), self.port, before, wanted)


@pytest.fixture
def unit(line: ScriptedBus, monkeypatch: pytest.MonkeyPatch) -> Settable:
    return Settable(line, monkeypatch)


def test_provision_sets_and_proves(unit: Settable) -> None:
    """A new address and speed are each proven by reading there; done a second time the work is found done."""
    first = unit.provision(Setting(9600, 3), Setting(4800, 9))
    second = unit.provision(Setting(9600, 3), Setting(4800, 9))

    assert first == "the device answers at 4800 baud, address 9"
    assert "answers at 4800 baud, address 9 already" in second
    assert (unit.baud, unit.address) == (4800, 9)


def test_an_unanswered_setting_is_proven_by_reading(unit: Settable) -> None:
    """Whether a write was taken is not told by its answer, which may be lost, but by who answers where afterwards."""
    unit.lost = True

    assert "answers at 9600 baud, address 9" in unit.provision(Setting(9600, 3), Setting(9600, 9))
    unit.deaf = True
    with pytest.raises(DeviceError, match="took no notice and answers at 9600 baud, address 9"):
        unit.provision(Setting(9600, 9), Setting(9600, 11))


def test_cut_off_half_way_it_goes_on(unit: Settable) -> None:
    """Cut off after the address and before the speed, the next try says where the device is and how to go on."""
    unit.address = 9
    with pytest.raises(ValueError, match="go on with --from-address 9 --from-baud 9600"):
        unit.provision(Setting(9600, 3), Setting(4800, 9))

    assert "answers at 4800" in unit.provision(Setting(9600, 9), Setting(4800, 9))
    unit.baud = 1200
    with pytest.raises(Timeout, match="scan"):
        unit.provision(Setting(9600, 9), Setting(4800, 9))
    unit.baud, unit.dies = 9600, True
    with pytest.raises(PortError):
        unit.provision(Setting(9600, 9), Setting(9600, 10))


def test_what_may_not_be_provisioned(unit: Settable, line: ScriptedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A taken address, one out of range, nothing new, and a device whose settings are unknown: nothing is written."""
    cases = [
        (Setting(9600, 251), "out of range"),
        (Setting(9600, 3), "nothing to change"),
    ]
    for wanted, words in cases:
        with pytest.raises(ValueError, match=words):
            unit.provision(Setting(9600, 3), wanted)
    with pytest.raises(ValueError, match="how to set the address of scripted is not known"):
        provision(driver, unit.port, Setting(9600, 3), Setting(9600, 9))
    monkeypatch.undo()
    line._units = {3, 17}
    with pytest.raises(ValueError, match="taken"):
        unit.provision(Setting(9600, 3), Setting(9600, 17))

    assert {request[1] for _, request in line.asked} == {3}


def test_a_device_that_wants_a_power_cycle_says_so(unit: Settable) -> None:
    """Where a setting holds only after switching off and on, that is said, and the same command then proves it."""

    def at(address: int) -> Driver:
        bound = settable(unit.line, address)
        return replace(bound, provision=replace(bound.provision, power_cycle=True))

    text = provision(at, unit.port, Setting(9600, 3), Setting(9600, 9))

    assert "switch the device off and on" in text


def test_the_time_is_told_before() -> None:
    """The estimate is what a scan takes when nobody answers: it grows with speeds, parities and addresses."""
    one = survey.Sweep((9600,), ("N",), range(1, 11), 0.1)
    questions = len(survey._questions(9600))

    assert one.seconds() == pytest.approx(0.25 + 0.3 * (1 + questions) + 10 * (0.1 + 8 * 11 / 9600))
    assert survey.Sweep((9600, 9600), ("N", "E"), range(1, 11), 0.1).seconds() == pytest.approx(4 * one.seconds())


def test_stanzas_can_be_pasted() -> None:
    """All that was found makes one good file: each bus once, each device by its own name, with all drivers that fit."""
    stanzas = Stanzas("/dev/ttyUSB0")
    found = [
        survey.Found(4800, "N", 3, ("renke_rs_zs", "renke_immersion")),
        survey.Found(4800, "N", 4, ("senseair_s8",), identity="00010002"),
        survey.Found(4800, "N", 5, (), "damaged answers"),
        survey.Found(9600, "E", 6, ("xy_md02",)),
        survey.Found(9600, "N", None, ("pms5003",)),
    ]
    text = "\n".join(map(stanzas.of, found))
    tables = tomllib.loads(text)

    assert tables["bus"] == {
        "line-4800": {"port": "/dev/ttyUSB0", "baud": 4800},
        "line-9600-e": {"port": "/dev/ttyUSB0", "baud": 9600, "parity": "E"},
    }
    assert [(d["driver"], d.get("bus"), d.get("address"), d.get("identity")) for d in tables["device"].values()] == [
        ("renke_rs_zs", "line-4800", 3, None),
        ("senseair_s8", "line-4800", 4, "00010002"),
        ("xy_md02", "line-9600-e", 6, None),
        ("pms5003", None, None, None),
    ]
    assert "cannot be told apart" in text
    assert "renke_immersion" in text
    assert "damaged answers" in text
    assert "one speed" in text
