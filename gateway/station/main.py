"""`venue-gateway station CONFIG`: the far side in a terminal, or as plain lines."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live

from gateway.configuration.config import seconds
from gateway.errors import Refused
from gateway.moment import NANO, SystemClock
from gateway.persons.people import station_add_main
from gateway.station import view
from gateway.station.hand import Hand
from gateway.station.settings import load
from gateway.station.station import Station
from gateway.worker import Worker

FRAME_S = 0.25
BELL_EVERY_S = 2.0
STOP_S = 3.0


def station_main(args: argparse.Namespace) -> int:
    """Until Ctrl-C, `q` or SIGTERM. Raises ConfigError. `station add ID` makes a key instead."""
    if str(args.config) == "add":
        return station_add_main(args)
    config = load(args.config)
    try:
        after_s = None if args.acknowledge_after is None else seconds(args.acknowledge_after)
    except ValueError as error:
        raise Refused(str(error)) from error
    plain = args.plain or not sys.stdout.isatty()
    tell = _print if plain else _nothing
    station = Station(config, SystemClock(), tell, after_s)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    worker = Worker("station", station.run)
    worker.start()
    try:
        if plain:
            _ring_plainly(station, stop, bell=config.bell)
        else:
            _show(station, stop, bell=config.bell)
    finally:
        worker.stop()
        worker.join(STOP_S)
    return 0


def _print(text: str) -> None:
    print(text, flush=True)


def _nothing(_text: str) -> None:
    """The live view shows it."""


def _ring_plainly(station: Station, stop: threading.Event, *, bell: bool) -> None:
    while not stop.wait(BELL_EVERY_S):
        if bell and station.view.sounding and sys.stdout.isatty():
            print("\a", end="", flush=True)


def _show(station: Station, stop: threading.Event, *, bell: bool) -> None:
    clock, rung = SystemClock(), float("-inf")
    console, hand = Console(), Hand()
    with _keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        while not (stop.is_set() or hand.done):
            keys.ready(FRAME_S)
            for key in keys.read():
                hand.press(key, station.view.rows, station.acknowledge)
            now = clock.now()
            live.update(view.render(station.view, hand.chosen(station.view.rows), hand.note, now), refresh=True)
            if bell and station.view.sounding and now.mono_ns / NANO - rung >= BELL_EVERY_S:
                rung = now.mono_ns / NANO
                console.bell()


class _Keys:
    def ready(self, timeout_s: float) -> bool:
        return bool(select.select([sys.stdin], [], [], timeout_s)[0])

    def read(self) -> str:
        return os.read(sys.stdin.fileno(), 4096).decode(errors="replace") if self.ready(0) else ""


@contextlib.contextmanager
def _keys() -> Iterator[_Keys]:
    """Single keys, without echo, while it lasts."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield _Keys()
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
