"""`venue-gateway simulate CONFIG`: plays every device of a configuration on pseudo-terminals, byte for byte.

Actions as `sim` takes them may be typed, or come through a pipe, one a line: `gate-noise fault silent`.
"""

from __future__ import annotations

import argparse
import os
import selectors
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gateway.catalogue import say
from gateway.configuration.config import Config
from gateway.configuration.settings import check
from gateway.errors import ConfigError, Refused
from gateway.moment import SystemClock
from gateway.simulate import scenario
from gateway.simulate.scenario import Player, Scenario, Step, split
from gateway.simulate.simulation import Simulation
from gateway.worker import Worker

JOIN_S = 2.0
LOOK_S = 0.2


def simulate_main(args: argparse.Namespace) -> int:
    """Until Ctrl-C. Raises ConfigError for a configuration or scenario that cannot be used."""
    config = read_config(args.config)
    story = scenario.load(args.scenario) if args.scenario is not None else None
    clock = SystemClock()
    stop = threading.Event()
    with ending(stop.set), ExitStack() as stack:
        simulation = Simulation(config, clock, pins=False, profiles=args.config.parent)
        stack.callback(simulation.close)
        workers = [Worker(name, run) for name, run in simulation.workers]
        if story is not None:
            check_story(story, simulation)
            workers.append(Worker("story", Player(story, clock, simulation.act, _tell).run))
        stack.callback(end, workers)
        for worker in workers:
            worker.start()
        for line in ports(config, simulation):
            print(line, flush=True)
        print(say("Ctrl-C ends it; actions may be typed, as: {example}", example="gate-noise fault silent"), flush=True)
        _take_orders(simulation, stop)
    return 0


def read_config(path: Path) -> Config:
    """The configuration, strictly. Raises ConfigError with every problem."""
    checked = check(path)
    if checked.config is None:
        raise ConfigError("\n".join(str(problem) for problem in checked.problems))
    return checked.config


def check_story(story: Scenario, simulation: Simulation) -> None:
    """Raises ConfigError, with each action that this venue cannot do."""
    problems: list[str] = []
    for number, step in enumerate(story.step, 1):
        for words in step.do:
            try:
                simulation.check(*split(words))
            except Refused as error:
                problems.append(say("step {number}, {words}: {error}", number=number, words=repr(words), error=error))
    if problems:
        raise ConfigError("\n".join(problems))


def ports(config: Config, simulation: Simulation) -> Iterator[str]:
    """A line for each port: where it is, in whose place it stands, and who is on it."""
    for name, port in simulation.buses.items():
        table = config.bus.get(name)
        settings = f"{table.baud} 8{table.parity}{table.stop_bits}" if table else ""
        who = ", ".join(
            f"{device} ({config.device[device].driver}{_address(config.device[device].address)})"
            for device in port.devices
        )
        yield f"{port.path}  {settings}  {who}"


def _address(address: int | None) -> str:
    return "" if address is None else f" @{address}"


def end(workers: list[Worker]) -> None:
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.join(JOIN_S)


@contextmanager
def ending(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, a stop from outside and a closed terminal all end the program in good order."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda *_: stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _tell(step: Step) -> None:
    if step.tell is not None:
        print(say("{text}", text=step.tell.model_dump()), flush=True)


def _take_orders(simulation: Simulation, stop: threading.Event) -> None:
    """Does what is typed until `stop`. Without an input, or after its end, only waits."""
    typed = b""
    try:
        with selectors.DefaultSelector() as inputs:
            inputs.register(sys.stdin.fileno(), selectors.EVENT_READ)
            while not stop.is_set():
                if not inputs.select(LOOK_S):
                    continue
                data = os.read(sys.stdin.fileno(), 4096)  # below Python's buffer, which would hide a second line
                if not data:
                    break
                *lines, typed = (typed + data).split(b"\n")
                for line in lines:
                    _order(simulation, line.decode(errors="replace"))
    except (OSError, ValueError):  # a file or /dev/null cannot be waited on, a closed one neither
        pass
    stop.wait()


def _order(simulation: Simulation, line: str) -> None:
    if line.strip():
        try:
            print(simulation.act(*split(line)), flush=True)
        except (Refused, ValueError) as error:
            print(error, flush=True)
