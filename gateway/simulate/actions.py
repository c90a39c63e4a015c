"""What can be done to a simulated venue, in one vocabulary for `sim`, for scenario files and for what is typed.

    leak-button press [latch] | release
    paper-room-door open | close | cut | short
    gate-noise 71.3                             exactly, from now on
    gate-noise 71.3 over 20s                    going there in that time, and wandering about it
    entry/ambient_temperature 31                a point that is not the device's first
    gate-noise fault silent | late [MS] | wrong-unit | bad-crc | short | echo | garbage | busy | unplugged
    gate-noise ok
    broker down | up
    leak-button reset                           a person resets the alarm

The first word is a name; `parse` reads the rest. Broker and person are there in the demo only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from drivers.contact import ContactState
from gateway.catalogue import say
from gateway.configuration.config import seconds
from gateway.errors import Refused

PRESS_S = 1.5  # how long a finger stays on a button
LATE_MS = 1500.0
BROKER = "broker"


class FaultKind(StrEnum):
    SILENT = "silent"
    LATE = "late"
    WRONG_UNIT = "wrong-unit"
    BAD_CRC = "bad-crc"
    SHORT = "short"
    ECHO = "echo"
    GARBAGE = "garbage"
    BUSY = "busy"
    UNPLUGGED = "unplugged"


@dataclass(frozen=True, slots=True)
class Move:
    """Let a level go to `value`: exactly and at once, or (`over_s` given) wandering about it as before."""

    value: float
    over_s: float | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """Let a device do wrong from now on; `late_s` is real time, as a port's time limit is."""

    kind: FaultKind
    late_s: float = LATE_MS / 1000


@dataclass(frozen=True, slots=True)
class Heal:
    """End a fault, and let a level that was held move by itself again."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Move a contact to a position; with `back_after_s`, let it go again."""

    position: ContactState
    back_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Power:
    """Take the broker away, or bring it back."""

    on: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """A person resets a latched alarm."""


Action = Move | Fail | Heal | Turn | Power | Reset

_TURNS = {
    "press": Turn(ContactState.ACTIVE, PRESS_S),
    "release": Turn(ContactState.SAFE),
    "open": Turn(ContactState.ACTIVE),
    "close": Turn(ContactState.SAFE),
    "cut": Turn(ContactState.CUT),
    "short": Turn(ContactState.SHORT),
}


def parse(words: Sequence[str]) -> Action:
    """One action's words, without the name before them. Raises Refused with a sentence for whoever wrote them."""
    match list(words):
        case ["press", "latch"]:
            return Turn(ContactState.ACTIVE)
        case [word] if word in _TURNS:
            return _TURNS[word]
        case ["ok"]:
            return Heal()
        case ["reset"]:
            return Reset()
        case ["up" | "down" as word]:
            return Power(word == "up")
        case ["fault", kind]:
            return Fail(_kind(kind))
        case ["fault", "late", ms]:
            return Fail(FaultKind.LATE, _number(ms) / 1000)
        case [value]:
            return Move(_number(value))
        case [value, "over", duration]:
            try:
                return Move(_number(value), seconds(duration))
            except ValueError as error:
                raise Refused(str(error)) from error
    raise Refused(_unknown(" ".join(words)))


def _kind(word: str) -> FaultKind:
    try:
        return FaultKind(word)
    except ValueError as error:
        raise Refused(
            say("{word} is no fault that can be played; there are: {known}", word=word, known=", ".join(FaultKind))
        ) from error


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise Refused(_unknown(word)) from error


def _unknown(words: str) -> str:
    return say(
        "{words} is nothing that can be done; there is: press, press latch, release, open, close, cut, short, "
        "a level (71.3), a level over a time (71.3 over 20s), fault KIND, ok; and for the broker: down, up",
        words=repr(words),
    )


def no_such(name: str, known: Sequence[str]) -> Refused:
    """The refusal of a name that nothing simulated has, with the nearest one that there is."""
    near = get_close_matches(name, known, 1)
    if near:
        return Refused(say("nothing simulated is called {name}; did you mean {near}?", name=name, near=near[0]))
    return Refused(
        say("nothing simulated is called {name}; there is: {known}", name=name, known=", ".join(known) or "-")
    )
