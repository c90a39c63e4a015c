"""Killed at any instant: what was accepted is at the far end, once, in order, and the chain has no fork."""

import os
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kit_disk import SickCard
from kit_mqtt import Broker, Proxy, until
from kit_process import NOISE_RULE, Command, Gateway, bus, faults, meter, record, venue

from gateway.errors import Unavailable
from gateway.journal.readings import ReadingsReader
from gateway.journal.verify import verify

KILLS = int(os.environ.get("KILLS", "1000"))  # of the long run
OPENINGS = ("raised", "repeated")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path, "persistence true", f"persistence_location {tmp_path}/") as broker:
        yield broker


class Press(NamedTuple):
    """One that the gateway has shown: its event has a revision after `before`, up to and with `shown`."""

    activation: str
    before: int
    shown: int

    def is_of(self, event: Mapping[str, Any]) -> bool:
        return event["activation"] == self.activation and self.before < event["revision"] <= self.shown


class Life(threading.Thread):
    """What goes on at a venue: presses of a latching button, levels that change, a network that comes and goes, and
    (unless it is None) a broker that does.

    `accepted` are the presses of which the gateway has said that it saw them.
    """

    def __init__(self, gateway: Gateway, network: Proxy, dice: random.Random, broker: Broker | None) -> None:
        super().__init__(daemon=True)
        self.accepted: list[Press] = []
        self._gateway, self._network, self._dice, self._broker = gateway, network, dice, broker
        self._over = threading.Event()

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._press()
                self._gateway.sim("gate-noise", self._dice.choice((50, 71)))
                if self._dice.random() < 0.3:
                    self._network.mood = self._dice.choice(("ok", "ok", "refuse", "black-hole"))
                    self._network.cut()
                if self._broker is not None and self._dice.random() < 0.1:
                    self._broker.restart(self._dice.uniform(0, 0.5))
                self._over.wait(self._dice.uniform(0, 0.1))
        except Unavailable:  # the gateway was killed under our hands
            return

    def _press(self) -> None:
        """Out and in again; a press counts as accepted once the gateway shows it."""
        self._gateway.sim("leak-button", "release")  # it may have been left pressed by the life before
        while self._gateway.contact() != "safe" and not self._over.is_set():
            pass
        before = self._gateway.alarm("leak-button")
        self._gateway.sim("leak-button", "press", "latch")
        seen = before
        while seen["revision"] == before["revision"] and not self._over.is_set():
            seen = self._gateway.alarm("leak-button")
        if self._gateway.contact() == "active":
            since = before["revision"] if before["activation"] == seen["activation"] else 0
            self.accepted.append(Press(seen["activation"], since, seen["revision"]))

    def end(self) -> None:
        self._over.set()
        self.join(10)


def killed(
    gateway: Gateway, network: Proxy, dice: random.Random, rounds: int, broker: Broker | None = None
) -> list[list[Press]]:
    """Start, let life go on, kill at a random instant, again and again; the presses of each. One in five is killed
    while it starts; where the broker comes and goes, one in ten after readings were committed.
    """
    lives = []
    for _ in range(rounds):
        starting = dice.random() < 0.2
        gateway.start(wait=not starting)
        life = Life(gateway, network, dice, broker)
        life.start()
        longer_s = 5.0 if broker is not None and dice.random() < 0.1 else 0.0
        time.sleep(longer_s + dice.uniform(0.05, 0.7))
        gateway.kill()
        life.end()
        lives.append(life.accepted)
    return lives


def lost(lives: Sequence[Sequence[Press]], events: Sequence[Mapping[str, Any]]) -> list[Press]:
    """Presses that the far end does not know. The very last before a kill may be known as found at the next start."""
    openings = [event for event in events if event["alarm"] == "leak-button" and event["transition"] in OPENINGS]
    found_at_start = sum(event["reason"] == "found-at-start" for event in openings)
    missing = []
    for presses in lives:
        for press in presses:
            if any(press.is_of(event) for event in openings):
                continue
            if press is presses[-1] and found_at_start:
                found_at_start -= 1
                continue
            missing.append(press)
    return missing


def readings_lost(gateway: Gateway, far: Command) -> list[tuple[str, int]]:
    """Readings that are on the card and never arrived: point, and milliseconds since 1970."""
    arrived: set[tuple[str, int]] = set()
    for batch in [heard.json for heard in far.heard if "/reading/" in heard.topic]:
        start_ms = round(datetime.fromisoformat(batch["from"]).timestamp() * 1000)
        for series in batch["points"]:
            arrived |= {(series["point"], start_ms + ms + off) for ms in series["after_ms"] for off in (-1, 0, 1)}
    reader = ReadingsReader(gateway.state)
    kept = [r for _, answers in reader.after(0, 1_000_000) for answer in answers for r in answer.readings]
    reader.close()
    return [key for key in ((r.point, r.at.wall_ns // 1_000_000) for r in kept) if key not in arrived]


def prove(gateway: Gateway, far: Command, lives: Sequence[Sequence[Press]]) -> None:
    """Ledger equality, once everything has had time to arrive."""
    gateway.start()
    kept = {event["hash"] for event in record(gateway.state)}
    until(lambda: kept <= {event["hash"] for event in far.events()}, 20, "everything at the far end")
    until(lambda: not readings_lost(gateway, far), 60, "every reading that was committed")
    gateway.stop()
    until(lambda: far.on("/status")[-1].json["state"] == "offline")
    events = far.events()
    bodies: dict[str, set[bytes]] = {}
    for heard in far.copies():
        bodies.setdefault(heard.json["id"], set()).add(
            heard.payload.replace(b'"historical":true', b'"historical":false')
        )

    assert [] == lost(lives, events)
    assert [] == faults(record(gateway.state), events)
    assert () == verify(gateway.state).findings
    assert [] == [id_ for id_, copies in bodies.items() if len(copies) > 1]


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(25, marks=pytest.mark.timeout(300)),
        pytest.param(KILLS, marks=[pytest.mark.soak, pytest.mark.timeout(6000)]),
    ],
)
def test_kills(tmp_path: Path, broker: Broker, rounds: int) -> None:
    """A9, C4, C8: killed at random instants while presses, levels and the network come and go (and in the long run the
    broker too), every accepted press is at the far end, once after de-duplication, in order, and so is every reading
    that was committed; the record is whole and its chain has no fork.
    """
    dice = random.Random(int(os.environ.get("KILL_SEED", "7")))
    with Proxy(broker.port) as network, Command(broker.port, session="far") as far:
        gateway = Gateway(tmp_path, venue(network.port, bus(), meter("gate-noise", 1), NOISE_RULE))
        with gateway:
            lives = killed(gateway, network, dice, rounds, broker if rounds == KILLS else None)
            network.mood = "ok"
            prove(gateway, far, lives)

        forged = far.events("state-altered")

    assert sum(map(len, lives)) > rounds
    assert [] == forged


def last(far: Command) -> dict[str, Any]:
    return far.events("leak-button")[-1]


@pytest.mark.parametrize("latch", [True, False], ids=["latching", "springing-back"])
def test_kill_in_a_stall(tmp_path: Path, broker: Broker, latch: bool) -> None:
    """A9, C4: the card hangs, a press goes out all the same, then the power is gone. At the next start the alarm
    stands as the same activation, from the broker's retained state; a latching button is found pressed and raised
    at once, and goes on as that activation. What was sent and never stored is reported.
    """
    with SickCard(tmp_path / "state") as card, Command(broker.port) as far:
        gateway = Gateway(tmp_path, venue(broker.port))
        gateway.env = card.env()
        with gateway:
            gateway.start()
            card.stall(60)
            gateway.sim("leak-button", "press", "latch")
            (sent,) = until(lambda: far.events("leak-button", *OPENINGS))
            if not latch:
                gateway.sim("leak-button", "release")
                until(lambda: last(far)["transition"] == "cleared")
            until(
                lambda: (far.on("custody/alarm/leak-button")[-1].json["event"] or {}).get("hash") == last(far)["hash"]
            )
            unstored, final = gateway.ways("leak-button"), last(far)
            gateway.kill()
            card.heal()
            gateway.start()
            until(lambda: far.events("sent-not-stored"))
            until(lambda: gateway.alarm("leak-button")["activation"] == sent["activation"])
            standing = gateway.alarm("leak-button")
            gateway.stop()
        kept = record(gateway.state)

        assert all("not stored" in way for way in unstored.values())
        assert sent["hash"] not in [event["hash"] for event in kept]
        assert final["hash"] in far.events("sent-not-stored")[0]["reason"]
        assert latch == standing["condition"]
        assert sent["activation"] == standing["activation"]
        assert standing["state"] != "normal"
        assert latch == ("goes-on" in [event["reason"] for event in kept])
        assert [] == faults(kept, far.events())
        assert () == verify(gateway.state).findings
