"""The book of alarms: every alarm of this venue, where it stands, and the events that its transitions become.

Owned by the engine's thread. An event is numbered, chained and signed here, once, and handed out at the same moment to
the journal and to every broker.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import tzinfo
from typing import Any, Protocol

from drivers.quantities import Stream
from gateway import alarms, payloads
from gateway.alarm import takeover
from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.snapshots import from_json, to_json, union
from gateway.alarm.wording import GOES_ON, Text, happened
from gateway.alarm.words import drill_of
from gateway.alarms import UNACKNOWLEDGED, Alarm, Definition, Given, Signal, State, Transition
from gateway.catalogue import both
from gateway.journal.chain import Chain, Identity, uuid7
from gateway.moment import Moment
from gateway.payloads import Origin
from gateway.values import Event

log = logging.getLogger(__name__)

ROUTINE = frozenset({"received"})  # events about receipts need none, or there would be no end of them
_CONDITIONS = (Signal.BREACH, Signal.CLEAR, Signal.PRESS)
REMEMBERED = 2000  # events whose hash and delivery are kept in mind, besides those whose receipt is awaited


class Outputs(Protocol):
    """Where events go. Every method only puts on a queue."""

    def event(self, event: Event, snapshot: bytes) -> None: ...
    def retain(self, topic: str, payload: bytes) -> None: ...
    def latches(self, standing: Mapping[str, Any]) -> None: ...
    def received(self, number: int, hash_: str, station: str, wall_ns: int) -> None: ...


@dataclass(slots=True)
class Page:
    """One alarm in the book."""

    definition: Definition
    alarm: Alarm
    evidence: Evidence
    says: Text  # what it is about, before anything is known of it
    last: Event | None = None  # its last event of this run
    opening: int = 0  # number of the event that last raised or repeated it
    before: Alarm = field(init=False)  # as the record had it when this run began
    heard: Signal | None = None  # what the source last said of the condition in this run
    found_at_start: bool = False  # this run raised it for a switch that was found active
    memory: Mapping[str, Any] | None = None  # committed with its events; what is below "public" is published too
    due_ns: int | None = None  # mono_ns at which time alone changes it; kept, because it is asked for at every message

    def __post_init__(self) -> None:
        self.before = self.alarm

    def stand(self, alarm: Alarm) -> None:
        """From now on the alarm stands so."""
        self.alarm = alarm
        due = alarms.due(self.definition, alarm)
        self.due_ns = None if due is None else due.mono_ns


@dataclass(slots=True)
class Sent:
    """What became of one event: for receipts, and for `why`."""

    number: int
    alarm: str
    revision: int
    stream: Stream
    transition: str
    needs_receipt: bool
    accepted: dict[str, str] = field(default_factory=dict)  # sink: when, or why not
    received: dict[str, str] = field(default_factory=dict)  # station: when
    refused: frozenset[str] = frozenset()  # sinks that did not take it

    @property
    def awaited(self) -> bool:
        """Whether no station has signed for it yet: until then it is sent again and again."""
        return self.needs_receipt and not self.received


@dataclass(slots=True)
class Book:
    """`session(now)` and `passed`, set by the engine: the exam paper being written, or None; who else looks at each
    transition that was recorded (and signals nothing from there).
    """

    chain: Chain
    identity: Identity
    origin: Origin
    outputs: Outputs
    session: Callable[[Moment], str | None] = lambda _now: None
    passed: Callable[[Page, Transition], None] = lambda _page, _transition: None
    pages: dict[str, Page] = field(default_factory=dict)
    sent: OrderedDict[str, Sent] = field(default_factory=OrderedDict)  # by hash
    full: int = 0  # with so many `sent` is looked through for what may be forgotten
    left: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)  # written alarms not yet defined

    @property
    def zone(self) -> tzinfo:
        return self.origin.zone

    # ---- entering alarms -----------------------------------------------------------------------------------------

    def define(self, definition: Definition, what: Text, now: Moment) -> None:
        """Enter an alarm where it stood before, or give a known one its new definition."""
        page = self.pages.get(definition.name)
        if page is not None:
            page.definition, page.says = definition, what
            page.stand(page.alarm)
            return
        page = Page(definition, Alarm(definition.name), Evidence(what), what)
        for written in self.left.pop(definition.name, []):
            try:
                page.alarm = union([page.alarm, from_json(written["life"], now)])
            except (KeyError, TypeError, ValueError) as error:
                log.warning("event=bad-snapshot alarm=%s error=%r", definition.name, error)
                continue
            page.evidence = Evidence.from_json(written.get("evidence"), page.evidence)
            page.memory = written.get("memory") or page.memory
        page.stand(page.alarm)
        page.before = page.alarm
        self.pages[definition.name] = page

    def enter_drill(self, name: str, now: Moment) -> Page:
        """The alarm that is only ever a drill of this one: entered when it is first needed, in the book until the
        program ends. KeyError when there is no such alarm.
        """
        drilled = self.pages[name].definition.drilled()
        self.define(drilled, self.pages[name].says, now)
        return self.pages[drilled.name]

    def drop(self, names: Iterable[str], now: Moment) -> None:
        """Alarms that the configuration no longer has leave the book, unless they stand."""
        for name in names:
            page = self.pages[name]
            if not page.alarm.standing:
                self.publish(page, now)
                del self.pages[name]

    def define_left(self, now: Moment) -> None:
        """Alarms that stand and are no longer configured keep their page until they are over: else the far side would
        show them for ever, and nobody could acknowledge them.
        """
        for name, snapshots in list(self.left.items()):
            written = snapshots[0].get("definition")
            try:
                definition = Definition(**{**written, "escalation": ()})  # type: ignore[dict-item]
                standing = any(from_json(each["life"], now).standing for each in snapshots)
            except (KeyError, TypeError, ValueError):
                continue
            if standing:
                self.define(definition, {"zh": name, "en": name}, now)

    def adopt(self, name: str, found: Alarm, now: Moment) -> None:
        """An alarm as a broker still holds it: it can add to what is known and never take away (`takeover.py`)."""
        page = self.pages.get(name)
        of = name.removesuffix(drill_of(""))
        if page is None and found.drill and found.standing and of in self.pages:  # begun, and never stored
            page = self.enter_drill(of, now)
        if page is None or not takeover.adds(found, page.before.revision):
            return
        if not page.alarm.standing:
            alarm, passed = alarms.resume(page.definition, takeover.taken_up(page.alarm, found), now)
            page.stand(alarm)
            self._record(page, passed)
        elif not found.drill:  # a drill ends with its run
            self._join(page, found, now)
        page.before = replace(page.before, revision=found.revision)  # the other broker may hold the same
        self.publish(page, now)
        self._latch()
        if page.heard is Signal.CLEAR:  # said before, when nothing seemed to stand
            self.signal(name, Signal.CLEAR, now)

    def _join(self, page: Page, found: Alarm, now: Moment) -> None:
        """This run has raised what in truth had never ended: it goes on as the same activation, and that is said."""
        other = page.alarm.activation
        alarm = takeover.joined(page.alarm, found, page.before, now, found_at_start=page.found_at_start)
        page.stand(alarm)
        what = both(GOES_ON, what=page.evidence.what, activation=found.activation or "-", other=other or "-")
        evidence = replace(page.evidence, sentence=what)
        self._record(page, [Transition("repeated", alarm, now, Given(reason="goes-on"))], evidence)

    def resume(self, now: Moment) -> None:
        """After a start: standing alarms of custody are said again, and every state is published."""
        for page in self.pages.values():
            alarm, passed = alarms.resume(page.definition, page.alarm, now)
            page.stand(alarm)
            self._record(page, passed)
            self.publish(page, now)
        self._latch()

    # ---- what happens --------------------------------------------------------------------------------------------

    def find(self, finding: Finding) -> None:
        silent = finding.signal in (Signal.CLEAR, Signal.UNKNOWN) and finding.evidence.value is None
        evidence = None if silent else finding.evidence
        self.signal(finding.alarm, finding.signal, finding.at, finding.given, evidence, memory=finding.memory)

    def signal(
        self,
        name: str,
        signal: Signal,
        now: Moment,
        given: Given = alarms.NOTHING,
        evidence: Evidence | None = None,
        *,
        memory: Mapping[str, Any] | None = None,
    ) -> tuple[Transition, ...]:
        """Step one alarm and record what passed; `memory` is kept with it.

        `evidence` is from now on that of the alarm; of an update it is only its own, because a note beside the alarm
        says nothing of why it stands.

        Raises `Refused` when a person's command may not be done.
        """
        page = self.pages[name]
        alarm, passed = alarms.step(page.definition, page.alarm, signal, now, lambda: uuid7(now.wall_ns), given=given)
        page.found_at_start |= given.reason == "found-at-start" and alarm.opening > page.alarm.opening
        if alarm is not page.alarm:
            page.stand(alarm)
        if memory is not None:
            page.memory = memory
        if evidence is not None and signal is not Signal.UPDATE:
            page.evidence = evidence
        if signal in _CONDITIONS:
            page.heard = signal
        if passed:
            self._record(page, passed, evidence)
            self.publish(page, now)
            if page.definition.custody:
                self._latch()
        return passed

    def tick(self, now: Moment) -> None:
        """Whatever has fallen due by time alone."""
        for name, page in self.pages.items():
            if page.due_ns is not None and page.due_ns <= now.mono_ns:
                self.signal(name, Signal.TICK, now)

    def due(self) -> int | None:
        """mono_ns at which `tick` must be called next, None when time alone changes nothing."""
        return min((page.due_ns for page in self.pages.values() if page.due_ns is not None), default=None)

    def alarm(self, name: str) -> Alarm | None:
        page = self.pages.get(name)
        return None if page is None else page.alarm

    def confirmed(self) -> dict[str, bool]:
        return {name: page.alarm.condition for name, page in self.pages.items()}

    def standing(self) -> list[Page]:
        return [page for page in self.pages.values() if page.alarm.shown is not State.NORMAL]

    # ---- delivery ------------------------------------------------------------------------------------------------

    def stream_of(self, hash_: str) -> Stream | None:
        sent = self.sent.get(hash_)
        return sent.stream if sent is not None else None

    def knows(self, hash_: str) -> bool:
        """Whether this event is in mind."""
        return hash_ in self.sent

    def receive(self, hash_: str, station: str, now: Moment) -> None:
        """A station has signed for an event. The same receipt again changes nothing."""
        sent = self.sent[hash_]
        if station in sent.received:
            return
        sent.received[station] = now.text(self.zone)
        self.outputs.received(sent.number, hash_, station, now.wall_ns)
        if sent.alarm in self.pages and sent.transition in ("raised", "repeated"):
            self.signal(sent.alarm, Signal.RECEIVE, now, Given(by=station, revision=sent.revision))

    def accepted(self, sink: str, number: int, why_not: str | None, now: Moment) -> None:
        """A broker took an event, or did not; kept for `why`."""
        sent = self.sent_as(number)
        again = sent is not None and sink in sent.accepted and sink not in sent.refused and why_not is None
        if sent is not None and not again:  # when it first took it, however often it is sent until a receipt comes
            sent.accepted[sink] = why_not or now.text(self.zone)
            sent.refused = sent.refused - {sink} if why_not is None else sent.refused | {sink}

    def sent_as(self, number: int) -> Sent | None:
        """The event with this number, if it is still in mind."""
        for sent in reversed(self.sent.values()):
            if sent.number <= number:
                return sent if sent.number == number else None
        return None

    def remember(self, hash_: str, sent: Sent) -> None:
        self.sent[hash_] = sent
        if len(self.sent) < self.full:
            return
        settled = [each for each, known in self.sent.items() if not known.awaited]
        for each in settled[: max(0, len(settled) - REMEMBERED)]:
            del self.sent[each]
        self.full = len(self.sent) + REMEMBERED // 4  # looked through so seldom that thousands awaited cost nothing

    # ---- inside --------------------------------------------------------------------------------------------------

    def _record(self, page: Page, passed: Iterable[Transition], evidence: Evidence | None = None) -> None:
        definition = page.definition
        for transition in passed:
            needs_receipt = definition.custody and transition.name not in ROUTINE
            event = self.chain.make(
                definition.stream,
                self._fields(page, transition, evidence or page.evidence),
                at=transition.at,
                urgent=definition.custody,
                needs_receipt=needs_receipt,
            )
            page.last = event
            if transition.name in ("raised", "repeated"):
                page.opening = event.number
            revision = transition.alarm.revision
            self.remember(
                event.hash,
                Sent(event.number, definition.name, revision, definition.stream, transition.name, needs_receipt),
            )
            snapshot = _snapshot(definition, transition.alarm, page.evidence)
            if page.memory is not None:
                snapshot["memory"] = page.memory
            self.outputs.event(event, payloads.encode(snapshot))
            self.passed(page, transition)

    def _fields(self, page: Page, transition: Transition, evidence: Evidence) -> dict[str, object]:
        definition, alarm, given = page.definition, transition.alarm, transition.given
        noted = transition.name == "updated" and (evidence is not page.evidence or not alarm.standing)
        return {
            "time": transition.at.text(self.zone),
            "mono_ms": transition.at.mono_ns // 1_000_000,
            "clock": transition.at.clock.value,
            "alarm": definition.name,
            "kind": definition.kind,
            "severity": definition.severity,
            "activation": alarm.activation,
            "revision": alarm.revision,
            "transition": transition.name,
            "state": alarm.shown.value,
            "condition": alarm.condition,
            "point": definition.point,
            "place": definition.place,
            "value": evidence.value,
            "unit": evidence.unit,
            "limit": evidence.limit,
            "quality": evidence.quality,
            "set": evidence.rule_set,
            "session": self.session(transition.at),
            "reason": given.reason or given.to or evidence.reason,
            "text": happened(None if noted else transition.name, evidence.what, given.by, given.note, given.to),
            "drill": alarm.drill or definition.drill,
            "simulated": self.origin.simulated,
            "by": given.by,
            "note": given.note,
        } | ({} if evidence.details is None else {"details": evidence.details})

    def publish(self, page: Page, now: Moment) -> None:
        """The alarm's state, retained at every broker; signed, so that this gateway knows its own after a restart."""
        definition, alarm = page.definition, page.alarm
        fields = {
            "kind": definition.kind,
            "severity": definition.severity,
            "place": definition.place,
            "point": definition.point,
            "state": alarm.shown.value,
            "condition": alarm.condition,
            "activation": alarm.activation,
            "revision": alarm.revision,
            "since": (alarm.raised or now).text(self.zone) if alarm.standing else None,
            "text": page.evidence.what,
            "drill": alarm.drill and alarm.standing,
            "life": to_json(alarm),
        }
        if page.memory is not None and "public" in page.memory:
            fields["details"] = page.memory["public"]
        state = payloads.alarm_state(
            self.origin, definition.stream, definition.name, page.last, fields, self.identity.sign
        )
        self.outputs.retain(state.topic, state.payload)

    def _latch(self) -> None:
        """Standing alarms of custody, for the file that lives beside the journal."""
        self.outputs.latches(
            {
                name: _snapshot(page.definition, page.alarm, page.evidence)
                for name, page in self.pages.items()
                if page.definition.custody and page.alarm.standing
            }
        )

    def unacknowledged(self) -> int:
        return sum(page.alarm.state in UNACKNOWLEDGED for page in self.pages.values())


def _snapshot(definition: Definition, alarm: Alarm, evidence: Evidence) -> dict[str, Any]:
    """All that is needed to enter the alarm again after a restart."""
    return {"definition": asdict(definition), "life": to_json(alarm), "evidence": evidence.to_json()}
