"""Contacts: from accepted changes of a switch to signals of its alarms.

A contact has its own alarm (pressed, opened), `-line` (cut or short, where a changeover can tell), `-pin` (the pin
cannot be used) and `-chatter` (have it looked at); a sealed door those of `seals.py` as well. All of one stream, and
for leak, seal and tamper all of custody: never hidden, delivered on a receipt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from drivers.contact import STUCK_AFTER_NS, Change, Chatter, ContactFilter, ContactState
from drivers.quantities import Stream
from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import STANDS, Text
from gateway.alarm.words import drill_of
from gateway.alarms import Definition, Given, Signal
from gateway.alarms import Step as EscalationStep
from gateway.catalogue import both
from gateway.configuration.config import Contact
from gateway.contacts.seals import PARTS, Guard, Movement, Row, alarm_of, moved, stayed
from gateway.day.trial import Trial
from gateway.moment import NANO, Moment
from gateway.values import CUSTODY_KINDS, ContactFault, Edge, Severity
from gateway.vocabulary import word

_SEVERITY: dict[str, Severity] = {
    "leak": "critical",
    "seal": "critical",
    "tamper": "critical",
    "fire": "critical",
    "flood": "high",
    "power": "high",
    "patrol": "low",
    "other": "medium",
}
TAGGED = "tagged"  # the word of a patrol's tag that was touched
FAULTS = ("line", "pin", "chatter")


@dataclass(slots=True)
class ContactWatch:
    """One contact. `guard` says what an opening means now; only a seal's is ever anything but an alarm."""

    name: str
    config: Contact
    filter: ContactFilter = field(init=False)
    state: ContactState = ContactState.UNKNOWN
    since: Moment | None = None
    error: str | None = None
    openings: int = 0
    guard: Guard = field(default_factory=Guard)
    seal: str | None = None  # as it was last published
    trial: Trial | None = None  # a test of it by a named person is open
    _chatter: Chatter = field(default_factory=Chatter)
    _held: Moment | None = None  # pressed, and counts from then on if it is not released before

    def __post_init__(self) -> None:
        c = self.config
        safe = None if c.safe is None else c.safe == "high"
        self.filter = ContactFilter(
            safe, 1 if c.pin_other is None else 2, round(c.glitch * NANO), round(c.settle * NANO)
        )

    @property
    def custody(self) -> bool:
        return self.config.kind in CUSTODY_KINDS

    @property
    def stream(self) -> Stream:
        return "custody" if self.custody else "gateway"

    @property
    def alarms(self) -> frozenset[str]:
        return frozenset(definition.name for definition, _ in self.definitions(()))

    def definitions(self, escalation: tuple[EscalationStep, ...]) -> Iterator[tuple[Definition, Text]]:
        """Every alarm this contact can have, with its sentence."""
        kind, custody = self.config.kind, self.custody
        stream = self.stream
        own = Definition(
            self.name,
            kind,
            _SEVERITY[kind],
            stream,
            place=self.config.place,
            latching=custody or kind == "fire",
            custody=custody,
            stuck_after_s=STUCK_AFTER_NS / NANO if kind == "leak" else None,
            note_required=custody,
            escalation=escalation if custody else (),
        )
        for part in PARTS if kind == "seal" else ("",):
            hold_s = self.config.longest_opening if part == "long" else 0.0
            made = replace(own, name=alarm_of(self.name, part), raise_after_s=hold_s)
            yield made, self._text(alarm_of(kind, part))
        yield own.drilled(), both(STANDS["drill"], name=self.name, place=self.config.place or "-")
        for fault in FAULTS if self.config.pin_other is not None else FAULTS[1:]:
            yield (
                Definition(
                    f"{self.name}-{fault}",
                    fault,
                    "low" if fault == "chatter" else "critical" if custody else "medium",
                    stream,
                    place=self.config.place,
                    latching=custody and fault == "line",
                    custody=custody,
                    escalation=escalation if custody and fault != "chatter" else (),
                ),
                self._text(fault),
            )

    def take(self, message: Edge | ContactFault) -> Iterator[Finding]:
        """A raw level, or the pin lost or found again. Of a line that a reload took away nothing counts."""
        lines = 1 if self.config.pin_other is None else 2
        if isinstance(message, Edge):
            if message.line >= lines:
                return
            self.filter.feed(message.line, message.level, message.at.mono_ns, message.source)
            if message.source == "edge":
                self._chatter.edge(message.at.mono_ns)
            return
        for line in (line for line in message.lines if line < lines):
            self.filter.lose(line, message.at.mono_ns)
        if message.error != self.error:
            self.error = message.error
            signal = Signal.CLEAR if message.error is None else Signal.BREACH
            yield self._find("pin", signal, message.at, message.error)

    def due(self) -> int | None:
        """mono_ns at which `advance` must be called."""
        held = None if self._held is None else self._held.mono_ns
        trial = None if self.trial is None else self.trial.due(self.config.hold).mono_ns
        times = [t for t in (self.filter.due(), self._chatter.due(), held, trial) if t is not None]
        return min(times, default=None)

    def advance(self, now: Moment) -> Iterator[Finding]:
        for change in self.filter.advance(now.mono_ns):
            yield from self._hold_over(change.since_mono_ns)
            yield from self._trial_over(now, change.since_mono_ns)
            yield from self._changed(change, now)
        yield from self._hold_over(now.mono_ns)
        yield from self._trial_over(now, now.mono_ns)
        report = self._chatter.advance(now.mono_ns)
        if report is not None:
            reason = f"{report.edges} edges"
            yield self._find("chatter", Signal.BREACH if report.chattering else Signal.CLEAR, now, reason)
            if report.chattering:
                yield self._find("chatter", Signal.UPDATE, now, reason)

    def guarded(self, guard: Guard, now: Moment) -> Iterator[Finding]:
        """The calendar or a window says what an opening of this door means now; a door that is open is judged anew."""
        before, self.guard = self.guard.phase, guard
        if self.state is ContactState.ACTIVE:
            yield from (self._of_seal(row, now) for row in stayed(before, guard.phase))

    def note(
        self, reason: str, at: Moment, by: str | None = None, note: str | None = None, until: str = "-"
    ) -> Finding:
        """Something about this door that people did, for the record; changes nothing."""
        text = both(STANDS[f"seal-{reason}"], name=self.name, place=self.config.place or "-", by=by or "-", until=until)
        given = Given(by=by, note=note, reason=reason)
        return Finding(self.name, Signal.UPDATE, at, Evidence(text, reason=reason), given)

    def _changed(self, change: Change, now: Moment) -> Iterator[Finding]:
        at = now.after((change.since_mono_ns - now.mono_ns) / NANO)
        before, self.state, self.since = self.state, change.state, at
        if before is ContactState.UNKNOWN and self.error is None:  # it can be read, whatever was before a restart
            yield self._find("pin", Signal.CLEAR, at, None)
        yield from self._line(change, before, at)
        if self.trial is not None:
            if self.trial.takes(change, at):
                yield self._drill(self.trial, at)
                return
            if self.trial.pressed is not None and change.state in (ContactState.SAFE, ContactState.ACTIVE):
                self.trial = None  # released in time, or pressed again: from now on everything is real
        self.openings += change.opening
        if self.config.kind == "seal":
            yield from self._door(change, before, at)
        elif self.config.kind == "patrol":
            if change.opening:
                yield self._note("tagged", at)
        elif change.opening and self.config.hold:
            self._held = at.after(self.config.hold)
        elif change.state is ContactState.ACTIVE:
            yield self._active(at, "found-at-start" if change.found_at_start else None, opening=change.opening)
        elif change.state is ContactState.SAFE:
            if self._held is not None:
                self._held = None
                yield self._note("released-early", at)
            yield self._find("", Signal.CLEAR, at, None)

    def _active(self, at: Moment, reason: str | None, *, opening: bool) -> Finding:
        counted = opening and self.config.kind in (*CUSTODY_KINDS, "fire")
        return self._find("", Signal.PRESS if counted else Signal.BREACH, at, reason)

    def _drill(self, trial: Trial, at: Moment) -> Finding:
        """The first press of a test: an alarm of its own, marked as a drill."""
        what = both(STANDS["test"], name=self.name, place=self.config.place or "-")
        given = Given(by=trial.by, note=trial.note, reason="test")
        return Finding(drill_of(self.name), Signal.DRILL, at, Evidence(what, reason="test"), given)

    def _trial_over(self, now: Moment, mono_ns: int) -> Iterator[Finding]:
        """A press that is held is real; and the time of a test passes."""
        trial = self.trial
        if trial is None or (due := trial.due(self.config.hold)).mono_ns > mono_ns:
            return
        self.trial = None
        at = now.after((due.mono_ns - now.mono_ns) / NANO)
        if trial.pressed is None:
            yield Finding(self.name, Signal.UPDATE, at, Evidence(self._text("test-over")), Given(reason="test-over"))
            return
        self.openings += 1
        if self.config.kind == "seal":
            yield from (self._of_seal(row, at) for row in moved(Movement.OPENED, self.guard, was_open=False))
        else:
            yield self._active(at, "held-in-test", opening=True)

    def _hold_over(self, mono_ns: int) -> Iterator[Finding]:
        """Pressed for the whole guard time: now it counts. (Whatever else came of the wire than its release, too.)"""
        if self._held is not None and self._held.mono_ns <= mono_ns:
            at, self._held = self._held, None
            yield self._find("", Signal.PRESS, at, None)

    def _note(self, reason: str, at: Moment) -> Finding:
        evidence = Evidence(self._text(f"{self.config.kind}-{reason}"), reason=reason)
        return Finding(self.name, Signal.UPDATE, at, evidence, Given(reason=reason))

    def _door(self, change: Change, before: ContactState, at: Moment) -> Iterator[Finding]:
        movement = {
            ContactState.ACTIVE: Movement.OPENED if change.opening else Movement.FOUND,
            ContactState.SAFE: Movement.CLOSED,
        }.get(change.state)
        if movement is not None:
            rows = moved(movement, self.guard, was_open=before is ContactState.ACTIVE)
            yield from (self._of_seal(row, at) for row in rows)

    def _of_seal(self, row: Row, at: Moment) -> Finding:
        part = row.reason if row.signal is Signal.UPDATE else row.part
        text = self._text(alarm_of("seal", part or ""))
        evidence = Evidence(text, reason=row.reason)
        return Finding(alarm_of(self.name, row.part), row.signal, at, evidence, Given(reason=row.reason))

    def _line(self, change: Change, before: ContactState, at: Moment) -> Iterator[Finding]:
        """Cut and short are alarms of their own. UNKNOWN ends neither: silence is never good news."""
        broken = (ContactState.CUT, ContactState.SHORT)
        if change.state in broken:
            yield self._find("line", Signal.PRESS if self.custody else Signal.BREACH, at, change.state.value)
        elif before in broken and change.state is not ContactState.UNKNOWN:
            yield self._find("line", Signal.CLEAR, at, before.value)
        elif self.config.pin_other is not None and change.found_at_start:
            yield self._find("line", Signal.CLEAR, at, None)

    def _find(self, part: str, signal: Signal, at: Moment, reason: str | None) -> Finding:
        evidence = Evidence(self._text(part or self.config.kind, reason), reason=reason)
        return Finding(alarm_of(self.name, part), signal, at, evidence, Given(reason=reason))

    def _text(self, kind: str, reason: str | None = None) -> Text:
        return both(STANDS[kind], name=self.name, place=self.config.place or "-", reason=word(reason or "-"))
