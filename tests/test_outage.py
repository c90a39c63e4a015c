"""Thirteen hours without a broker at 16 devices, then everything at once, and a press in the middle of it (C9, F15)."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from kit_mqtt import Broker, Proxy, until
from kit_process import Command, Gateway, venue
from paho.mqtt.client import Client, MQTTMessage

from drivers.base import Quality
from gateway.journal.readings import ReadingsWriter
from gateway.moment import Moment, SystemClock
from gateway.values import Reading, Readings

DEVICES, BLOCK_S, MEBI = 16, 4, 1024 * 1024


class HandClock:
    """Stands where it was put."""

    def __init__(self, at: Moment) -> None:
        self.at = at

    def now(self) -> Moment:
        return self.at

    def pause(self, seconds: float) -> float:
        return seconds


class Counting(Command):
    """Counts readings, and keeps everything else."""

    count = 0

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        if "/reading/" in message.topic:
            self.count += sum(len(point["value"]) for point in json.loads(message.payload)["points"])
        else:
            super()._on_message(client, data, message)


def lived(state: Path, seconds: int) -> int:
    """The readings of so long, as the program has kept them while nobody took them; how many."""
    state.mkdir()
    now = SystemClock().now()
    clock = HandClock(now.after(-seconds - 1))
    writer = ReadingsWriter(state, clock, lambda _: None, ZoneInfo("Asia/Shanghai"))
    for second in range(seconds):
        clock.at = clock.at.after(1)
        for device in range(DEVICES):
            level = 40 + (second * 7 + device * 13) % 200 / 10
            reading = Reading(f"m{device}/laf", level, Quality.GOOD, clock.at)
            writer.put(Readings(f"m{device}", (reading,)))
        if second % BLOCK_S == BLOCK_S - 1:
            writer._turn()
    over = threading.Event()
    over.set()
    writer.run(over)
    return seconds * DEVICES


def used(gateway: Gateway) -> dict[str, int]:
    """Resident bytes, file descriptors and threads."""
    assert gateway.process is not None
    place = Path(f"/proc/{gateway.process.pid}")
    status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
    return {
        "bytes": int(status["VmRSS"].split()[0]) * 1024,
        "files": len(list((place / "fd").iterdir())),
        "threads": int(status["Threads"]),
    }


@pytest.mark.parametrize(
    ("hours", "rate", "within_s"),
    [(0.1, 3000, 20.0), pytest.param(13, 0, 1.0, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
    ids=["six-minutes", "thirteen-hours"],
)
def test_an_outage(tmp_path: Path, hours: float, rate: int, within_s: float) -> None:
    """C9: pressed in the outage and in the drain; both are there before the backlog is; every reading follows, once;
    memory, files and threads are what they were.
    """
    total = lived(tmp_path / "state", round(hours * 3600))
    with Broker(tmp_path) as broker, Proxy(broker.port) as network, Counting(broker.port, receipts=True) as far:
        network.mood = "refuse"
        with Gateway(tmp_path, venue(network.port, mqtt=f"backlog_rate = {rate}\n")) as gateway:
            gateway.start()
            gateway.press()
            before = used(gateway)
            network.mood = "ok"
            until(lambda: far.count, 60)
            pressed = time.monotonic()
            gateway.sim("leak-button", "press", "latch")
            until(has(far, "repeated"), 60)
            took_s, came = time.monotonic() - pressed, far.count
            until(lambda: far.count >= total, 600)
            after = used(gateway)
            gateway.stop()

    assert took_s < within_s
    assert came < total
    assert far.count == total
    assert [1, 1] == [len(far.events("leak-button", each)) for each in ("raised", "repeated")]
    assert after["bytes"] - before["bytes"] < 12 * MEBI
    assert after["threads"] <= before["threads"]
    assert after["files"] <= before["files"] + 10  # the connection, and the files of the day, read


def has(far: Command, transition: str) -> Callable[[], bool]:
    return lambda: bool(far.events("leak-button", transition))
