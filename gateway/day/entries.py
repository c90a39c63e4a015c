"""What persons enter with `log`: which entries there are, how many persons each takes, what it must name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import say
from gateway.errors import Refused
from gateway.moment import Moment
from gateway.values import Command

TOGETHER_S = 120.0  # two persons enter within so long, as for opening a sealed door


@dataclass(frozen=True, slots=True)
class Entry:
    """`persons` of a duty are those of its table."""

    persons: int = 1
    note: bool = False  # must say why
    needs: tuple[str, ...] = ()  # arguments that must be given


ENTRIES: Mapping[str, Entry] = {
    "patrol": Entry(),
    "half-day-check": Entry(),
    "replay": Entry(),
    "guard-change": Entry(),
    "daily-report": Entry(),
    "scene-sealed": Entry(persons=2, note=True),
    "custody-moved": Entry(persons=2, note=True, needs=("to",)),
    "incident": Entry(note=True),
    "acceptance-begun": Entry(needs=("drills",)),
    "acceptance": Entry(needs=("sheet", "passed", "failed")),
    "disinfection-start": Entry(needs=("room",)),
    "disinfection-end": Entry(needs=("room",)),
    "ventilation-start": Entry(needs=("room",)),
    "ventilation-end": Entry(needs=("room",)),
    "session-held": Entry(note=True),
    "session-resumed": Entry(),
    "session-moved": Entry(note=True, needs=("session", "until")),
    "evacuation": Entry(note=True),
    "evacuation-over": Entry(),
    "seal-record": Entry(note=True),
    "second-measurement": Entry(needs=("gate", "number", "value")),
}


def entry_of(command: Command) -> tuple[str, Entry]:
    """The entry that a command makes. Raises Refused when it is none, or lacks what it must say."""
    kind = str(command.arguments.get("kind") or "")
    entry = ENTRIES.get(kind)
    if entry is None:
        raise Refused(say("{given} is none of: {known}", given=repr(kind), known=", ".join(ENTRIES)))
    if entry.note and not (command.note or "").strip():
        raise Refused(say("say why: a note is needed"))
    for name in entry.needs:
        if command.arguments.get(name) in (None, ""):
            raise Refused(say("{kind} needs {name}", kind=kind, name=f"--{name}"))
    return kind, entry


@dataclass(slots=True)
class Pairs:
    """Entries that wait for a second person. Not kept over a restart: both enter again."""

    waiting: dict[tuple[object, ...], tuple[str, Moment]]

    def join(self, key: tuple[object, ...], command: Command, persons: int) -> tuple[str, ...] | None:
        """Who enters; None when the first of two has asked and a second person must follow."""
        by, now = command.by, command.at
        if not by:
            raise Refused(say("who asks? This is done only by a named person"))
        if persons < 2:
            return (by, command.witness) if command.witness else (by,)
        if command.witness is not None:
            self.waiting.pop(key, None)
            return (by, command.witness)
        first = self.waiting.pop(key, None)
        if first is not None and first[0] != by and now.seconds_since(first[1]) <= TOGETHER_S:
            return (first[0], by)
        self.waiting[key] = (by, now)
        return None


def arguments_of(command: Command) -> dict[str, Any]:
    """What an entry says besides who and why: texts only, of a length that people write."""
    known: tuple[str, ...] = ("to", "room", "session", "until", "incident", "gate", "number", "value")
    known += ("drills", "sheet", "passed", "failed")  # of `accept`
    found = {name: command.arguments[name] for name in known if command.arguments.get(name) is not None}
    for name, value in found.items():
        if len(str(value)) > 200:
            raise Refused(say("{name} is too long", name=name))
    return {name: str(value) for name, value in found.items()}
