"""The real program as a child process, what it was told, and what arrived at the far end.

`Gateway` is `venue-gateway run`; `Command` is a far side of our own that hears everything and may sign receipts;
`record` reads the journal of a state directory, and `faults` compares the two.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kit_mqtt import Heard, Listener, until
from paho.mqtt.client import Client, MQTTMessage

from gateway.errors import Refused, Unavailable
from gateway.journal.chain import public_text, read_event
from gateway.journal.events import EventReader
from gateway.persons.control import ask
from gateway.persons.people import pin_hash
from gateway.persons.signing import make_command, make_receipt

ROOT = Path(__file__).parent.parent
PERSON_KEY, STATION_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PIN = "2468"


@cache
def _pin() -> str:
    return pin_hash(PIN)


def venue(port: int, *tables: str, host: str = "127.0.0.1", mqtt: str = "", station: str | None = None) -> str:
    """A venue with a leak button, a person and a station; `tables` are added as they are."""
    return f"""
[venue]
id = "zj-no1"
name = "考点"

[[person]]
id = "li-wei"
name = "李伟"
may = ["ack", "reset"]
pin = "{_pin()}"
key = "{public_text(PERSON_KEY.public_key())}"

[[station]]
id = "county"
key = "{station or public_text(STATION_KEY.public_key())}"
streams = ["custody", "gateway", "environment"]

[contact.leak-button]
kind = "leak"
pin = 27
safe = "low"
pin_other = 5
lamp_pin = 22
buzzer_pin = 23
{"".join(tables)}
[mqtt]
host = "{host}"
port = {port}
{mqtt}
"""


def meter(name: str, address: int, *, bus: str = "rs485", every: str = "1s") -> str:
    return f'\n[device.{name}]\ndriver = "renke_rs_zs"\nbus = "{bus}"\naddress = {address}\nevery = "{every}"\n'


def bus(port: object = "/dev/null", name: str = "rs485", baud: int = 9600) -> str:
    return f'\n[bus.{name}]\nport = "{port}"\nbaud = {baud}\n'


NOISE_RULE = """
[rule.too-loud]
point = "gate-noise/laf"
above = 65.0
clear_below = 60.0
severity = "high"
"""


class Gateway:
    """`venue-gateway run`, as often as wanted on the same state directory."""

    def __init__(self, folder: Path, toml: str, *, simulate: str | None = "all") -> None:
        self.folder, self.state, self.config = folder, folder / "state", folder / "venue.toml"
        self.config.write_text(toml)
        self.env: Mapping[str, str] = os.environ
        self.before: tuple[str, ...] = ()  # words before the command, as `unshare -n`
        self._words = ("--simulate", simulate) if simulate else ()
        self._log = folder / "gateway.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0  # monotonic

    def start(self, *, wait: bool = True, **env: str) -> None:
        command = [
            *self.before,
            sys.executable,
            "-m",
            "gateway",
            "run",
            self.config,
            "--state",
            self.state,
            *self._words,
        ]
        self.started = time.monotonic()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**self.env, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if wait:
            self.until_running()

    def until_running(self, timeout_s: float = 20.0) -> None:
        until(self.answers, timeout_s, f"an answer of the gateway; its log: {self.log()[-3000:]}")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(Unavailable):
            return bool(ask(self.state, {"verb": "status"})["ok"])
        return False

    def log(self) -> str:
        return self._log.read_text()

    # ---- what people do

    def sim(self, name: str, *action: object) -> bool:
        """False when the gateway was gone before it answered."""
        try:
            answer = ask(self.state, {"verb": "sim", "name": name, "action": [*map(str, action)]}, acting=True)
        except Unavailable:
            return False
        if not answer["ok"]:
            raise Refused(answer["error"])
        return True

    def press(self) -> None:
        """A short press, accepted before this returns."""
        before = self.alarm("leak-button")["revision"]
        self.sim("leak-button", "press", "latch")
        until(lambda: self.alarm("leak-button")["revision"] > before and self.contact() == "active", what="the press")
        self.sim("leak-button", "release")
        until(lambda: self.contact() == "safe", what="the release")

    def ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        return ask(self.state, {"verb": verb, **arguments})

    def command(self, *words: object) -> str:
        """What a command of the command line prints on this gateway's state directory."""
        command = [sys.executable, "-m", "gateway", *map(str, words), "--state", str(self.state), "--lang", "en"]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    def status(self) -> dict[str, Any]:
        return dict(self.ask("status")["status"])

    def contact(self, name: str = "leak-button") -> str:
        return str(self.status()["contacts"][name])

    def alarm(self, name: str) -> dict[str, Any]:
        return dict(self.ask("why", alarm=name)["alarm"])

    def ways(self, name: str) -> dict[str, str]:
        """How far the alarm's last events have come: the hops of each in words."""
        return {
            f"{way['transition']} r{way['revision']}": ", ".join(
                (
                    "stored" if way["stored"] else "not stored",
                    *(f"{sink}: {when}" for sink, when in way["brokers"].items()),
                )
            )
            for way in self.ask("why", alarm=name)["delivery"]
        }

    def point(self, name: str) -> dict[str, Any]:
        return next(point for point in self.ask("points")["points"] if point["point"] == name)

    def standing(self) -> list[str]:
        return [str(alarm["alarm"]) for alarm in self.ask("alarms")["alarms"]]

    def act(self, verb: str, alarm: str, *, note: str = "seen", pin: str = PIN) -> dict[str, Any]:
        seen = self.alarm(alarm)
        request = {"verb": verb, "by": "li-wei", "pin": pin, "alarm": alarm, "note": note}
        request |= {"revision": seen["revision"], "activation": seen["activation"]}
        return ask(self.state, request, acting=True)

    # ---- its end

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self, far: Command) -> None:
        """Once everything is on the card and at the far end, without waiting for a goodbye."""
        until(lambda: self.status()["stored"] == self.status()["last_event"], 10, "everything on the card")
        kept = {event["hash"] for event in record(self.state)}
        until(lambda: kept <= {event["hash"] for event in far.events()}, 10, "everything at the far end")
        self.kill()

    def stop(self) -> float:
        """SIGTERM; the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.log()[-3000:]
        return time.monotonic() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()


@dataclass
class Command(Listener):
    """A far side that hears everything, and signs for each event of custody while `receipts` is set."""

    receipts: bool = False
    root: str = "exam-sim/v1/zj-no1"
    nonce: str = ""
    signed: set[str] = field(default_factory=set)

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        super()._on_message(client, data, message)
        heard = self.heard[-1]
        if heard.topic.endswith("/status") and not heard.retained:
            self.nonce = heard.json.get("nonce", self.nonce)
        if self.receipts and heard.topic.endswith("custody/event"):
            self.sign(client, heard.json["hash"])

    def sign(self, client: Client, hash_: str) -> None:
        self.signed.add(hash_)
        body = make_receipt(STATION_KEY, station="county", hash_=hash_, time="2026-06-07T09:00:00+08:00")
        client.publish(f"{self.root}/receipt/county", body, qos=1)

    def order(self, verb: str, id_: str, alarm: Mapping[str, Any], note: str = "seen") -> None:
        """A signed command of the person, about an alarm as an event or a state shows it."""
        body = make_command(
            PERSON_KEY,
            verb,
            id_=id_,
            by="li-wei",
            nonce=self.nonce,
            alarm=alarm["alarm"],
            activation=alarm["activation"],
            revision=alarm["revision"],
            note=note,
        )
        self.publish(f"{self.root}/command/{verb}", body)

    def events(self, alarm: str | None = None, *transitions: str) -> list[dict[str, Any]]:
        """Each event once, in the order in which it first came."""
        first: dict[str, dict[str, Any]] = {}
        for heard in list(self.heard):
            if heard.topic.endswith("/event"):
                first.setdefault(heard.json["id"], heard.json)
        found = [event for event in first.values() if alarm in (None, event["alarm"])]
        return [event for event in found if not transitions or event["transition"] in transitions]

    def when(self, event: Mapping[str, Any]) -> float:
        """Monotonic time at which it first came."""
        return next(h.at for h in self.heard if h.topic.endswith("/event") and h.json["id"] == event["id"])

    def copies(self) -> Iterator[Heard]:
        return (heard for heard in self.heard if heard.topic.endswith("/event"))


def record(state: Path) -> list[dict[str, Any]]:
    """Every event of the journal, each proven by its hash and the device's key."""
    public = (state / "device.pub").read_text().strip()
    reader = EventReader(state)
    try:
        return [read_event(event.body, public) | {"number": event.number} for event in reader.after(0, 1_000_000)]
    finally:
        reader.close()


def faults(kept: Sequence[Mapping[str, Any]], heard: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong between the journal and what the far end heard (each event once, in the order of arrival)."""
    return [*_missing(kept, heard), *_forked(kept, heard), *_broken(kept), *_disordered(heard)]


def _missing(kept: Sequence[Mapping[str, Any]], heard: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """All that is in the journal has arrived; what arrived and is not there has been reported as such."""
    arrived, stored = {event["hash"] for event in heard}, {event["hash"] for event in kept}
    for event in kept:
        if event["hash"] not in arrived:
            yield f"never arrived: {_named(event)}"
    reported = [str(event["reason"]) for event in kept if event["alarm"] == "sent-not-stored"]
    for event in heard:
        if event["hash"] not in stored and not any(_reports(reason, event) for reason in reported):
            yield f"sent, not stored, not reported: {_named(event)}"


def _reports(reason: str, event: Mapping[str, Any]) -> bool:
    """Whether `custody, run 1f…, seq 3-5, hash …` names this event."""
    found = re.fullmatch(r"(\w+), run (\w+), seq (\d+)(?:-(\d+))?, hash \w+", reason)
    if found is None or (found[1], found[2]) != (event["stream"], event["run"]):
        return False
    return int(found[3]) <= event["seq"] <= int(found[4] or found[3])


def _forked(kept: Sequence[Mapping[str, Any]], heard: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """No place in a chain, no id and no number stands for two events."""
    for name in (("stream", "run", "seq"), ("id",)):
        found: dict[tuple[Any, ...], str] = {}
        for event in (*kept, *heard):
            place = tuple(event[part] for part in name)
            if found.setdefault(place, event["hash"]) != event["hash"]:
                yield f"two events are {place}"


def _broken(kept: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each event names the one before it in its stream; `seq` has no gap within a run."""
    heads: dict[str, Mapping[str, Any]] = {}
    for event in kept:
        head = heads.get(event["stream"])
        if event["previous"] != (head and head["hash"]):
            yield f"names another before it: {_named(event)}"
        if event["seq"] != (head["seq"] + 1 if head and head["run"] == event["run"] else 1):
            yield f"a gap before: {_named(event)}"
        heads[event["stream"]] = event


def _disordered(heard: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    last: dict[tuple[str, str], int] = {}
    for event in heard:
        place = event["stream"], event["run"]
        if event["seq"] <= last.get(place, 0):
            yield f"out of order: {_named(event)} after {last[place]}"
        last[place] = event["seq"]


def _named(event: Mapping[str, Any]) -> str:
    return json.dumps({k: event[k] for k in ("stream", "run", "seq", "alarm", "transition", "revision", "time")})
