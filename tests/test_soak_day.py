"""A whole day of a venue with 16 devices, sixty times as fast: nothing grows, nothing is lost. By `make soak` only.

SOAK_HOURS and SOAK_SPEED shorten it for a trial; a day at sixty times the speed takes 24 minutes. The gateway with its
simulated devices is a process of its own: this file, run as a program.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from kit_mqtt import Broker, Proxy, until
from kit_process import ROOT, Command, Gateway, bus, faults, meter, record, venue
from paho.mqtt.client import Client, MQTTMessage

from gateway.app import App
from gateway.configuration.config import Config
from gateway.journal.readings_reader import ReadingsReader
from gateway.simulate.clock import FastClock
from gateway.simulate.simulation import Simulation

HOURS = max(1, round(float(os.environ.get("SOAK_HOURS", "24"))))
SPEED = float(os.environ.get("SOAK_SPEED", "60"))
DEVICES, BUSES = 16, 4
GROWTH_MIB = 8.0  # caches of the database and of the allocator


@dataclass
class Counting(Command):
    """Keeps every event, and of readings only how many came of each device."""

    readings: Counter[str] = field(default_factory=Counter)

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        super()._on_message(client, data, message)
        if "/event" not in message.topic and len(self.heard) > 1:
            heard = self.heard.pop()
            if "/reading/" in heard.topic:
                self.readings[heard.topic.rpartition("/")[2]] += sum(len(p["value"]) for p in heard.json["points"])


class Day(Gateway):
    """The gateway of `main` below."""

    def start(self, *, wait: bool = True, **env: str) -> None:
        command = [sys.executable, __file__, str(self.config), str(self.state), str(SPEED)]
        self.started = time.monotonic()
        environment = {**os.environ, **env, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.until_running()

    def resources(self) -> tuple[float, int, int]:
        """Resident MiB, open files, threads."""
        assert self.process is not None
        place = Path(f"/proc/{self.process.pid}")
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        return int(status["VmRSS"].split()[0]) / 1024, len(list((place / "fd").iterdir())), int(status["Threads"])


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_day_leaves_nothing_behind(tmp_path: Path) -> None:
    """F15: memory, open files and threads are flat over a day of readings, presses, lost devices and lost brokers, and
    every event and every reading of the record has arrived.
    """
    meters = [meter(f"meter-{n}", n // BUSES + 1, bus=f"bus{n % BUSES}", every="10s") for n in range(DEVICES)]
    rule = '[rule.too-loud]\npoint = "meter-0/laf"\nabove = 65.0\nclear_below = 60.0\n'
    tables = [*(bus(f"/dev/bus{n}", f"bus{n}") for n in range(BUSES)), *meters, rule]
    samples = []
    with Broker(tmp_path) as broker, Proxy(broker.port) as proxy, Counting(broker.port, receipts=True) as far:
        with Day(tmp_path, venue(proxy.port, *tables, mqtt="backlog_rate = 0")) as day:
            day.start()
            began, hour_s = time.monotonic(), 3600 / SPEED
            for hour in range(HOURS):
                day.press()
                day.sim("meter-0", 80)
                day.sim(f"meter-{hour % DEVICES}", "fault", "silent")
                pause(began + (hour + 0.4) * hour_s)
                if hour % 3 == 1:
                    proxy.mood = "refuse"
                pause(began + (hour + 0.6) * hour_s)
                proxy.mood = "ok"
                day.sim(f"meter-{hour % DEVICES}", "ok")
                day.sim("meter-0", 50)
                pause(began + (hour + 1) * hour_s)
                samples.append(day.resources())
            until(lambda: day.status()["brokers"]["mqtt"]["state"] == "connected", 60)
            until(lambda: len(far.events()) >= day.status()["last_event"], 120, "the last event")
            pause(time.monotonic() + 15)
            day.stop()
        kept, heard = record(day.state), far.events()
        stored = Counter(reading_counts(day.state))
        missing = {name: count - far.readings[name] for name, count in stored.items() if count > far.readings[name]}
    third = max(1, len(samples) // 3)
    parts = samples[third // 2 : third + third // 2] or samples[:1], samples[-third:]
    early, late = ([statistics.median(column) for column in zip(*part, strict=True)] for part in parts)
    print(f"\n{HOURS} h: {len(kept)} events, {sum(stored.values())} readings; MiB, files, threads {early} -> {late}")

    assert [] == faults(kept, heard)
    assert {} == {name: count for name, count in missing.items() if count > 5}  # the last seconds before the stop
    assert late[0] - early[0] < GROWTH_MIB
    assert abs(late[1] - early[1]) <= 2
    assert abs(late[2] - early[2]) <= 1


def reading_counts(state: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    reader = ReadingsReader(state)
    place = 0
    try:
        while found := reader.after(place, 500):
            place = found[-1][0]
            for _, block in found:
                for answer in block:
                    counts[answer.device] += len(answer.readings)
    finally:
        reader.close()
    return counts


def pause(until_s: float) -> None:
    threading.Event().wait(max(0.0, until_s - time.monotonic()))


def main(config_path: str, state: str, speed: str) -> None:
    import signal

    config = Config.model_validate(tomllib.loads(Path(config_path).read_text("utf-8")))
    clock = FastClock(datetime(2026, 3, 2, 8, tzinfo=ZoneInfo("Asia/Shanghai")), float(speed))
    app = App(config, Path(state), simulation=Simulation(config, clock), clock=clock)
    signal.signal(signal.SIGTERM, lambda *_: app.stopping.set())
    app.start()
    try:
        app.serve()
    finally:
        app.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
