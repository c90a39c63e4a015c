"""What the gateway costs: time to start, memory, processor, and what it writes to the card.

    python benchmarks/footprint.py [--seconds 60] [--devices 16]

The real program with a real mosquitto and `venue-gateway simulate` beside it, each a process of its own: Renke meters
at 1 Hz, four on a bus, over pseudo-terminals; simulated pins. Readings are counted where they arrive. Syncs are counted
by a small library in the process; bytes written are the kernel's (`write_bytes` of /proc/PID/io: pages that went to the
block device, checkpoints included). The floor is a bare interpreter that imports the same libraries.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from kit_mqtt import Broker, until  # noqa: E402  found by the line above
from kit_process import Command, Gateway, bus, meter, venue  # noqa: E402

ON_A_BUS = 4
SETTLE_S = 12.0  # first commits and caches are not the steady state
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
LIBRARIES = (
    *("cryptography.hazmat.primitives.asymmetric.ed25519", "gpiozero.pins.mock", "paho.mqtt.client", "pydantic"),
    *("rfc8785", "serial", "sqlite3", "socketserver", "ssl", "tomllib", "zoneinfo"),
)
COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static void count(void)
{
    int fd = open(getenv("SYNC_COUNT"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd >= 0 && write(fd, "s", 1) == 1)
        close(fd);
}
int fsync(int fd) { count(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { count(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--devices", type=int, default=16)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as place:  # not in /tmp: that may be memory
        folder = Path(place)
        with Broker(folder) as broker, played(folder, broker.port, args.devices) as toml:
            starts(folder / "starts", toml, broker.port)
            steady(folder / "steady", toml, broker.port, args)


def show(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:<44} {value:>10.3f} {unit:<12} {note}".rstrip(), flush=True)


@contextmanager
def played(folder: Path, port: int, devices: int) -> Iterator[str]:
    """The devices, played by another process; the configuration with their ports in it."""
    names = [f"bus{n}" for n in range((devices + ON_A_BUS - 1) // ON_A_BUS)]
    meters = [meter(f"meter-{n}", n % ON_A_BUS + 1, bus=names[n // ON_A_BUS]) for n in range(devices)]
    (folder / "played.toml").write_text(venue(port, *(bus(f"/dev/{name}", name) for name in names), *meters))
    command = [sys.executable, "-m", "gateway", "simulate", str(folder / "played.toml")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as player:
        assert player.stdout is not None
        try:
            ports = [player.stdout.readline().split()[0] for _ in names]
            yield venue(port, *(bus(path, Path(path).name) for path in ports), *meters)
        finally:
            player.terminate()


def starts(folder: Path, toml: str, port: int) -> None:
    folder.mkdir()
    wall_s, cpu_s = [], []
    with Command(port, ("+/+/+/status",)) as far, Gateway(folder, toml, simulate="pins") as gateway:
        for _ in range(5):
            before = len(births(far))
            gateway.start(wait=False)
            birth = until(lambda n=before: births(far)[n:], 20)[0]
            cpu_s.append(cpu(gateway))
            wall_s.append(birth - gateway.started)
            gateway.until_running()
            gateway.stop()
    show("start to first publish, median of 5", statistics.median(wall_s), "s", f"(bound 1.5; best {min(wall_s):.2f})")
    show("processor time until then", statistics.median(cpu_s), "s")
    imports = "; ".join(f"import {name}" for name in LIBRARIES)
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", imports], check=True)
    show("floor: bare interpreter, same imports", time.monotonic() - began, "s")


def births(far: Command) -> list[float]:
    return [each.at for each in far.on("/status") if not each.retained and each.json["state"] == "online"]


def steady(folder: Path, toml: str, port: int, args: argparse.Namespace) -> None:
    folder.mkdir()
    counts = folder / "syncs"
    with Command(port, ("+/+/+/+/reading/+",)) as far, Gateway(folder, toml, simulate="pins") as gateway:
        gateway.start(LD_PRELOAD=str(compiled(folder)), SYNC_COUNT=str(counts))
        time.sleep(SETTLE_S)
        before = measured(gateway, counts)
        arrived = delivered(far)
        time.sleep(args.seconds)
        after = measured(gateway, counts)
        readings = delivered(far) - arrived
        resident_mib, threads = resident(gateway)
        gateway.stop()
    cpu_s, written, syncs, grown = (now - then for now, then in zip(after, before, strict=True))
    thousand = readings / 1000
    show("readings delivered", readings / args.seconds, "1/s", f"({args.devices} devices at 1 Hz)")
    show("resident memory", resident_mib, "MiB", f"(bound 64; {threads} threads)")
    show("floor: bare interpreter, same imports", bare_mib(), "MiB")
    show("processor time for 1,000 readings", cpu_s / thousand, "s", "(bound 0.5)")
    show("written to the card for 1,000 readings", written / 1024 / thousand, "KiB", "(bound 250; /proc/PID/io)")
    show("  as the state directory grew", grown / 1024 / thousand, "KiB")
    show("syncs of files a minute", syncs * 60 / args.seconds, "1/min")


def measured(gateway: Gateway, counts: Path) -> tuple[float, float, float, float]:
    """Processor seconds, bytes written, syncs and bytes of the state directory, so far."""
    assert gateway.process is not None
    io = dict(line.split(": ") for line in Path(f"/proc/{gateway.process.pid}/io").read_text().splitlines())
    size = sum(path.stat().st_size for path in gateway.state.iterdir() if path.is_file())
    return cpu(gateway), float(io["write_bytes"]), counts.stat().st_size, size


def cpu(gateway: Gateway) -> float:
    assert gateway.process is not None
    fields = Path(f"/proc/{gateway.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def resident(gateway: Gateway) -> tuple[float, int]:
    """MiB, and the number of threads."""
    assert gateway.process is not None
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["Threads"])


def bare_mib() -> float:
    code = "".join(f"import {name}\n" for name in LIBRARIES) + "print(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def delivered(far: Command) -> int:
    return sum(len(point["value"]) for heard in list(far.heard) for point in heard.json["points"])


def compiled(folder: Path) -> Path:
    (folder / "count.c").write_text(COUNTER)
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", folder / "count.so", folder / "count.c", "-ldl"]
    subprocess.run(command, check=True)
    return folder / "count.so"


if __name__ == "__main__":
    main()
