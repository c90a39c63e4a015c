"""The installer's tools on a scripted line: what is there, what it says, and giving it an address."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from drivers import modbus
from drivers.base import Driver, Provision, Read
from drivers.errors import Timeout
from drivers.library import find
from gateway.config import Bus
from gateway.sources import survey
from gateway.sources.link import PortError
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
    return list(survey.scan(str(line.port), **{"bauds": (9600,), "addresses": range(1, 21), "try_s": 0.03, **settings}))


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


def test_a_port_in_use_is_refused_by_name(line: ScriptedBus) -> None:
    """B8: the tools do not fight the running gateway for its port."""
    with Running(line.port, [device(3)]) as bus:
        bus.wait(lambda m: type(m).__name__ == "Readings")
        with pytest.raises(PortError, match="in use"):
            scan(line)


def test_read_once(line: ScriptedBus) -> None:
    """What a device says now; silence is an error and no value."""
    meter = find("renke_rs_zs")
    settings = Bus(port=str(line.port))

    assert [(m.name, m.value) for m in survey.read_once(meter.at(3, {}), settings)] == [("laf", 58.3)]
    with pytest.raises(Timeout):
        survey.read_once(driver(4), settings)


def settable(line: ScriptedBus, address: int) -> Driver:
    """A unit whose address is written to register 0x07D0; the line hears it and moves the unit."""

    def setting(new: int) -> tuple[Read, ...]:
        question = modbus.write_register(address, 0x07D0, new)
        line._units = line._units - {address} | {new}
        return (Read(modbus.reply(question), question, answered=False),)

    return replace(driver(address), provision=Provision(address=setting))


def test_provision_sets_and_proves(line: ScriptedBus) -> None:
    """The new address is proven by reading there; done a second time it finds its work done; a taken one is refused."""
    at, settings = partial(settable, line), Bus(port=str(line.port))

    assert "answers at address 9" in survey.provision(at, settings, 3, 9)
    assert "answers already" in survey.provision(at, settings, 3, 9)
    with pytest.raises(ValueError, match="taken"):
        survey.provision(at, settings, 9, 17)
    with pytest.raises(Timeout, match="nobody answers"):
        survey.provision(at, settings, 30, 31)
    with pytest.raises(ValueError, match="not known"):
        survey.provision(driver, settings, 9, 10)


def test_the_time_is_told_before() -> None:
    """The estimate is what a scan takes when nobody answers: it grows with speeds, parities and addresses."""
    one = survey.duration_s((9600,), ("N",), range(1, 11), 0.1)

    assert one == pytest.approx(0.25 + 10 * (0.1 + 8 * 11 / 9600))
    assert survey.duration_s((9600, 9600), ("N", "E"), range(1, 11), 0.1) == pytest.approx(4 * one)


def test_stanzas_can_be_pasted() -> None:
    """A found device is printed as the tables that the configuration wants, with every driver that fits."""
    text = survey.stanza("/dev/ttyUSB0", survey.Found(4800, "N", 3, ("renke_rs_zs", "xy_md02")), 1)

    assert 'driver = "renke_rs_zs"' in text
    assert "xy_md02" in text
    assert "address = 3" in text
    assert "baud = 4800" in text
    assert 'port = "/dev/ttyUSB0"' in survey.stanza("/dev/ttyUSB0", survey.Found(9600, "N", None, ("pms5003",)), 2)
