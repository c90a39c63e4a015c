"""Simulated contacts: gpiozero's mock pins, moved as a real switch moves, and the lamps beside them read back.

A switch outlives the program that watches it: with a file given, each stands at the next start where it was left.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import queue
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from gpiozero.pins.mock import MockFactory, MockPin

from drivers.contact import ContactState, Wiring
from gateway.catalogue import say
from gateway.configuration.config import Contact
from gateway.errors import Refused
from gateway.moment import Clock
from gateway.simulate.actions import Action, Turn
from gateway.worker import idle_s

TRAVEL_S = 0.004  # a changeover's tongue, from leaving one contact until it touches the other
BOUNCE_S = (0.0004, 0.0016)  # between two touches of a contact that closes
TOUCHES = (2, 6)
FINEST_WAIT_S = 0.0005  # what a thread can wait; anything shorter happens at once


class DrivenPin(MockPin):  # type: ignore[misc]  # gpiozero has no types
    """A mock pin whose outer level stays when somebody claims it, as that of a switch does; it keeps no history."""

    def _set_pull(self, value: str) -> None:
        outer = self.factory.outer.get(self.info.name)
        if outer is None:
            super()._set_pull(value)
            return
        self._pull = value
        self.drive(outer)

    def _change_state(self, value: bool) -> bool:
        changed: bool = super()._change_state(value)
        del self.states[:-1]  # a blinking lamp would fill the memory
        return changed

    def drive(self, high: bool) -> None:
        if self._function == "input":
            self.drive_high() if high else self.drive_low()


class SimulatedPins(MockFactory):  # type: ignore[misc]  # gpiozero has no types
    """A pin factory for contacts and lamps, and the hand that moves them. `do` and `lit`: for any thread.

    `kept` is the file of positions; what it says of a contact is believed only if it can stand so.
    """

    def __init__(self, contacts: Mapping[str, Contact], clock: Clock, kept: Path | None = None) -> None:
        super().__init__(pin_class=DrivenPin)
        self.outer: dict[str, bool] = {}  # by the pin's name: the level that the switch outside gives it
        self._contacts = dict(contacts)
        self._clock = clock
        self._orders: queue.SimpleQueue[tuple[str, Turn] | None] = queue.SimpleQueue()
        self._moves: list[tuple[float, int, str, Turn]] = []  # when (real), order, contact, what
        self._order = itertools.count()
        self._random = random.Random("bounce")  # noqa: S311  a repeatable play, not a secret
        self._kept = kept
        self._left = _read(kept)
        for name, table in self._contacts.items():
            for pin in filter(None, (table.lamp_pin, table.buzzer_pin)):
                self.pin(_name(pin))  # made here, so that two threads never make one each
            position = self._left.get(name, ContactState.SAFE)
            for pin, level in zip(self._lines(name), self._levels(name, position), strict=True):
                self._drive(pin, level)

    # ---- for any thread

    def check(self, contact: str, action: Action) -> None:
        if not isinstance(action, Turn):
            raise Refused(say("{contact} is a contact: press, release, open, close, cut, short", contact=contact))
        if len(self._lines(contact)) == 1 and action.position is ContactState.SHORT:
            raise Refused(say("{contact} has one wire: a short cannot be told from a closed contact", contact=contact))

    def do(self, contact: str, action: Action) -> None:
        """Let a contact move, soon. Raises Refused at once if it cannot."""
        self.check(contact, action)
        assert isinstance(action, Turn)  # noqa: S101  for the type checker: `check` has refused the others
        self._orders.put((contact, action))

    def lit(self, contact: str) -> bool | None:
        """Whether the contact's lamp is on now; None when it has none."""
        return self._output(self._contacts[contact].lamp_pin)

    def sounding(self, contact: str) -> bool | None:
        return self._output(self._contacts[contact].buzzer_pin)

    # ---- the hand's own thread

    def run(self, stop: threading.Event) -> None:
        longest_s = idle_s(stop, lambda: self._orders.put(None))
        while not stop.is_set():
            wait_s = self._moves[0][0] - time.monotonic() if self._moves else longest_s
            with contextlib.suppress(queue.Empty):
                order = self._orders.get(timeout=min(max(wait_s, 0.0), longest_s))
                if order is not None:
                    heapq.heappush(self._moves, (time.monotonic(), next(self._order), *order))
            while self._moves and self._moves[0][0] <= time.monotonic():
                _, _, contact, turn = heapq.heappop(self._moves)
                self._leave(contact, turn)
                self._turn(contact, turn.position, stop)
                if turn.back_after_s is not None:
                    back = time.monotonic() + self._clock.pause(turn.back_after_s)
                    heapq.heappush(self._moves, (back, next(self._order), contact, Turn(ContactState.SAFE)))

    def _turn(self, contact: str, position: ContactState, stop: threading.Event) -> None:
        """Contacts open before others close, and a contact that closes touches a few times before it rests."""
        closed = Wiring.of(_safe(self._contacts[contact])).closed_level
        wanted = list(zip(self._lines(contact), self._levels(contact, position), strict=True))
        moving = [(pin, level) for pin, level in wanted if self.outer[_name(pin)] != level]
        for pin, level in moving:
            if level != closed:
                self._drive(pin, level)
        closing = [(pin, level) for pin, level in moving if level == closed]
        if closing and len(moving) > len(closing):
            self._rest(TRAVEL_S, stop)
        for pin, level in closing:
            for _ in range(self._random.randint(*TOUCHES)):
                self._drive(pin, level)
                self._rest(self._random.uniform(*BOUNCE_S), stop)
                self._drive(pin, not level)
                self._rest(self._random.uniform(*BOUNCE_S), stop)
            self._drive(pin, level)

    def _leave(self, contact: str, turn: Turn) -> None:
        """Note where the switch stays, before it moves; one that springs back is soon where it was."""
        if self._kept is None or turn.back_after_s is not None:
            return
        self._left[contact] = turn.position
        fresh = self._kept.with_suffix(".new")
        with contextlib.suppress(OSError):  # a play on a sick card goes on
            fresh.write_text(json.dumps(self._left))
            fresh.replace(self._kept)

    def _rest(self, seconds: float, stop: threading.Event) -> None:
        real_s = self._clock.pause(seconds)
        if real_s >= FINEST_WAIT_S:
            stop.wait(real_s)

    def _drive(self, pin: int, level: bool) -> None:
        self.outer[_name(pin)] = level
        self.pin(_name(pin)).drive(level)

    def _output(self, pin: int | None) -> bool | None:
        return None if pin is None else bool(self.pin(_name(pin)).state)

    def _lines(self, contact: str) -> list[int]:
        table = self._contacts[contact]
        return [table.pin] if table.pin_other is None else [table.pin, table.pin_other]

    def _levels(self, contact: str, position: ContactState) -> tuple[bool, ...]:
        return Wiring.of(_safe(self._contacts[contact])).levels(position, len(self._lines(contact)))


def _read(kept: Path | None) -> dict[str, ContactState]:
    """Positions that a real switch stays in; nothing when there is no such file, or it is none of ours."""
    if kept is None:
        return {}
    try:
        found = {str(name): ContactState(position) for name, position in json.loads(kept.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}
    return {name: position for name, position in found.items() if position is not ContactState.UNKNOWN}


def _safe(contact: Contact) -> bool | None:
    return None if contact.safe is None else contact.safe == "high"


def _name(pin: int) -> str:
    return f"GPIO{pin}"
