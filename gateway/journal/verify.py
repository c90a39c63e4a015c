"""Whether the record is whole: nothing removed, altered, reordered, inserted or forked. Changes nothing.

Each event's form, hash and signature are proven, then that it names the one before it. The end of the record can
only be proven against a head from outside (`{stream}/head`, kept by the far side), because whoever holds the card
can cut it off there. Its beginning may have aged out: then an event that remains states, signed, what left, and each
stream must begin at exactly that place.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from drivers.quantities import Stream
from gateway.catalogue import N_
from gateway.errors import Unavailable
from gateway.journal import events_table as table
from gateway.journal.chain import BadEvent, Head, public_keys, read_event
from gateway.journal.chain import verify as signed
from gateway.journal.database import open_reader
from gateway.journal.events_ageing import ALARM, anchors_of
from gateway.journal.reader import FILE
from gateway.values import Event


class Fault(StrEnum):
    ALTERED = N_("altered: its content does not fit its hash")
    UNSIGNED = N_("inserted or altered: not signed by this gateway")
    MISSING = N_("one or more events before it are missing")
    REORDERED = N_("out of its order")
    FORKED = N_("forked: another event already follows the one that it names")
    MISCOUNTED = N_("its count within the run is wrong")
    CUT_OFF = N_("removed: the record ends before it")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with which event; of a removed one only its stream, run, count and hash may be known."""

    fault: Fault
    number: int | None
    stream: str
    run: str
    seq: int
    hash: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Aged:
    """What a signed event of the record, `number`, states to have left it."""

    total: int
    until: str
    number: int
    anchors: Mapping[Stream, Head]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`findings` are in the order of the record: the first is the first bad event."""

    events: int
    findings: tuple[Finding, ...]
    after: str | None  # the damaged file that this record follows
    joined: bool  # whether it could be proven to follow that file
    aged: Aged | None = None  # what left before the first event that is here


def verify(directory: Path, heads: Sequence[Mapping[str, Any]] = (), keys: Sequence[str] = ()) -> Verdict:
    """Read the whole record of a state directory. `heads` are messages of `{stream}/head` (or events) to be found.

    `keys` (`ed25519:...`) are trusted instead of those beside the record. Raises Unavailable when it cannot be read.
    """
    try:
        with closing(open_reader(directory / FILE)) as connection:
            return _verify(connection, heads, keys or public_keys(directory))
    except (sqlite3.Error, OSError, ValueError) as error:
        raise Unavailable(f"{directory / FILE}: {error}") from error


def _verify(connection: sqlite3.Connection, heads: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Verdict:
    connection.execute("BEGIN")  # one moment of a record that may be growing
    links = table.links(connection)
    meta = table.meta(connection)
    # Without a damaged file before it no record has anchors of one: they would hide a beginning that was cut off.
    noted = meta.items() if "after" in meta else ()
    walk = _Walk(links, {k.removeprefix("anchor/"): v for k, v in noted if k.startswith("anchor/")}, keys)
    walk.aged = list(_aged(connection, walk))
    findings: list[Finding] = []
    for event in table.everything(connection, "carried"):
        findings += walk.prove(event)[1]
    count = 0
    for event in table.everything(connection, "events"):
        count += 1
        findings += walk.step(event)
    findings += _end(connection, links)
    left = [aged for aged in walk.aged if not any(head.hash in links for head in aged.anchors.values())]
    aged = left[-1] if left else None
    missing = [head for head in heads if head.get("hash") and head["hash"] not in links]
    findings += [_finding_of(head) for head in missing if aged is None or not _left(head, aged)]
    joined = "?" not in walk.anchors.values()
    return Verdict(count, tuple(findings), meta.get("after"), joined, aged)


def _left(head: Mapping[str, Any], aged: Aged) -> bool:
    """Whether this head is of what aged out: told before the last of it was, or the last of its stream that left."""
    if any(head["hash"] == anchor.hash for anchor in aged.anchors.values()):
        return True
    try:
        return datetime.fromisoformat(str(head.get("time"))) <= datetime.fromisoformat(aged.until)
    except (ValueError, TypeError):
        return False


def _aged(connection: sqlite3.Connection, walk: _Walk) -> Iterator[Aged]:
    """What proven events of the record state about events that left it, oldest first."""
    for event in table.of_alarm(connection, ALARM):
        fields, findings = walk.prove(event)
        anchors = anchors_of(event)
        if fields is not None and not findings and anchors is not None:
            details = fields["details"]
            yield Aged(int(details.get("total", 0)), str(details.get("until")), event.number, anchors)


def _end(connection: sqlite3.Connection, links: Mapping[str, int]) -> Iterator[Finding]:
    """SQLite itself remembers the highest number that was ever written: clumsy hands forget to change that."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    last = max(links.values(), default=0)
    if row is not None and row[0] > last:
        yield Finding(Fault.CUT_OFF, row[0], "", "", 0, "")


def _finding_of(head: Mapping[str, Any]) -> Finding:
    stream, run, seq = str(head.get("stream", "")), str(head.get("run", "")), head.get("seq", 0)
    return Finding(Fault.CUT_OFF, None, stream, run, int(seq), str(head["hash"]))


@dataclass(slots=True)
class _Stream:
    hash: str | None
    run: str = ""
    seq: int = 0
    runs: set[str] = field(default_factory=set)


class _Walk:
    """Goes along the record, a stream's chain beside the others'."""

    def __init__(self, links: Mapping[str, int], anchors: Mapping[str, str], keys: Sequence[str]) -> None:
        self.anchors = anchors
        self._links, self._keys = links, keys
        self._streams: dict[str, _Stream] = {}
        self.aged: list[Aged] = []

    def step(self, event: Event) -> list[Finding]:
        fields, findings = self.prove(event)
        stream = self._streams.get(event.stream) or self._begin(event.stream, (fields or {}).get("previous"))
        if fields is not None:
            fault = self._link(stream, event, fields.get("previous"))
            if fault is not None:
                findings.append(_finding(fault, event))
        stream.hash, stream.run, stream.seq = event.hash, event.run, event.seq
        stream.runs.add(event.run)
        return findings

    def _begin(self, name: str, previous: str | None) -> _Stream:
        """The stream before its first event here, which names `previous`."""
        begun = _Stream(self.anchors.get(name))
        for aged in self.aged:
            head = next((head for stream, head in aged.anchors.items() if stream == name), None)
            if head is not None and head.hash == previous:
                begun = _Stream(head.hash, head.run, head.seq)
        self._streams[name] = begun
        return begun

    def prove(self, event: Event) -> tuple[dict[str, Any] | None, list[Finding]]:
        """The event by itself: its body, and that the row says the same as the body."""
        try:
            fields = read_event(event.body)
        except BadEvent as error:
            return None, [_finding(Fault.ALTERED, event, str(error))]
        row = {"stream": event.stream, "run": event.run, "seq": event.seq, "id": event.id, "hash": event.hash}
        row |= {"alarm": event.alarm, "historical": False}
        differs = [name for name, value in row.items() if fields.get(name) != value]
        if differs:
            return None, [_finding(Fault.ALTERED, event, ", ".join(differs))]
        if not any(signed(key, event.hash.encode(), str(fields.get("sig"))) for key in self._keys):
            return fields, [_finding(Fault.UNSIGNED, event)]
        return fields, []

    def _link(self, stream: _Stream, event: Event, previous: str | None) -> Fault | None:
        if stream.hash not in (previous, "?"):
            at = self._links.get(previous or "")
            if at is not None:
                return Fault.REORDERED if at > event.number else Fault.FORKED
            return Fault.FORKED if previous is None else Fault.MISSING
        if event.run == stream.run:
            return None if event.seq == stream.seq + 1 else Fault.MISCOUNTED
        return None if event.seq == 1 and event.run not in stream.runs else Fault.MISCOUNTED


def _finding(fault: Fault, event: Event, detail: str = "") -> Finding:
    return Finding(fault, event.number, event.stream, event.run, event.seq, event.hash, detail)
