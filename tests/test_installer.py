"""The installer's commands against the real program, and what it remembers of the units that it has met."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kit_mqtt import until
from kit_process import Gateway, venue

from drivers.errors import BadFrame
from drivers.library import bound, find
from gateway.cli import main
from gateway.configuration.config import Bus, Config, Device
from gateway.known_units import KnownUnits
from gateway.moment import SystemClock
from gateway.simulate.simulation import Simulation
from gateway.sources import survey
from gateway.sources.unit import BoundDevice, WrongDevice, same_unit
from gateway.worker import Worker
from tests.kit_bus import ScriptedBus

SENSORS = ("co2-hall", "co2-room")


@contextmanager
def played(folder: Path) -> Iterator[dict[str, Path]]:
    """Two CO2 sensors on two ports, each of which can say who it is; the ports by bus."""
    devices = {name: Device(driver="senseair_s8", bus=f"line-{name}", address=254) for name in SENSORS}
    tables = {
        "venue": {"id": "zj-no1", "name": "考点"},
        "bus": {f"line-{name}": Bus(port="/dev/null") for name in SENSORS},
    }
    config = Config.model_validate(tables).model_copy(update={"device": devices})
    simulation = Simulation(config, SystemClock(), pins=False, folder=folder)
    workers = [Worker(name, work) for name, work in simulation.workers]
    for worker in workers:
        worker.start()
    try:
        yield {name.removeprefix("line-"): Path(bus.port) for name, bus in simulation.config.bus.items()}
    finally:
        for worker in workers:
            worker.stop()
        assert all(worker.join(3) for worker in workers)
        simulation.close()


def plug(folder: Path, ports: dict[str, Path], *order: str) -> None:
    for name, port in zip(SENSORS, order, strict=True):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(ports[port])


def test_adapters_swapped_while_the_gateway_was_off(tmp_path: Path) -> None:
    """B7: two ports swapped between two runs: both sensors are refused by name, and no value is shown at the wrong
    place; swapped back all is well. B8: `read` borrows a port meanwhile, without an alarm, and its loan is in the log.
    """
    tables = "".join(
        f'[bus.line-{name}]\nport = "{tmp_path / name}"\n'
        f'[device.{name}]\ndriver = "senseair_s8"\nbus = "line-{name}"\naddress = 254\n'
        for name in SENSORS
    )
    with played(tmp_path) as ports, Gateway(tmp_path, venue(1, tables), simulate="pins") as gateway:
        plug(tmp_path, ports, *SENSORS)
        gateway.start()
        until(lambda: set(devices(gateway).values()) == {"ok"}, what="both sensors")
        until(lambda: len(units(gateway)) == 2, what="their memory")
        said = gateway.command("read", gateway.config, "co2-hall", "--raw")
        until(lambda: "event=loan-over" in gateway.log(), what="the end of the loan")
        standing = gateway.standing()
        gateway.stop()
        plug(tmp_path, ports, *reversed(SENSORS))
        gateway.start()
        until(lambda: all("WrongDevice" in text for text in devices(gateway).values()), what="the refusal")
        seen = [gateway.point(f"{name}/co2")["value"] for name in SENSORS]
        gateway.stop()
        plug(tmp_path, ports, *SENSORS)
        gateway.start()
        until(lambda: set(devices(gateway).values()) == {"ok"}, what="both sensors again")

    assert "> fe 04 00 1d 00 02" in said
    assert "co2-hall/co2" in said
    assert f'identity = "{units(gateway)["co2-hall"]}"' in said
    assert "to='read (uid " in gateway.log()
    assert [None, None] == seen
    assert not any(name.startswith(("bus-", "device-")) for name in standing)


def devices(gateway: Gateway) -> dict[str, str]:
    return dict(gateway.status()["devices"])


def units(gateway: Gateway) -> dict[str, str]:
    path = gateway.state / "units.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    return {name: entry["identity"] for name, entry in found.items()}


def run(known: KnownUnits, *, until_written: Path | None = None) -> None:
    """Lets it write down what it was told."""
    stop = threading.Event()
    thread = threading.Thread(target=known.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 3
    while not known._news.empty() and time.monotonic() < deadline:
        stop.wait(0.01)
    stop.set()
    thread.join(3)


def test_what_is_remembered_of_a_unit(tmp_path: Path) -> None:
    """B7: first met, then expected; the configuration goes before memory; another type, or a device that left the
    configuration, begins anew; a damaged file, or a card that takes nothing, costs only the memory.
    """
    device = BoundDevice("co2", bound("senseair_s8", 254, {}), 4.0)
    known = KnownUnits(tmp_path)
    first = known.enter([device])[0]
    first.met("0001")
    run(known)
    remembered = [
        KnownUnits(tmp_path).enter([each])[0].identity
        for each in (
            device,
            BoundDevice("co2", device.driver, 4.0, "0002"),
            BoundDevice("co2", bound("xy_md02", 1, {}), 1.0),
            BoundDevice("other", device.driver, 4.0),
        )
    ]
    gone = KnownUnits(tmp_path)
    gone.enter([])
    run(gone)
    forgotten = KnownUnits(tmp_path).enter([device])[0].identity
    (tmp_path / "units.json").write_text('["x"]')

    assert first.identity is None
    assert ["0001", "0002", None, None] == remembered
    assert forgotten is None
    assert KnownUnits(tmp_path).enter([device])[0].identity is None
    sick = KnownUnits(tmp_path / "nowhere")
    sick.enter([device])[0].met("0003")
    run(sick)
    with pytest.raises(WrongDevice, match='replaced on purpose, write identity = "b"'):
        same_unit("a", lambda: "b")
    with pytest.raises(BadFrame, match="and then another one"):
        same_unit(None, iter(("a", "b")).__next__)


VENUE = '[venue]\nid = "zj-no1"\nname = "考点"\n[bus.line]\nport = "{port}"\nbaud = 115200\n{tables}'
METER = '[device.{name}]\ndriver = "renke_rs_zs"\nbus = "line"\naddress = {address}\n'


def test_read_and_scan_without_a_gateway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`read` says what a device says, with its bytes, as text or JSON, and what went wrong; `scan` prints tables that
    can be pasted, or JSON.
    """
    monkeypatch.setattr(survey, "LISTEN_S", 0.25)
    monkeypatch.setattr(survey, "_serial_drivers", lambda: [find("renke_rs_zs"), find("sps30")])
    config = tmp_path / "venue.toml"
    meters = "".join(METER.format(name=f"gate-{n}", address=n) for n in (3, 4))
    config.write_text(VENUE.format(port=tmp_path / "port", tables=meters))
    state = ["--state", str(tmp_path / "none"), "--lang", "en"]
    with ScriptedBus(tmp_path / "port", units=[3]) as line:
        line.registers = lambda *_: 583
        codes = [main(["read", str(config), name, *state]) for name in ("gate-3", "gate-4", "gate-5")]
        text = capsys.readouterr()
        codes.append(main(["read", str(config), "gate-3", "--json", *state]))
        data = json.loads(capsys.readouterr().out)
        words = ["scan", str(line.port), "--baud", "115200", "--addresses", "3", *state]
        codes += [main(words), main([*words, "--json"])]
        scanned = capsys.readouterr().out
        codes += [main(["scan", str(tmp_path / "nothing"), *state])]
        codes += [main(["provision", str(line.port), name, "--address", "5", *state]) for name in ("pms5003", "none")]
        codes += [main(["provision", str(line.port), "renke_rs_zs", "--address", "1", *state])]
        complaints = capsys.readouterr().err

    assert codes == [0, 1, 1, 0, 0, 0, 1, 1, 1, 1]
    assert "gate-3/laf" in text.out
    assert "58.3 dB(A)" in text.out
    assert "Timeout: no answer" in text.err
    assert "there are: gate-3, gate-4" in text.err
    assert [("gate-3/laf", 58.3, "dB(A)")] == [(p["point"], p["value"], p["unit"]) for p in data["points"]]
    assert [">", "<"] == [way for way, _ in data["raw"]]
    assert "[bus.line-115200]" in scanned
    assert 'driver = "renke_rs_zs"' in scanned
    assert '"address": 3' in scanned
    for words_of in (
        "is its adapter plugged in",
        "no address that could be set",
        "no driver 'none'",
        "nothing to change",
    ):
        assert words_of in complaints


def test_reading_what_has_no_serial_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`read` takes any way to a device, and shows what came over it; a way that is not there is a sentence."""
    config, sensor = tmp_path / "venue.toml", tmp_path / "w1_slave"
    table = f'[device.cellar]\ndriver = "ds18b20"\nport = "{sensor}"\n'
    config.write_text('[venue]\nid = "zj-no1"\nname = "考点"\n' + table)
    words = ["read", str(config), "cellar", "--raw", "--state", str(tmp_path / "none"), "--lang", "en"]
    codes = [main(words)]
    sensor.write_text("50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n")
    codes.append(main(words))
    said = capsys.readouterr()

    assert codes == [1, 0]
    assert "is the sensor connected" in said.err
    assert "< 35 30 20 30 35" in said.out
    assert "cellar/temperature" in said.out


def test_what_an_installer_is_told_of_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    """`devices NAME` names wiring, ranges, identity, what can be set, and lines for the configuration; JSON too."""
    for name, words in {
        "renke_rs_zs": ("120 ohm", "30 ... 120", "can set: address, baud", "never evidence", "[bus.rs485]"),
        "sps30": ("a port of its own", "it can say who it is", "fan", 'driver = "sps30"'),
        "ds18b20": ("1-Wire", "w1_slave"),
    }.items():
        assert main(["devices", name, "--lang", "en"]) == 0
        said = capsys.readouterr().out
        for word in words:
            assert word in said
    assert main(["devices", "senseair_s8", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert (told["ranges"], told["identity"], told["provision"]) == ({"co2": [200, 10000]}, True, [])
