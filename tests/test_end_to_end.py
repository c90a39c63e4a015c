"""The whole gateway as a process, with a real broker: from a button or a meter to a person's answer."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit_mqtt import Broker, until
from kit_process import NOISE_RULE, PERSON_KEY, PIN, STATION_KEY, Command, Gateway, bus, faults, meter, record, venue
from test_foreign_slaves import PYMODBUS, program

from gateway.persons.people import write_key

HELD = ("raised", "repeated")
STATION = """
id = "county"
key_file = "county.key"
root = "exam-sim/v1"
streams = ["custody"]

[broker]
host = "127.0.0.1"
port = {port}

[person]
id = "li-wei"
key_file = "li-wei.key"
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def far(broker: Broker) -> Iterator[Command]:
    with Command(broker.port) as far:
        yield far


def test_path_of_a_press(tmp_path: Path, broker: Broker, far: Command) -> None:
    """From press to person: every press is an event of its own at the broker, a receipt makes it received, a signed
    command acknowledges it, and what arrived is what the journal holds.
    """
    with Gateway(tmp_path, venue(broker.port)) as gateway:
        gateway.start()
        gateway.press()
        gateway.press()
        until(lambda: len(far.events("leak-button", *HELD)) == 2)
        before = gateway.alarm("leak-button")["received_by"]
        far.receipts = True
        gateway.press()
        until(lambda: gateway.alarm("leak-button")["received_by"] == ["county"])
        until(lambda: far.events("leak-button", "received"))
        far.order("ack", "cmd-1", far.events("leak-button")[-1])
        until(lambda: far.events("leak-button", "acknowledged"))
        standing = gateway.alarm("leak-button")
        gateway.end(far)
        presses = far.events("leak-button", *HELD)

        assert before == []
        assert ["raised", "repeated", "repeated"] == [event["transition"] for event in presses]
        assert 1 == len({event["activation"] for event in presses})
        assert ("latched_acknowledged", "li-wei") == (standing["state"], standing["by"])
        assert [] == faults(record(gateway.state), far.events())


def test_path_of_a_reading(tmp_path: Path, broker: Broker, far: Command) -> None:
    """Noise over its limit at a meter on a serial port becomes one event at the broker, is acknowledged on the command
    line with a PIN (a wrong one is refused), and clears with hysteresis; its readings arrive with their quality. When
    the meter dies, its last value is missing within its age limit (E4).
    """
    with Gateway(tmp_path, venue(broker.port, bus(), meter("gate-noise", 1, every="1s"), NOISE_RULE)) as gateway:
        gateway.start()
        gateway.sim("gate-noise", 71.3)
        until(lambda: far.events("too-loud"))
        gateway.sim("gate-noise", 63.0)  # below the limit and not yet below where it clears
        refused = gateway.act("ack", "too-loud", pin="1111")
        pin_file = tmp_path / "pin"
        pin_file.write_text(f"{PIN}\n")
        words = ("ack", "too-loud", "--by", "li-wei", "--note", "works next door", "--pin-file", pin_file)
        said = gateway.command(*words)
        gateway.sim("gate-noise", 50.0)
        until(lambda: far.events("too-loud", "cleared"))
        gateway.sim("gate-noise", "fault", "silent")
        until(lambda: far.on("environment/reading/gate-noise"), 8, "readings")
        until(lambda: gateway.point("gate-noise/laf")["quality"] != "good", 8)
        dead = gateway.point("gate-noise/laf")
        gateway.end(far)
        raised, acknowledged, _ = events = far.events("too-loud")
        batch = far.on("environment/reading/gate-noise")[0].json

        assert ["raised", "acknowledged", "cleared"] == [event["transition"] for event in events]
        assert (71.3, 65.0, "dB(A)", "good") == tuple(raised[k] for k in ("value", "limit", "unit", "quality"))
        assert ("li-wei", "works next door") == (acknowledged["by"], acknowledged["note"])
        assert (False, True) == (refused["ok"], "PIN" in refused["error"])
        assert "acknowledged" in said
        assert (None, "missing", "stale") == tuple(dead[key] for key in ("value", "quality", "reason"))
        assert "good" in batch["points"][0]["quality"]
        assert [] == faults(record(gateway.state), far.events())


def test_slave_of_another_maker(tmp_path: Path, broker: Broker, far: Command) -> None:
    """A noise meter played by pymodbus's server, which we did not write, raises an alarm at the broker."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    tables = (bus(ours), meter("gate-noise", 1, every="1s"), NOISE_RULE.replace("65.0", "45.0").replace("60.0", "40.0"))
    gateway = Gateway(tmp_path, venue(broker.port, *tables), simulate="pins")

    with program("socat", f"pty,raw,echo=0,link={ours}", f"pty,raw,echo=0,link={theirs}", ready=False):
        until(lambda: ours.exists() and theirs.exists())
        with gateway, program(sys.executable, "-c", PYMODBUS, theirs):
            gateway.start()
            until(lambda: far.events("too-loud"), 10)
            gateway.end(far)

    assert 50.1 == far.events("too-loud")[0]["value"]
    assert ["raised"] == [event["transition"] for event in far.events("too-loud")]


def test_broker_down_at_start(tmp_path: Path, broker: Broker) -> None:
    """Started while no broker answers: button, lamp and local socket work; later everything arrives, in order, and is
    not marked historical (C4, C5).
    """
    broker.stop()
    with Gateway(tmp_path, venue(broker.port)) as gateway:
        gateway.start()
        gateway.press()
        gateway.press()
        waiting = gateway.ways("leak-button")
        broker.start()
        with Command(broker.port) as far:
            until(lambda: len(far.events("leak-button", *HELD)) == 2, 10)
            gateway.end(far)

            assert all("stored" in way and "mqtt" not in way for way in waiting.values())
            assert [False] == list({event["historical"] for event in far.events("leak-button")})
            assert [] == faults(record(gateway.state), far.events())


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nsenter") is None, reason="needs root for a network of its own")
def test_no_network_at_all(tmp_path: Path, broker: Broker) -> None:
    """Without any network interface, not even loopback, button, lamp and local socket work within 10 s of the start;
    when the network comes, everything arrives (F4).
    """
    broker.stop()
    gateway = Gateway(tmp_path, venue(broker.port))
    gateway.before = ("unshare", "-n")
    with gateway, contextlib.ExitStack() as stack:
        gateway.start()
        gateway.press()
        took_s = time.monotonic() - gateway.started
        assert gateway.process is not None
        inside = ("nsenter", "-n", "-t", str(gateway.process.pid))
        shown = gateway.status()["brokers"]["mqtt"]["state"]
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        stack.enter_context(program(*inside, "mosquitto", "-c", tmp_path / "mosquitto.conf", ready=False))
        until(lambda: any("mqtt" in way for way in gateway.ways("leak-button").values()), 15)
        gateway.kill()

    assert took_s < 10
    assert shown == "unreachable"


def test_a_real_station(tmp_path: Path, broker: Broker, far: Command) -> None:
    """A press, the program `station` as the far side: it signs for what it keeps and acknowledges as its person, so
    that the alarm is received and acknowledged at the venue.
    """
    write_key(tmp_path / "county.key", STATION_KEY)
    write_key(tmp_path / "li-wei.key", PERSON_KEY)
    (tmp_path / "station.toml").write_text(STATION.format(port=broker.port))
    station = (sys.executable, "-m", "gateway", "station", tmp_path / "station.toml", "--plain")
    with (
        program(*station, "--acknowledge-after", "0.5s", "--lang", "en", ready=False),
        Gateway(tmp_path, venue(broker.port)) as gateway,
    ):
        gateway.start()
        gateway.press()
        until(lambda: gateway.alarm("leak-button")["received_by"] == ["county"], 10)
        until(lambda: gateway.alarm("leak-button")["state"] == "latched_acknowledged", 10)
        answered = gateway.alarm("leak-button")
        gateway.end(far)

    assert "li-wei" == answered["by"]
    assert ["raised", "received"] == [
        e["transition"] for e in far.events("leak-button") if e["transition"] != "cleared"
    ][:2]
    assert [] == faults(record(gateway.state), far.events())
