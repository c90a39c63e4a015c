"""`venue-gateway run CONFIG`: the process round the application."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from gateway import changes
from gateway.app import App
from gateway.catalogue import say
from gateway.configuration.config import Config
from gateway.errors import Refused
from gateway.journal import restored
from gateway.moment import Clock, system_clock
from gateway.simulated import Simulated
from gateway.state import StateDirectory


def _simulation(config: Config, which: str, clock: Clock, switches: Path) -> Simulated:
    from gateway.simulate.simulation import Simulation  # noqa: PLC0415  production loads none of the simulator

    folder = switches.parent / "ports"
    try:
        shutil.rmtree(folder, ignore_errors=True)  # what a killed run left: the state directory is ours alone
        folder.mkdir()
    except OSError:
        folder = Path(tempfile.gettempdir())  # a sick card
    pins, ports = which != "ports", which != "pins"
    return Simulation(config, clock, pins=pins, ports=ports, switches=switches, folder=folder)


def run_main(args: Namespace) -> int:
    """`venue-gateway run CONFIG`: in the foreground until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(threadName)s %(message)s", stream=sys.stderr)
    logging.raiseExceptions = False  # a closed stderr must not disturb anybody
    os.umask(os.umask(0o077) | 0o027)  # whoever starts it: nothing of ours is for others
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump of the memory would hold the keys
    state: Path = args.state
    if args.simulate and os.environ.get("VENUE_GATEWAY_SERVICE") == "real":
        raise Refused(say("the service watches a real venue: it does not run with --simulate"))
    clock = system_clock()
    directory = StateDirectory(state, "simulated" if args.simulate else "real")
    restored.finish(state)
    loaded, changed = changes.load(args.config, state, clock.now())
    for problem in loaded.problems:
        print(problem, file=sys.stderr)
    switches = state / "switches.json"  # simulated ones outlive the program, as real ones do
    simulation = _simulation(loaded.config, args.simulate, clock, switches) if args.simulate else None
    app = App(
        loaded.config, state, simulation=simulation, clock=clock, loaded=loaded, changed=changed, directory=directory
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: app.stopping.set())
    signal.signal(signal.SIGHUP, lambda *_: app.reloading.set())
    app.start()
    try:
        app.serve()
    finally:
        app.stop()
    return 0
