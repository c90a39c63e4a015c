"""The contacts' lines, and the lamps and buzzers beside them: raw levels to the engine, patterns from it.

No level is filtered here (`drivers/contact.py` does, in the engine): a line's callback stamps the edge and puts it on
the engine's queue. Each line's level is read as well, every 100 ms, and every 50 ms while contacts move, so that an
edge that was never delivered is found; only what differs from the level told last is told.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from drivers.contact import Wiring
from gateway.catalogue import N_, say, sentence
from gateway.configuration.config import Contact
from gateway.contacts.lamp import BUZZER, DRILL_BUZZER, PATTERNS, LampStep
from gateway.moment import NANO, Clock, Moment
from gateway.sources.outputs import LONGEST_BEAT_S, Signal, Siren, claim_signal, pin_sentence
from gateway.sources.pins import Backend, PinTrouble, given_backend, real_backend
from gateway.values import ContactFault, Edge
from gateway.worker import contained

POLL_S = 0.1
MOVING_POLL_S = 0.05  # within MOVING_S of a movement
MOVING_S = 1.0
SHORTEST_WAIT_S = 0.005
SHORTEST_POLL_S = 0.02  # real seconds, however fast a simulated clock runs
RETRY_S = 1.0
LATE_S = 60.0  # an edge's own time stamp that lies further back is not believed
EDGES_PER_S = 1000  # of a line; beyond it the polls tell the level, so that no noise can fill the memory


class Line:
    """One claimed input. `changed` runs in the pin library's thread: it stamps, puts and returns."""

    def __init__(
        self, contact: str, index: int, device: Any, backend: Backend, clock: Clock, *, tell: Callable[[Edge], None]
    ) -> None:
        self.contact = contact
        self.index = index
        self._device = device
        self._pin = device.pin
        self._backend = backend
        self._clock = clock
        self._tell = tell
        self._told: bool | None = None
        self._edges = 0  # ever: a poll that finds it moved has been overtaken
        self.moved_ns = 0  # monotonic
        self._second_ns = 0
        self._edges_this_second = 0

    def open(self) -> None:
        """Edges from now on, then the level as it is. Raises the back end's errors."""
        pin = self._pin
        pin.bounce = None
        pin.edges = "both"
        pin.when_changed = self.changed
        at = self._clock.now()
        self._told = bool(pin.state)
        self._tell(Edge(self.contact, self.index, self._told, at, "start"))

    def changed(self, ticks: float, state: float) -> None:
        self._edges += 1
        at = self._moment_of(ticks)
        if at.mono_ns - self._second_ns >= NANO:
            self._second_ns, self._edges_this_second = at.mono_ns, 0
        self._edges_this_second += 1
        if self._edges_this_second <= EDGES_PER_S:
            self._told = bool(state)
            self.moved_ns = at.mono_ns
            self._tell(Edge(self.contact, self.index, self._told, at))

    def poll(self, at: Moment) -> None:
        """Tells the level when it is not what was told last. `at` is before now: whatever the line tells later is
        newer. Raises the back end's errors.
        """
        edges = self._edges
        level = bool(self._pin.state)
        if level != self._told and edges == self._edges:
            self._told = level
            self.moved_ns = at.mono_ns
            self._tell(Edge(self.contact, self.index, level, at, "poll"))

    def close(self) -> None:
        try:
            self._pin.when_changed = None
        finally:
            self._device.close()

    def _moment_of(self, ticks: float) -> Moment:
        """When the kernel saw the edge: a delayed callback must not make a press look shorter."""
        factory, now = self._backend.factory, self._clock.now()
        age_s = factory.ticks_diff(factory.ticks(), ticks)
        return now.after(-age_s / self._clock.pause(1.0)) if 0 <= age_s <= LATE_S else now


@dataclass(slots=True)
class Post:
    """Everything at one contact: its lines, lamp and buzzer as far as they are claimed, and what the lamp shows."""

    name: str
    config: Contact
    lines: dict[int, Line]
    lamp: Signal | None = None
    buzzer: Signal | None = None
    step: LampStep = LampStep.SAFE
    sound: bool = False
    since: Moment | None = None
    fault: str | None = ""  # as told; "": nothing yet
    beat_ns: int = 0  # monotonic: when lamp and buzzer are looked at again

    @property
    def line_pins(self) -> tuple[int, ...]:
        other = self.config.pin_other
        return (self.config.pin,) if other is None else (self.config.pin, other)

    def moving(self, now: Moment) -> bool:
        return any(now.mono_ns - line.moved_ns < MOVING_S * NANO for line in self.lines.values())


class Contacts:
    """Owns all pins. `run` in one thread; `show` and `wail` from any.

    `tell_edge` and `tell` put on the engine's queues and return. `factory` is a gpiozero pin factory; without one the
    board's own pins are used. Simulated pins are refused unless `simulate` says that they are meant.
    """

    def __init__(
        self,
        contacts: Mapping[str, Contact],
        tell_edge: Callable[[Edge], None],
        tell: Callable[[object], None],
        clock: Clock,
        factory: Any = None,
        *,
        siren_pin: int | None = None,
        simulate: bool = False,
    ) -> None:
        self.backend: str | None = None  # for `doctor`: library, chip and board in use
        self.turns = 0  # of the loop, for `pulse.py`
        self._posts = {name: Post(name, config, {}) for name, config in contacts.items()}
        self._siren = None if siren_pin is None else Siren(siren_pin, tell)
        self._tell_edge = tell_edge
        self._tell = tell
        self._clock = clock
        self._factory = factory
        self._simulate = simulate
        self._backend: Backend | None = None
        self._wishes: queue.SimpleQueue[tuple[str, LampStep, bool]] = queue.SimpleQueue()

    def show(self, contact: str, lamp: LampStep, buzzer: bool) -> None:
        """Shows the step on the contact's lamp, with or without sound. Thread-safe; returns at once."""
        self._wishes.put((contact, lamp, buzzer))

    def wail(self, on: bool) -> bool:
        """Siren on or off; False when there is none. Thread-safe; returns at once."""
        if self._siren is not None:
            self._siren.wanted = on
        return self._siren is not None

    def run(self, stop: threading.Event) -> None:
        """Serves all pins until `stop`; one that cannot be used is told as a fault and tried again every second."""
        retry_ns = 0
        try:
            while not stop.is_set():
                self.turns += 1
                now = self._clock.now()
                if now.mono_ns >= retry_ns:
                    self._claim(now)
                    retry_ns = now.after(RETRY_S).mono_ns
                for post in self._posts.values():
                    self._contain(post, partial(self._serve, post, now))
                if self._siren is not None and self._backend is not None:
                    self._siren.serve(self._backend, now)
                self._take_wishes(self._wait_s(now))
        finally:
            for post in self._posts.values():
                self._release(post)
            if self._siren is not None and self._backend is not None:
                self._siren.close(self._backend)

    def _wait_s(self, now: Moment) -> float:
        """Real seconds until the next poll, or the next beat of a lamp."""
        moving, beat_ns = False, now.mono_ns + NANO
        for post in self._posts.values():
            moving = moving or post.moving(now)
            beat_ns = min(beat_ns, post.beat_ns)
        poll_s = max(self._clock.pause(MOVING_POLL_S if moving else POLL_S), SHORTEST_POLL_S)
        return min(poll_s, max(self._clock.pause((beat_ns - now.mono_ns) / NANO), SHORTEST_WAIT_S))

    def _take_wishes(self, timeout_s: float) -> None:
        """Waits so long, or until the engine has something to show."""
        try:
            name, step, sound = self._wishes.get(timeout=timeout_s)
        except queue.Empty:
            return
        post = self._posts.get(name)
        if post is None:  # it left with a reload, and this was still under way
            return
        if (post.step, post.sound) != (step, sound):
            post.step, post.sound, post.since, post.beat_ns = step, sound, self._clock.now(), 0

    def _claim(self, now: Moment) -> None:
        """Claims whatever is not claimed yet."""
        if self._backend is None:
            try:
                self._backend = (
                    real_backend() if self._factory is None else given_backend(self._factory, simulate=self._simulate)
                )
            except PinTrouble as trouble:
                for post in self._posts.values():
                    self._report(post, sentence(trouble), now)
                if self._siren is not None:
                    self._siren.report(sentence(trouble), now)
                return
            self.backend = self._backend.name
        for post in self._posts.values():
            self._contain(post, partial(self._claim_post, post, self._backend, now))
        if self._siren is not None:
            self._siren.claim(self._backend, now)

    def _contain(self, post: Post, work: Callable[[], None]) -> None:
        """What no back end should raise is this contact's fault, and keeps no other contact from being watched."""
        failed = contained(work)
        if isinstance(failed, Exception):
            self._release(post)
            pins = ", ".join(str(pin) for pin in post.line_pins)
            self._report(post, say(N_("pin {pin} cannot be used ({cause})"), pin=pins, cause=failed), self._clock.now())

    def _claim_post(self, post: Post, backend: Backend, now: Moment) -> None:
        troubles = []
        for index, pin in enumerate(post.line_pins):
            if index not in post.lines:
                try:
                    post.lines[index] = self._claim_line(post, index, pin, backend)
                except backend.errors as error:
                    troubles.append(pin_sentence(backend, pin, error))
        for name in ("lamp", "buzzer"):
            pin = getattr(post.config, f"{name}_pin")
            if pin is not None and getattr(post, name) is None:
                try:
                    setattr(post, name, claim_signal(pin, backend))
                    post.beat_ns = 0
                except backend.errors as error:
                    troubles.append(pin_sentence(backend, pin, error))
        self._report(post, "; ".join(troubles) or None, now)

    def _claim_line(self, post: Post, index: int, pin: int, backend: Backend) -> Line:
        from gpiozero import InputDevice  # noqa: PLC0415  75 ms, only with contacts

        wiring = Wiring.of(None if post.config.safe is None else post.config.safe == "high")
        device = InputDevice(pin, pull_up=wiring.pull_up, pin_factory=backend.factory)
        line = Line(post.name, index, device, backend, self._clock, tell=self._tell_edge)
        failed = contained(line.open)
        if isinstance(failed, Exception):
            contained(line.close)  # or it would be in use by ourselves
            raise failed
        return line

    def _serve(self, post: Post, now: Moment) -> None:
        """Polls the lines, moves lamp and buzzer on; what fails is released, told, and claimed again later."""
        backend = self._backend
        if backend is None:
            return
        for index, line in tuple(post.lines.items()):
            try:
                line.poll(now)
            except backend.errors as error:
                del post.lines[index]
                self._give_up(post, line, post.line_pins[index], error)
        if now.mono_ns >= post.beat_ns:
            self._light(post, backend, now)

    def _light(self, post: Post, backend: Backend, now: Moment) -> None:
        post.since = post.since or now
        elapsed_s = now.seconds_since(post.since) * self._clock.pause(1.0)  # real seconds: people watch it
        left_s = LONGEST_BEAT_S
        sound = DRILL_BUZZER if post.step is LampStep.DRILL else BUZZER
        for name, pattern in (("lamp", PATTERNS[post.step]), ("buzzer", sound if post.sound else None)):
            signal: Signal | None = getattr(post, name)
            try:
                if signal is not None:
                    left_s = min(left_s, signal.follow(pattern, elapsed_s))
            except backend.errors as error:
                setattr(post, name, None)
                self._give_up(post, signal, getattr(post.config, f"{name}_pin"), error)
        post.beat_ns = now.after(left_s / self._clock.pause(1.0)).mono_ns

    def _give_up(self, post: Post, part: Line | Signal | None, pin: int, error: Exception) -> None:
        backend = self._backend
        if backend is None or part is None:
            return
        self._report(post, pin_sentence(backend, pin, error), self._clock.now())
        with contextlib.suppress(*backend.errors):  # it is being given up because it does not work
            part.close()

    def _report(self, post: Post, fault: str | None, at: Moment) -> None:
        """Told at first, whatever a run or a configuration before had told, and at every change."""
        if fault != post.fault:
            post.fault = fault
            lost = tuple(index for index in range(len(post.line_pins)) if index not in post.lines)
            self._tell(ContactFault(post.name, fault, at, lost))

    def _release(self, post: Post) -> None:
        for part in (*post.lines.values(), post.lamp, post.buzzer):
            if part is not None:
                contained(part.close)  # what is claimed next says what is wrong
        post.lines, post.lamp, post.buzzer = {}, None, None
