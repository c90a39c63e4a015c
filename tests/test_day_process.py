"""The exam day on the real program, by the real command line: acceptance by hand, drills, entries, a session."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from kit_mqtt import Broker
from kit_mqtt import until as at_once
from kit_process import NOISE_RULE, PIN, ROOT, Command, Gateway, bus, meter, record, venue
from paho.mqtt.client import Client, MQTTMessage

from gateway.persons.control import ask
from gateway.persons.people import pin_hash

PERSONS = "".join(
    f'\n[[person]]\nid = "{name}"\nname = "{name}"\nmay = ["drill", "log", "shelve"]\npin = "{pin_hash(PIN)}"\n'
    for name in ("chen", "zhou")
)
METER = bus() + meter("gate-noise", 1) + NOISE_RULE
MAINS = '\n[contact.mains]\nkind = "power"\npin = 16\nsafe = "low"\nplace = "cellar"\n'
DUTIES = '\n[custody]\nstart = 2026-06-05T16:00:00\nend = 2036-06-10T18:00:00\nduties = ["patrol"]\n'


def session(zone: ZoneInfo) -> str:
    """One that is on now."""
    start = datetime.now(zone).replace(tzinfo=None, microsecond=0) - timedelta(minutes=5)
    return (
        f'\n[[session]]\nname = "外语"\nstart = {start.isoformat()}\nend = {(start + timedelta(hours=2)).isoformat()}\n'
    )


class Station(Command):
    """Signs for custody and for drills, as `venue-gateway station` does."""

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        super()._on_message(client, data, message)
        if message.topic.endswith("custody/event") or (
            message.topic.endswith("/event") and self.heard[-1].json["drill"]
        ):
            self.sign(client, self.heard[-1].json["hash"])


def until(condition: Callable[[], Any], what: str) -> None:
    """Looks ten times a second, as each look asks the gateway or reads the whole record."""
    at_once(lambda: threading.Event().wait(0.1) or condition(), what=what)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("venue")


@pytest.fixture(scope="module")
def far(place: Path) -> Iterator[Command]:
    with Broker(place) as broker, Station(broker.port) as far:
        yield far


@pytest.fixture(scope="module")
def gateway(place: Path, far: Command) -> Iterator[Gateway]:
    (place / "pin").write_text(PIN)
    with Gateway(place, venue(far.port, PERSONS, MAINS, DUTIES, METER), simulate="all") as gateway:
        gateway.start()
        until(lambda: gateway.contact() == gateway.contact("mains") == "safe", what="the contacts")
        until(lambda: gateway.status()["brokers"].get("mqtt", {}).get("state") == "connected", what="the broker")
        until(lambda: gateway.point("gate-noise/laf")["quality"] == "good", what="the meter")
        yield gateway


def accept(gateway: Gateway, *words: str, press: tuple[str, ...]) -> tuple[int, list[str]]:
    """`accept`, with somebody at the contacts who presses those that are named when he is told to."""
    command = [sys.executable, "-m", "gateway", "accept", "--by", "chen", "--pin-file", "pin", "--lang", "en"]
    command += ["--state", str(gateway.state), *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = []
    with subprocess.Popen(command, cwd=gateway.folder, stdout=subprocess.PIPE, text=True, env=env) as walk:
        assert walk.stdout is not None
        for line in walk.stdout:
            said.append(line.rstrip())
            name = line.split()[1] if line.startswith("press ") else ""
            if name in press:
                gateway.sim(name, "press" if name == "leak-button" else "open")
                until(lambda name=name: gateway.alarm(f"{name}-drill")["state"] != "normal", what="the drill")  # type: ignore[misc]
                threading.Event().wait(0.5)  # a hand is slower than a receipt
                gateway.sim(name, "release" if name == "leak-button" else "close")
    return walk.returncode, said


def entries(gateway: Gateway, reason: str) -> list[dict[str, Any]]:
    return [event for event in record(gateway.state) if event["reason"] == reason]


def test_acceptance_by_hand_goes_on_where_it_was_left(gateway: Gateway) -> None:
    """Each contact is pressed by hand, a marked drill is received by the station; the sheet's hash is on record."""
    first = accept(gateway, "--only", "leak-button", press=("leak-button",))
    second = accept(gateway, press=("mains",))
    page = (gateway.folder / "acceptance.html").read_text("utf-8")
    signed = entries(gateway, "acceptance")
    raised = [e for e in record(gateway.state) if e["transition"] == "raised"]
    real, drilled = [e for e in raised if not e["drill"]], {e["alarm"] for e in raised if e["drill"]}

    assert any(
        "contact leak-button" in line and "in order" in line and "received by county" in line for line in first[1]
    )
    assert not any(line.startswith("press leak-button") for line in second[1])
    assert any("contact mains (cellar): in order" in line for line in second[1])
    assert any("mains power: in order" in line for line in second[1])
    assert any("rule too-loud" in line and "not tried (left out this time; now" in line for line in first[1])
    assert any("rule too-loud" in line and "in order (drill received by county in" in line for line in second[1])
    assert any("alarms of the machine" in line and "in order (device-gate-noise" in line for line in second[1])
    assert {"too-loud-drill", "device-gate-noise-drill", "bus-rs485-drill", "duty-patrol-drill"} <= drilled
    assert len(drilled) == int(entries(gateway, "acceptance-begun")[-1]["details"]["drills"]) + 2  # two were pressed
    assert {None} == {e["value"] for e in record(gateway.state) if e["alarm"] in drilled}
    assert signed[-1]["details"]["sheet"] in page
    assert signed[-1]["hash"] in page
    assert "SIMULATED" in page
    assert not {"leak-button", "mains"} & {e["alarm"] for e in real}


def test_a_drill_leaves_a_sheet(gateway: Gateway) -> None:
    """Held by a named person, received at the station, ended by name; the sheet names each hop and what was silent."""
    until(lambda: gateway.alarm("leak-button-drill")["state"] == "normal", what="the end of the test")
    gateway.command("drill", "leak-button", "--by", "chen", "--pin-file", gateway.folder / "pin", "--note", "monthly")
    until(lambda: gateway.alarm("leak-button-drill")["received_by"] == ["county"], what="the receipt")
    gateway.command("drill", "leak-button", "--end", "--by", "chen", "--pin-file", gateway.folder / "pin")
    until(lambda: any(e["note"] == "monthly" for e in entries(gateway, "drill-record")), what="the record")
    out = gateway.folder / "drill.html"
    gateway.command("report", "drill", "--out", out)
    last = json.loads(gateway.command("report", "drill", "--json"))[-1]
    page = out.read_text("utf-8")

    assert ["acknowledgement"] == last["silent"]
    assert {"county"} == set(last["received_ms"])
    assert {"mqtt"} == set(last["accepted_ms"])
    assert last["stored_ms"] is not None
    assert last["event"] in page
    assert "received and signed for at county" in page


def test_a_patrol_by_two_at_one_terminal(gateway: Gateway) -> None:
    """Both PINs are proven; a wrong second one enters nothing."""
    pin, wrong = gateway.folder / "pin", gateway.folder / "wrong"
    wrong.write_text("1111")
    words = ("log", "patrol", "--by", "chen", "--pin-file", pin, "--with", "zhou", "--with-pin-file")
    with pytest.raises(subprocess.CalledProcessError):
        gateway.command(*words, wrong)
    before = entries(gateway, "patrol")
    said = gateway.command(*words, pin)
    until(lambda: entries(gateway, "patrol"), what="the entry")

    assert [] == before
    assert "entered: patrol round the paper room by two" in said
    assert "chen, zhou" == entries(gateway, "patrol")[-1]["by"]


def test_a_session_locks_what_changes_and_knows_its_lost_time(gateway: Gateway, far: Command) -> None:
    """In a session shelving is refused and a changed file waits, over a restart too, unless it says why it cannot; a
    killed gateway's absence is lost time.
    """
    parts = (PERSONS, MAINS, DUTIES, session(ZoneInfo("Asia/Shanghai")))
    change(gateway, venue(far.port, *parts))
    until(lambda: gateway.status()["stage"] == "session", what="the session")
    refused = shelve(gateway)
    until((gateway.state / "alive.json").exists, what="a sign of life")
    before = gateway.status()["configuration"]
    change(gateway, venue(far.port, *parts, "# changed\n"))
    until(lambda: entries(gateway, "configuration-waits"), what="the waiting file")
    waiting = gateway.status()["configuration"]
    lent = ask(gateway.state, {"verb": "lend", "port": "/dev/null", "seconds": 5}, acting=True)
    change(gateway, venue(far.port, *parts, '\n[change]\ncannot_wait = "order 12"\n'))
    until(lambda: gateway.status()["configuration"] != before, what="the urgent file")
    frozen = gateway.status()["frozen"]
    urgent = gateway.status()["configuration"]
    gateway.kill()
    gateway.config.write_text(venue(far.port, *parts, "# changed again\n"))
    gateway.start()
    until(lambda: entries(gateway, "disturbance-ended"), what="the lost time")
    until(lambda: len(entries(gateway, "configuration-waits")) > 1, what="the file that waits after the restart, too")
    restarted = gateway.status()["configuration"]
    lost = json.loads(gateway.command("report", "lost-time", "--json"))
    table = gateway.command("report", "lost-time")

    assert "not in a session" in refused
    assert (False, True) == (lent["ok"], "lending a port" in lent["error"])
    assert (before, urgent) == (waiting, restarted)
    assert frozen
    assert "order 12" == entries(gateway, "configuration-urgent")[-1]["details"]["why"]
    assert ["gateway-down"] == [row["cause"] for row in lost["disturbances"]]
    assert 0 < lost["sessions"]["外语"] < 60
    assert "the gateway did not run" in table


def shelve(gateway: Gateway) -> str:
    words = ("shelve", "mains", "--for", "5m", "--by", "chen", "--note", "x", "--pin-file", gateway.folder / "pin")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        gateway.command(*words)
    return str(refused.value.stderr)


def change(gateway: Gateway, toml: str) -> None:
    assert gateway.process is not None
    gateway.config.write_text(toml)
    gateway.process.send_signal(signal.SIGHUP)
