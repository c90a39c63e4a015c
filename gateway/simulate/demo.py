"""`venue-gateway demo`: a whole simulated venue, with broker, gateway, station and a live view, for one story.

Everything runs below one temporary folder and ends with this process; nothing is left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import queue
import re
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.cells import set_cell_size
from rich.console import Console
from rich.live import Live

from gateway.app import App
from gateway.catalogue import say
from gateway.configuration.config import Config, Mqtt, MqttMain, Person, Station
from gateway.errors import Refused
from gateway.persons.control import ask
from gateway.persons.people import new_key, pin_hash, public_text, write_key
from gateway.simulate import scenario, view
from gateway.simulate.actions import Reset, parse
from gateway.simulate.broker import HOST, DemoBroker
from gateway.simulate.clock import FastClock
from gateway.simulate.main import check_story, end, ending
from gateway.simulate.scenario import Player, Scenario, Step
from gateway.simulate.simulation import Simulation
from gateway.simulate.view import Scene
from gateway.simulate.watcher import Watcher
from gateway.station.settings import Acting, StationConfig
from gateway.station.station import Station as FarStation
from gateway.values import STREAMS
from gateway.vocabulary import word
from gateway.worker import Worker

log = logging.getLogger(__name__)

VENUE = Path(__file__).parent / "venues" / "demo.toml"
STATION, PERSON, PIN = "county-command", "li-wei", "2468"
OPENINGS = (parse(["press"]), parse(["press", "latch"]))
LOOK_S = 0.02  # real: how often messages are taken in
CLOSE_LOOK_S = 0.002  # ... for a second after a contact moved, as its times are shown
CLOSE_FOR_S = 1.0
FRAME_S = 0.125  # real: how often the picture is drawn
FASTEST = 100.0  # beyond it the serial ports' real time limits are too slow for the story
TROUBLES_SHOWN = 5
PICTURE_COLUMNS = 100
ANSWER_AFTER_S = 20.0  # of the venue's clock: how long the person at the command centre takes


def demo_main(args: argparse.Namespace) -> int:
    """Exit code 0 at the end of the story or on Ctrl-C, 1 when a part failed on the way."""
    story = scenario.load(args.scenario)
    if args.speed is not None and not 0 < args.speed <= FASTEST:
        raise Refused(say("--speed is a number up to {fastest}", fastest=FASTEST))
    stop = threading.Event()
    with ending(stop.set), _troubles() as troubles, ExitStack() as stack:
        demo = Demo(story, args.speed or story.speed, stack)
        screen = Plain(demo) if args.plain or not sys.stdout.isatty() else stack.enter_context(Drawn(demo))
        demo.play(stop, screen, args.record)
        summary = demo.summary()
    print(summary)
    for trouble in troubles[:TROUBLES_SHOWN]:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


class Demo:
    """Builds the venue and everything round it; `stack` takes it all down again, the broker last."""

    def __init__(self, story: Scenario, speed: float, stack: ExitStack, *, embedded: bool | None = None) -> None:
        self.story = story
        self.speed = speed
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="venue-gateway-demo-")))
        self.broker = DemoBroker(self.folder, embedded=embedded)
        stack.callback(self.broker.stop)
        self.broker.start()
        self.config = _config(self.broker, self.folder)
        self.zone = ZoneInfo(self.config.venue.timezone)
        start = story.start or self.config.session[0].start
        self.clock = FastClock(start.replace(tzinfo=self.zone), speed)
        self.simulation = Simulation(self.config, self.clock, folder=self.folder)
        stack.callback(self.simulation.close)
        self.simulation.power = self._power
        self.simulation.people = True
        check_story(story, self.simulation)
        self.tale = ""
        self.reached_picture = False
        self._notes: queue.SimpleQueue[Step | tuple[str, float]] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._close_until = 0.0
        self._begin(stack)

    def _begin(self, stack: ExitStack) -> None:
        state = self.folder / "state"
        state.mkdir()
        self.watcher = Watcher(self.broker.port, f"exam-sim/v1/{self.config.venue.id}", state)
        stack.callback(self.watcher.close)
        app = App(self.simulation.config, state, simulation=self.simulation, clock=self.clock)
        stack.callback(app.stop)
        app.start()
        serving = Worker("gateway", lambda _stop: app.serve(), fatal=self._failed)
        stack.callback(end, [serving])
        stack.callback(app.stopping.set)
        serving.start()
        station = Worker("station", _station(self.broker, self.folder, self.clock).run)
        stack.callback(end, [station])
        station.start()
        player = Player(self.story, self.clock, self._act, self._notes.put, self._ended.set)
        worker = Worker("story", player.run)
        stack.callback(end, [worker])
        worker.start()

    def _failed(self, error: Exception) -> None:
        log.error("event=gateway-ended error=%r", error)
        self._ended.set()

    # ---- the story's thread

    def _act(self, name: str, action: list[str]) -> str:
        if parse(action) == Reset():
            return self._reset(name)
        if name in self.config.contact and self.simulation.check(name, action) in OPENINGS:
            self._notes.put((name, time.monotonic()))
        return self.simulation.act(name, action)

    def _reset(self, alarm: str) -> str:
        """By the person of the demo, over the local socket, as `venue-gateway reset` does it."""
        state = self.folder / "state"
        seen = ask(state, {"verb": "why", "alarm": alarm})["alarm"]
        wish = {key: seen[key] for key in ("alarm", "activation", "revision")}
        note = say("looked, all is in order")
        ask(state, {"verb": "reset", "by": PERSON, "pin": PIN, "note": note, **wish}, acting=True)
        return ""

    def _power(self, on: bool) -> None:
        if on:
            self.broker.start()
        else:
            self.broker.stop()

    # ---- the main thread

    def play(self, stop: threading.Event, screen: Drawn | Plain, record: Path | None) -> None:
        """Until the story ends, or `stop`; with `record`, until its picture is written."""
        end: float | None = None
        while not stop.is_set():
            self._look()
            screen.show()
            if record is not None and self.reached_picture:
                _write_picture(self.scene(), record)
                return
            if self._ended.is_set() and end is None:
                end = time.monotonic() + screen.linger_s
            if end is not None and time.monotonic() > end:
                return

    def _look(self) -> None:
        """Wait a little, but not when the story moves on, and take in what came."""
        with contextlib.suppress(queue.Empty):
            note = self._notes.get(timeout=CLOSE_LOOK_S if time.monotonic() < self._close_until else LOOK_S)
            match note:
                case Step():
                    self.tale = say("{text}", text=note.tell.model_dump()) if note.tell else self.tale
                    self.reached_picture |= note.picture
                case (contact, at):
                    self._close_until = at + CLOSE_FOR_S
                    self.watcher.far.moved(contact, at)
        self.watcher.look()

    def scene(self) -> Scene:
        pins = self.simulation.pin_factory
        lamps = {name: pins.lit(name) for name in self.config.contact} if pins else {}
        return Scene(
            self.config,
            self.watcher.far,
            self.clock.now().local(self.zone),
            time.monotonic(),
            self.speed,
            self.watcher.linked,
            self.tale,
            {name: lit for name, lit in lamps.items() if lit is not None},
            sounding=any(pins.sounding(name) for name in lamps) if pins else False,
        )

    def summary(self) -> str:
        far = self.watcher.far
        ways = far.ways
        return say(
            "{events} events; of {custody} presses and openings {received} were received and {answered} acknowledged",
            events=len(far.seen),
            custody=len(ways),
            received=sum(way.received is not None for way in ways),
            answered=sum(way.acknowledged is not None for way in ways),
        )


def _config(broker: DemoBroker, folder: Path) -> Config:
    """The demo's venue with its broker, and with a station and a person whose keys are made for this run."""
    keys = {name: new_key() for name in (STATION, PERSON)}
    for name, key in keys.items():
        write_key(folder / f"{name}.key", key)
    venue = Config.model_validate(tomllib.loads(VENUE.read_text("utf-8")))
    person = Person(
        id=PERSON, name="李伟 Li Wei", may=("ack", "reset"), pin=pin_hash(PIN), key=public_text(keys[PERSON])
    )
    station = Station(id=STATION, key=public_text(keys[STATION]), streams=STREAMS)
    mqtt = MqttMain(host=HOST, port=broker.port, version=broker.version)
    return venue.model_copy(update={"mqtt": mqtt, "person": (person,), "station": (station,)})


def _station(broker: DemoBroker, folder: Path, clock: FastClock) -> FarStation:
    """The command centre, with somebody there who answers after a while."""
    settings = StationConfig(
        id=STATION,
        key_file=str(folder / f"{STATION}.key"),
        broker=Mqtt(host=HOST, port=broker.port, version=broker.version),
        root="exam-sim/v1",
        person=Acting(id=PERSON, key_file=str(folder / f"{PERSON}.key")),
        store=str(folder / "station.db"),
    )
    return FarStation(settings, clock, _unheard, ANSWER_AFTER_S)


def _unheard(_line: str) -> None:
    """The station's own lines: the picture shows what it did."""


# ---- what is seen ---------------------------------------------------------------------------------------------------


class Drawn:
    """The live picture."""

    linger_s = 3.0  # real: how long the last picture stays

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._live = Live(auto_refresh=False, vertical_overflow="crop")
        self._due = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + FRAME_S
            scene = replace(self._demo.scene(), height=self._live.console.size.height)
            self._live.update(view.picture(scene), refresh=True)


class Plain:
    """A line for each thing that happens, where there is no terminal to draw on."""

    linger_s = 0.5

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._tale = ""
        self._steps: set[tuple[str, str]] = set()

    def show(self) -> None:
        demo, now = self._demo, f"{self._demo.clock.now().local(self._demo.zone):%H:%M:%S}"
        if demo.tale != self._tale:
            self._tale = demo.tale
            _line(now, "--", self._tale)
        for line in demo.watcher.far.news():
            _line(line.time, word(line.event["transition"]), view.sentence(line))
        for way in demo.watcher.far.ways:
            for index, (step, seconds) in enumerate(view.steps(demo.config, way)):
                if seconds is not None and (way.hash, step) not in self._steps:
                    self._steps.add((way.hash, step))
                    _line(now, way.alarm, say(view.STEPS[step]) + (f" {view.took(seconds)}" if index else ""))


def _line(time_: str, about: str, text: str) -> None:
    with contextlib.suppress(ValueError):  # stdout closed under us: the next write says so
        print(f"{time_:8}  {set_cell_size(about, 16)}  {text}".rstrip(), flush=True)


def _write_picture(scene: Scene, path: Path) -> None:
    """An SVG of the view, which loads nothing from anywhere."""
    console = Console(
        record=True, width=PICTURE_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(view.picture(scene))
    without_fonts = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    path.parent.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(path), title="make demo", code_format=without_fonts)


# ---- the process ----------------------------------------------------------------------------------------------------


@contextmanager
def _troubles() -> Iterator[list[str]]:
    """Keep the log away from the picture; what is an error is shown at the end."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield found
    finally:
        root.removeHandler(handler)
