"""How long a press takes, from its acceptance to the broker's acknowledgement.

    python benchmarks/press.py [--presses 200] [--only flood]

The real program with a real mosquitto, simulated pins, every sync on. A press is accepted when the glitch filter has
passed; `why` says when the broker acknowledged it (both to the millisecond). Four times over: with a good card, with a
card whose syncs hang for 10 s, and while a backlog of readings drains without a rate limit; `flood`: while a platform
of HJ 212 sends hostile bytes as fast as its line takes them. The floor, measured in the
same run, is a bare SQLite row with every sync, and a bare publish until its PUBACK.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from kit_disk import SickCard  # noqa: E402  found by the line above
from kit_hj212 import MN, PW, Platform, framed  # noqa: E402
from kit_mqtt import Broker, until  # noqa: E402
from kit_process import Command, Gateway, bus, meter, venue  # noqa: E402
from paho.mqtt.client import Client, MQTTMessage  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: E402

from drivers.base import Quality  # noqa: E402
from gateway.journal.readings import ReadingsWriter  # noqa: E402
from gateway.moment import Moment, SystemClock  # noqa: E402
from gateway.values import Reading, Readings  # noqa: E402

SETTLED_S = 0.12  # between movements of the button: longer than any filter
STALL_S = 10.0
DEVICES = 16
BACKLOG = 24 * 3600 * DEVICES  # readings of a day at 1 Hz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--only", choices=("good", "hung", "drain", "flood"))
    args = parser.parse_args()
    presses, only = args.presses, args.only
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as place:  # not in /tmp: that may be memory
        folder = Path(place)
        with Broker(folder) as broker:
            show("floor: a row with every sync", floor_row(folder, presses), "")
            show("floor: publish to PUBACK", floor_publish(broker.port, presses), "")
            if only in (None, "good"):
                good_card(folder, broker.port, presses)
            if only in (None, "hung"):
                hung_card(folder, broker.port)
            if only in (None, "drain"):
                draining(folder, broker.port)
            if only in (None, "flood"):
                flooded(folder, broker.port, presses)


def show(name: str, milliseconds: Sequence[float], bound: str) -> None:
    ordered = sorted(milliseconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99))
    text = f"p50 {p50:8.2f}  p99 {p99:8.2f}  max {ordered[-1]:8.2f} ms  n {len(ordered)}"
    print(f"{name:<34} {text}  {bound}".rstrip(), flush=True)


# ---- the floor


def floor_row(folder: Path, count: int) -> list[float]:
    with closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE rows (body BLOB)")
        return [timed(lambda: connection.execute("INSERT INTO rows VALUES (?)", (b"x" * 1200,))) for _ in range(count)]


def floor_publish(port: int, count: int) -> list[float]:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        return [timed(lambda: client.publish("floor", b"x" * 1200, qos=1).wait_for_publish(5)) for _ in range(count)]
    finally:
        client.disconnect()
        client.loop_stop()


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


# ---- presses


class Counter(Command):
    """Counts readings and keeps none."""

    def __post_init__(self) -> None:
        self.count = 0
        self.times: list[float] = []
        super().__post_init__()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.count += sum(len(point["value"]) for point in json.loads(message.payload)["points"])
        self.times.append(time.monotonic())


def good_card(folder: Path, port: int, count: int) -> None:
    with gateway_on(folder / "good", port) as gateway, custody(port) as far:
        gateway.start()
        show("accepted press to PUBACK", [press(gateway, far) for _ in range(count)], "(bound p99 50)")
        gateway.stop()


def hung_card(folder: Path, port: int) -> None:
    with gateway_on(folder / "hung", port) as gateway, SickCard(gateway.state) as card, custody(port) as far:
        gateway.env = card.env()
        gateway.start()
        card.stall(STALL_S)
        over, took_ms = time.monotonic() + STALL_S - 1, []
        while time.monotonic() < over:
            took_ms.append(press(gateway, far))
        show("  while the card hangs for 10 s", took_ms, "(bound 1000)")
        until(lambda: gateway.status()["stored"] == gateway.status()["last_event"], 2 * STALL_S)
        gateway.stop()


def draining(folder: Path, port: int) -> None:
    gateway = gateway_on(folder / "drain", port, "backlog_rate = 0\n")
    gateway.state.mkdir()
    fill(gateway.state)
    with gateway, custody(port) as far, Counter(port, ("+/+/+/+/reading/+",)) as readings:
        gateway.start()
        until(lambda: readings.times, 20)
        took_ms = []
        while readings.count < BACKLOG:
            took_ms.append(press(gateway, far))
        rate = readings.count / (readings.times[-1] - readings.times[0])
        show("  while a backlog drains", took_ms, f"(bound 1000; at {rate:,.0f} readings a second)")
        gateway.stop()


def flooded(folder: Path, port: int, count: int) -> None:
    """A platform that sends good and bad frames without end; what is not read waits in its own socket."""
    folder = folder / "flood"
    folder.mkdir()
    (folder / "city.password").write_text(PW)
    request = f"QN=20260608000000000;ST=23;CN=1061;PW={PW};MN={MN};Flag=5;CP=&&&&"
    waves = [
        framed(request) * 8,
        bytes(random.randrange(256) for _ in range(2000)),
        b"##1024" * 300,
        b"##0999" + b"x" * 990,
    ]
    over = threading.Event()
    with Platform() as platform:
        table = (
            f'[hj212.city]\nhost = "127.0.0.1"\nport = {platform.port}\nmn = "{MN}"\npassword_file = "city.password"\n'
        )
        factors = '[hj212.city.factors]\nLA = "gate-noise/laf"\n'
        devices = bus() + meter("gate-noise", 1)
        with Gateway(folder, venue(port, devices, f"\n{table}\n{factors}")) as gateway, custody(port) as far:
            gateway.start()
            until(lambda: platform.said("2011"), 60)
            thread = threading.Thread(target=flood, args=(platform, waves, over))
            thread.start()
            took_ms = [press(gateway, far) for _ in range(count)]
            over.set()
            thread.join()
            show("  while a platform floods", took_ms, "(bound p99 50)")
            gateway.stop()


def flood(platform: Platform, waves: Sequence[bytes], over: threading.Event) -> None:
    while not over.is_set():
        with suppress(OSError, AssertionError):
            platform.send(random.choice(waves))


def press(gateway: Gateway, far: Command) -> float:
    """One press and its release; milliseconds from its acceptance to its PUBACK."""
    before = len(far.events("leak-button", "raised", "repeated"))
    gateway.sim("leak-button", "press", "latch")
    event = until(lambda: far.events("leak-button", "raised", "repeated")[before:], 30)[0]
    way = f"{event['transition']} r{event['revision']}"
    acknowledged = until(lambda: "mqtt: " in gateway.ways("leak-button")[way] and gateway.ways("leak-button")[way], 30)
    gateway.sim("leak-button", "release")
    until(lambda: gateway.contact() == "safe", 30)
    time.sleep(SETTLED_S)
    return (moment(acknowledged.partition("mqtt: ")[2].split(",")[0]) - moment(event["time"])) * 1000


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def custody(port: int) -> Command:
    return Command(port, ("+/+/+/custody/event",), receipts=True)  # receipts: else each would be sent again


def gateway_on(folder: Path, port: int, mqtt: str = "") -> Gateway:
    folder.mkdir()
    return Gateway(folder, venue(port, mqtt=mqtt))


class Played:
    """A clock that stands where the record is."""

    def __init__(self, at: Moment) -> None:
        self.at = at

    def now(self) -> Moment:
        return self.at

    def pause(self, _seconds: float) -> float:
        return 0.0


def fill(state: Path, backlog: int = BACKLOG) -> None:
    """Readings of the hours before, as a run before has left them: none delivered, a block every four seconds."""
    now, block = SystemClock().now(), 4 * DEVICES
    clock = Played(now.after(-backlog / DEVICES))
    writer = ReadingsWriter(state, clock, lambda _message: None, ZoneInfo("Asia/Shanghai"))
    for number in range(backlog):
        device = f"m{number % DEVICES}"
        reading = Reading(
            f"{device}/laf", round(random.uniform(40, 60), 1), Quality.GOOD, now.after((number - backlog) / DEVICES)
        )
        writer.put(Readings(device, (reading,)))
        if number % block == block - 1:
            clock.at = reading.at
            writer._seal()  # noqa: SLF001  a block without waiting for its time
        if number % (500 * block) == 0:
            writer._turn()  # noqa: SLF001
    over = threading.Event()
    over.set()
    writer.run(over)


if __name__ == "__main__":
    main()
