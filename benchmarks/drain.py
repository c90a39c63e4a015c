"""What an outage costs, and its end: 13 hours of readings, broker and database away, then both back at once.

    python benchmarks/drain.py [--hours 13] [--away 20]

The real program with a real mosquitto behind a proxy and a small InfluxDB server in another process, no rate limit, and
a record that a run before has left, of 16 devices at 1 Hz. Both stay away for a while; then everything drains, and the
leak button is pressed again and again meanwhile. Printed: memory before, while both are away and during the drain;
readings a second to each; how long a press takes from its acceptance to the broker's acknowledgement. The floor is a
bare paho loop that publishes from memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from kit_influx import TOKEN  # noqa: E402  found by the line above
from kit_mqtt import Broker, Proxy, until  # noqa: E402
from kit_process import Gateway, venue  # noqa: E402

from benchmarks.delivery import bare_paho, database, made, packed  # noqa: E402
from benchmarks.footprint import cpu, resident  # noqa: E402
from benchmarks.press import DEVICES, Counter, custody, fill, press, show  # noqa: E402
from gateway.payloads import Origin  # noqa: E402


@dataclass
class Outcome:
    """Of one outage and its drain."""

    backlog: int
    before_mib: float = 0.0
    away_mib: list[float] = field(default_factory=list)
    drain_mib: list[float] = field(default_factory=list)
    mqtt: int = 0  # readings that arrived
    mqtt_s: float = 0.0
    fields: int = 0  # that the database holds
    influx: int = 0  # of them after the drain had begun
    influx_s: float = 0.0
    presses_ms: list[float] = field(default_factory=list)
    cpu_s: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=13)
    parser.add_argument("--away", type=float, default=20, help="seconds without broker and database")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as place:  # not in /tmp: that may be memory
        found = outage(Path(place), round(args.hours * 3600) * DEVICES, args.away)
    line("readings of the outage", found.backlog, "")
    line("resident at the start", found.before_mib, "MiB")
    line("  at most while both are away", max(found.away_mib), "MiB", f"(least {min(found.away_mib):.1f})")
    line("  at most while it drains", max(found.drain_mib), "MiB")
    line("floor: bare paho from memory", floor(), "readings/s")
    line("to the broker", found.mqtt / found.mqtt_s, "readings/s", "(bound 10,000)")
    line("to the database", found.influx / found.influx_s, "readings/s")
    line("processor time for 1,000 readings to both", found.cpu_s / found.backlog * 1000, "s")
    show("press to PUBACK while it drains", found.presses_ms, "(bound 1000)")


def floor() -> float:
    """Readings a second of a bare paho loop."""
    count = 64_000
    messages = packed(made(count), Origin("x", "0" * 16, UTC))
    with tempfile.TemporaryDirectory() as place, Broker(Path(place)) as broker:
        began = time.monotonic()
        bare_paho(messages, broker.port)
        return count / (time.monotonic() - began)


def line(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:<44} {value:>12,.3f} {unit:<12} {note}".rstrip(), flush=True)


def outage(folder: Path, backlog: int, away_s: float) -> Outcome:
    """Fill the record, begin without broker and database, let both come back, and watch the drain to its end."""
    found = Outcome(backlog)
    with Broker(folder) as broker, Proxy(broker.port) as proxy, database() as (port, state):
        state(503)
        proxy.mood = "refuse"
        (folder / "token").write_text(TOKEN)
        gateway = Gateway(folder, venue(proxy.port, influxdb(port), mqtt="backlog_rate = 0\n"))
        gateway.state.mkdir()
        fill(gateway.state, backlog)
        with gateway, custody(broker.port) as far, Counter(broker.port, ("+/+/+/+/reading/+",)) as readings:
            gateway.start()
            found.before_mib = resident(gateway)[0]
            over = time.monotonic() + away_s
            while time.monotonic() < over:
                found.away_mib.append(resident(gateway)[0])
                time.sleep(0.2)
            cpu_s, proxy.mood = cpu(gateway), "ok"
            state(0)
            with watched(gateway, found.drain_mib):
                until(lambda: readings.times and state(0)[0], 120)
                began, done = time.monotonic(), 0.0
                first = state(0)[0]
                while readings.count < backlog or state(0)[0] < backlog:
                    found.presses_ms.append(press(gateway, far))
                    done = done or (time.monotonic() if state(0)[0] >= backlog else 0.0)
            found.cpu_s = cpu(gateway) - cpu_s
            found.mqtt, found.mqtt_s = readings.count, readings.times[-1] - readings.times[0]
            found.fields = state(0)[0]
            found.influx, found.influx_s = state(0)[0] - first, (done or time.monotonic()) - began
            gateway.stop()
    return found


def influxdb(port: int) -> str:
    return (
        f'\n[influxdb]\nurl = "http://127.0.0.1:{port}"\norg = "bureau"\nbucket = "venues"\n'
        'token_file = "token"\nbacklog_rate = 0\n'
    )


@contextmanager
def watched(gateway: Gateway, into: list[float]) -> Iterator[None]:
    """Its resident memory, again and again."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            into.append(resident(gateway)[0])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    main()
