"""What the messages about the record say: a card that is sick, readings and events that left it, one brought back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import tzinfo
from typing import Any

from gateway.alarm.findings import Evidence, Finding
from gateway.alarms import Given, Signal
from gateway.catalogue import say
from gateway.journal.events_ageing import ALARM
from gateway.machine.health import finding_of, happening, text
from gateway.moment import Moment
from gateway.values import AgedOut, Dropped, SetAside, StorageState


def storage(message: StorageState | SetAside) -> Iterator[Finding]:
    if isinstance(message, SetAside):
        what = text("aside", message.store, message.file)
        yield from happening("journal-set-aside", message.at, what, message.file)
        return
    name = f"storage-{message.store}"
    signal = Signal.CLEAR if message.error is None else Signal.BREACH
    counts = {"waiting": message.waiting, "lost": message.lost}
    reason = say("{error}; waiting {waiting}, lost {lost}", error=say(message.error or "-"), **counts)
    yield finding_of(name, signal, message.at, text("storage", name, reason), message.error)


def dropped(message: Dropped) -> Iterator[Finding]:
    """An alarm when nobody has them; else a note for the record."""
    counts = {"count": message.count, "undelivered": message.undelivered}
    if message.kept:
        reason = say("{count}, of them {undelivered} undelivered; their minute records are kept", **counts)
    else:
        reason = say("{count}, of them {undelivered} undelivered, with their minute records", **counts)
    what = text("dropped", message.file, reason)
    if message.undelivered:
        yield from happening("readings-dropped", message.at, what, message.file)
    else:
        yield finding_of("readings-dropped", Signal.UPDATE, message.at, what, message.file)


def brought_back(note: Mapping[str, Any], now: Moment) -> Iterator[Finding]:
    """The first event of a restored chain: who signed what comes before it."""
    what = text("restored", str(note.get("made")), str(note.get("old")))
    evidence = Evidence(what, reason=str(note.get("old")), details=dict(note))
    yield Finding("record-restored", Signal.PRESS, now, evidence, Given(reason=str(note.get("old"))))
    yield finding_of("record-restored", Signal.CLEAR, now, what)


def aged(message: AgedOut, zone: tzinfo) -> Iterator[Finding]:
    """A note for the record: what leaves it, and the event of each stream that what remains goes on from."""
    until = Moment(message.newest_ns, 0).text(zone)
    anchors = {stream: asdict(head) for stream, head in message.anchors.items()}
    details = {"count": message.count, "total": message.total, "until": until, "anchors": anchors}
    evidence = Evidence(text("aged", until, message.count), reason=until, details=details)
    yield Finding(ALARM, Signal.UPDATE, message.at, evidence, Given(reason=until))
