"""The processor time of several versions at the same time: whatever else the machine does costs all of them alike.

    python benchmarks/versions.py ../before . [--seconds 60] [--rounds 3]

Each version is a folder with a clone of the project, and has a broker and sixteen simulated meters of its own, as in
`footprint.py`. The time is the kernel's, of all threads to the nanosecond (/proc/PID/task/*/schedstat).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from footprint import ROOT, SETTLE_S, delivered, played, resident, show
from kit_mqtt import Broker
from kit_process import Command, Gateway

DEVICES = 16
NANO = 1_000_000_000


@dataclass(slots=True)
class Version:
    name: str
    gateway: Gateway
    far: Command
    costs_s: list[float] = field(default_factory=list)  # of a thousand readings, a round each

    def so_far(self) -> tuple[float, int]:
        """Processor seconds, and readings that arrived."""
        assert self.gateway.process is not None
        tasks = Path(f"/proc/{self.gateway.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / NANO, delivered(self.far)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT.parent)))
        versions = [started(stack, folder / str(n), tree.resolve()) for n, tree in enumerate(args.trees)]
        time.sleep(SETTLE_S)
        for _ in range(args.rounds):
            before = [each.so_far() for each in versions]
            time.sleep(args.seconds)
            for each, (cpu_s, arrived) in zip(versions, before, strict=True):
                now_s, now = each.so_far()
                each.costs_s.append((now_s - cpu_s) / (now - arrived) * 1000)
        for each in versions:
            costs = ", ".join(f"{cost_s:.3f}" for cost_s in each.costs_s)
            memory_mib, threads = resident(each.gateway)
            note = f"({costs}; {memory_mib:.1f} MiB, {threads} threads)"
            show(f"processor time for 1,000, {each.name}", statistics.median(each.costs_s), "s", note)


def started(stack: ExitStack, folder: Path, tree: Path) -> Version:
    """The version in `tree`, running, with what belongs to it."""
    folder.mkdir()
    broker = stack.enter_context(Broker(folder))
    toml = stack.enter_context(played(folder, broker.port, DEVICES))
    far = stack.enter_context(Command(broker.port, ("+/+/+/+/reading/+",)))
    gateway = stack.enter_context(Gateway(folder, toml, simulate="pins"))
    gateway.before = ("env", "-C", str(tree))
    gateway.start()
    return Version(tree.name, gateway, far)


if __name__ == "__main__":
    main()
