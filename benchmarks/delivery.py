"""What delivering readings costs: to a broker, to a database and to the card, each beside its floor in the same run.

    python benchmarks/delivery.py [--readings 200000]

The gateway's own sinks, in this process, on a real record of 16 devices at 1 Hz; mosquitto and the database are other
processes. Floors: a bare paho loop that publishes the same messages from memory (QoS 1, 20 in flight); a bare HTTP
connection that posts the same lines, compressed; a bare SQLite loop that writes the same blocks with every sync. Times
are of the processor for a thousand readings; bytes are those that left (as the broker and the server counted them) or
that went to the block device.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from kit_influx import TOKEN  # noqa: E402  found by the line above
from kit_mqtt import Broker, Listener, free_port, running, until  # noqa: E402
from paho.mqtt.client import Client  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: E402

from benchmarks.press import Played  # noqa: E402
from drivers.base import Quality  # noqa: E402
from gateway import payloads  # noqa: E402
from gateway.configuration import config  # noqa: E402
from gateway.journal import blocks  # noqa: E402
from gateway.journal.minutes_reader import MinutesReader  # noqa: E402
from gateway.journal.reader import EventReader  # noqa: E402
from gateway.journal.readings import ReadingsReader, ReadingsWriter  # noqa: E402
from gateway.moment import SystemClock  # noqa: E402
from gateway.payloads import Below, Origin  # noqa: E402
from gateway.sinks import line_protocol  # noqa: E402
from gateway.sinks.feeder import Feeder  # noqa: E402
from gateway.sinks.influx import NAME, InfluxSink, Sources  # noqa: E402
from gateway.sinks.line_protocol import Labels  # noqa: E402
from gateway.sinks.mqtt import MqttPump  # noqa: E402
from gateway.sinks.quarantine import Quarantine  # noqa: E402
from gateway.sinks.supply import Cursors  # noqa: E402
from gateway.sinks.telemetry import LATE_BLOCKS  # noqa: E402
from gateway.values import Reading, Readings  # noqa: E402

ZONE = ZoneInfo("Asia/Shanghai")
DEVICES = 16
BLOCK_S = 4
SERVER = """
import sys
sys.path[:0] = {paths!r}
from kit_influx import Counting
with Counting({port}) as server:
    for line in sys.stdin:
        server.fault = int(line) or None
        print(len(server.seen), server.received, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=200_000)
    count = parser.parse_args().readings
    record = made(count)
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as place:  # not in /tmp: that may be memory
        folder = Path(place)
        to_card(folder, record, count)
        to_broker(folder, record, count)
        to_database(folder, count)


def show(name: str, count: int, wall_s: float, cpu_s: float, sent: float) -> None:
    thousand = count / 1000
    rate, kib = count / wall_s, sent / 1024 / thousand
    print(f"{name:<46} {rate:>10,.0f}/s {cpu_s / thousand * 1000:>9.2f} ms {kib:>9.2f} KiB", flush=True)


@contextmanager
def measured(name: str, count: int, sent: Callable[[], float]) -> Iterator[None]:
    before, wall_s, cpu_s = sent(), time.perf_counter(), time.process_time()
    yield
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    show(name, count, wall_s, cpu_s, sent() - before)


def made(count: int) -> list[list[Readings]]:
    """Blocks as the writer makes them: four seconds of sixteen meters."""
    start = SystemClock().now().after(-count / DEVICES)  # at 1 Hz each, it ends now
    values = iter([round(random.uniform(40, 60), 1) for _ in range(count)])
    return [
        [
            Readings(f"m{d}", (Reading(f"m{d}/laf", next(values), Quality.GOOD, start.after(BLOCK_S * block + s)),))
            for s in range(BLOCK_S)
            for d in range(DEVICES)
        ]
        for block in range(count // (BLOCK_S * DEVICES))
    ]


# ---- the card


def to_card(folder: Path, record: Sequence[Sequence[Readings]], count: int) -> None:
    """The record of readings as it is written, a commit a block; a tenth is enough, because every sync waits."""
    part = record[: len(record) // 10]
    readings = sum(map(len, part))
    writer = ReadingsWriter(folder / "part", SystemClock(), lambda _message: None, ZONE)
    (folder / "part").mkdir()
    with measured("card: the record", readings, written):
        for block in part:
            for answer in block:
                writer.put(answer)
            writer._turn()  # noqa: SLF001  a commit without waiting for its time
        writer._close()  # noqa: SLF001
    with (
        closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as connection,
        measured("  floor: bare SQLite, the same blocks", readings, written),
    ):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE blocks (place INTEGER PRIMARY KEY, data BLOB)")
        for place, block in enumerate(part, 1):
            connection.execute("INSERT INTO blocks VALUES (?, ?)", (place, blocks.encode(block)))
    clock = Played(record[0][0].readings[0].at)
    whole = ReadingsWriter(folder, clock, lambda _message: None, ZONE)
    for number, block in enumerate(record):
        for answer in block:
            whole.put(answer)
        clock.at = block[-1].readings[0].at  # a block lies where its time is: all but the newest minute is backlog
        whole._seal()  # noqa: SLF001
        if number % 500 == 0:
            whole._turn()  # noqa: SLF001
    over = threading.Event()
    over.set()
    whole.run(over)
    assert count


def written() -> float:
    io = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return float(io["write_bytes"])


# ---- the broker


def to_broker(folder: Path, record: Sequence[Sequence[Readings]], count: int) -> None:
    origin = Origin("zj-no1", "0" * 16, ZONE)
    reached: dict[str, int] = {}
    newest = ReadingsReader(folder).newest()
    with Broker(folder, "sys_interval 1") as broker:
        pump = MqttPump(
            "mqtt",
            config.Mqtt(host="127.0.0.1", port=broker.port, backlog_rate=0),
            origin=origin,
            client_id="benchmark",
            clock=SystemClock(),
            tell=lambda _message: None,
            feeder=Feeder("mqtt", origin, lambda: EventReader(folder), lambda: ReadingsReader(folder)),
            advance=lambda _sink, _number: None,
            advance_readings=lambda sink, place: reached.update({sink: place}),
        )
        received = counter(broker.port)
        with measured("broker: readings from the record", count, received), running(pump.run, pump.feeder.run):
            until(lambda: reached.get("mqtt") == newest, 600)
        messages = packed(record, origin)
        with measured("  floor: bare paho, the same messages", count, received):
            bare_paho(messages, broker.port)


def packed(record: Sequence[Sequence[Readings]], origin: Origin) -> list[Below]:
    """The messages of a record, as the pump makes them of its backlog."""
    batches = [record[start : start + LATE_BLOCKS] for start in range(0, len(record), LATE_BLOCKS)]
    return [
        message
        for batch in batches
        for message in payloads.readings(origin, [a for block in batch for a in block], historical=True)
    ]


def bare_paho(messages: Sequence[Below], port: int) -> None:
    """Publish from memory and wait for every PUBACK."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(20)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for info in [client.publish(f"floor/{message.topic}", message.payload, qos=1) for message in messages]:
        info.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def counter(port: int) -> Callable[[], float]:
    """Bytes that the broker says it has received, once it has said so twice without a change."""
    listener = Listener(port, ("$SYS/broker/bytes/received",), described=False)

    def settled() -> float:
        time.sleep(2.5)  # it is told every second
        return float(listener.heard[-1].payload)

    return settled


# ---- the database


def to_database(folder: Path, count: int) -> None:
    labels = Labels("zj-no1", {}, frozenset({"environment"}))
    newest = ReadingsReader(folder).newest()
    reached: dict[str, int] = {}
    (folder / "token").write_text(TOKEN)
    with database() as (port, state):
        state(0)
        sink = InfluxSink(
            config.InfluxDb(
                url=f"http://127.0.0.1:{port}",
                org="bureau",
                bucket="venues",
                token_file=str(folder / "token"),
                backlog_rate=0,
            ),
            labels,
            Sources(lambda: EventReader(folder), lambda: ReadingsReader(folder), lambda: MinutesReader(folder)),
            Cursors(lambda _sink, _number: None, lambda sink, place: reached.update({sink: place})),
            Quarantine(folder / "quarantine"),
            clock=SystemClock(),
            tell=lambda _message: None,
        )
        with measured("database: readings from the record", count, lambda: state(0)[1]), running(sink.run):
            until(lambda: reached.get(NAME) == newest, 600)
        assert count == state(0)[0]
        reader = ReadingsReader(folder)
        requests, place = [], 0
        while found := reader.after(place, LATE_BLOCKS):
            place = found[-1][0]
            lines = line_protocol.of_readings([answer for _, block in found for answer in block], labels)
            requests.append("\n".join(lines).encode())
        with measured("  floor: bare HTTP, the same lines", count, lambda: state(0)[1]):
            bare_http(requests, port)


def bare_http(requests: Sequence[bytes], port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Token {TOKEN}", "Content-Encoding": "gzip"}
    for lines in requests:
        connection.request("POST", "/api/v2/write?org=bureau&bucket=venues&precision=ms", gzip.compress(lines), headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 204
    connection.close()


@contextmanager
def database() -> Iterator[tuple[int, Callable[[int], tuple[int, int]]]]:
    """A server in a process of its own: its port, and how to set its fault (0: none) and ask for lines and bytes."""
    port = free_port()
    command = [sys.executable, "-c", SERVER.format(paths=sys.path[:2], port=port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def state(fault: int) -> tuple[int, int]:
            stdin.write(f"{fault}\n")
            stdin.flush()
            lines, received = stdout.readline().split()
            return int(lines), int(received)

        try:
            yield port, state
        finally:
            stdin.close()


if __name__ == "__main__":
    print(f"{'':<46} {'readings':>12} {'cpu/1000':>12} {'sent/1000':>13}   {os.cpu_count()} cores")
    main()
