"""Contacts: from accepted changes of a switch to signals of its alarms.

A contact `paper-room-door` has up to four alarms: itself (pressed, opened), `-line` (cut or short, where a changeover
can tell), `-pin` (the pin cannot be used), `-chatter` (have it looked at). All of one stream, and for leak, seal and
tamper all of custody: never hidden, delivered on a receipt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from drivers.contact import STUCK_AFTER_NS, Change, Chatter, ContactFilter, ContactState
from drivers.quantities import Stream
from gateway.alarms import Definition, Given, Signal
from gateway.alarms import Step as EscalationStep
from gateway.catalogue import both
from gateway.config import Contact
from gateway.findings import Evidence, Finding
from gateway.moment import NANO, Moment
from gateway.values import CUSTODY_KINDS, ContactFault, Edge, Severity
from gateway.wording import STANDS, Text

_SEVERITY: dict[str, Severity] = {
    "leak": "critical",
    "seal": "critical",
    "tamper": "critical",
    "fire": "critical",
    "flood": "high",
    "power": "high",
    "other": "medium",
}
FAULTS = ("line", "pin", "chatter")


@dataclass(slots=True)
class ContactWatch:
    """One contact. `armed` says whether an opening is an alarm now; only a seal is ever not armed."""

    name: str
    config: Contact
    filter: ContactFilter = field(init=False)
    state: ContactState = ContactState.UNKNOWN
    since: Moment | None = None
    error: str | None = None
    openings: int = 0
    armed: bool = True
    _chatter: Chatter = field(default_factory=Chatter)

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

    def definitions(self, escalation: tuple[EscalationStep, ...]) -> Iterator[tuple[Definition, Text]]:
        """Every alarm this contact can have, with its sentence."""
        kind, custody = self.config.kind, self.custody
        stream = self.stream
        yield (
            Definition(
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
            ),
            self._text(kind),
        )
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
        """A raw level, or the pin lost or found again."""
        if isinstance(message, Edge):
            self.filter.feed(message.line, message.level, message.at.mono_ns, message.source)
            if message.source == "edge":
                self._chatter.edge(message.at.mono_ns)
            return
        for line in message.lines:
            self.filter.lose(line, message.at.mono_ns)
        if message.error != self.error:
            self.error = message.error
            signal = Signal.CLEAR if message.error is None else Signal.BREACH
            yield self._find("pin", signal, message.at, message.error)

    def due(self) -> int | None:
        """mono_ns at which `advance` must be called."""
        times = [t for t in (self.filter.due(), self._chatter.due()) if t is not None]
        return min(times, default=None)

    def advance(self, now: Moment) -> Iterator[Finding]:
        for change in self.filter.advance(now.mono_ns):
            yield from self._changed(change, now)
        report = self._chatter.advance(now.mono_ns)
        if report is not None:
            reason = f"{report.edges} edges"
            yield self._find("chatter", Signal.BREACH if report.chattering else Signal.CLEAR, now, reason)
            if report.chattering:
                yield self._find("chatter", Signal.UPDATE, now, reason)

    def arm(self, armed: bool, now: Moment) -> Iterator[Finding]:
        """The calendar or an authorised window says whether an opening is an alarm. An open door at arming is one."""
        if armed == self.armed:
            return
        self.armed = armed
        if armed and self.state is ContactState.ACTIVE:
            yield self._find(self.config.kind, Signal.BREACH, now, "open-at-arming")

    def _changed(self, change: Change, now: Moment) -> Iterator[Finding]:
        at = now.after((change.since_mono_ns - now.mono_ns) / NANO)
        before, self.state, self.since = self.state, change.state, at
        yield from self._line(change, before, at)
        match change.state:
            case ContactState.ACTIVE:
                self.openings += change.opening
                if not self.armed:
                    yield self._find(self.config.kind, Signal.UPDATE, at, "opened-in-order")
                elif change.opening and self.config.kind in (*CUSTODY_KINDS, "fire"):
                    yield self._find(self.config.kind, Signal.PRESS, at, None)
                else:
                    yield self._find(
                        self.config.kind, Signal.BREACH, at, "found-at-start" if change.found_at_start else None
                    )
            case ContactState.SAFE:
                if not self.armed and before is ContactState.ACTIVE:
                    yield self._find(self.config.kind, Signal.UPDATE, at, "closed")
                yield self._find(self.config.kind, Signal.CLEAR, at, None)

    def _line(self, change: Change, before: ContactState, at: Moment) -> Iterator[Finding]:
        """Cut and short are alarms of their own. UNKNOWN ends neither: silence is never good news."""
        broken = (ContactState.CUT, ContactState.SHORT)
        if change.state in broken:
            yield self._find("line", Signal.PRESS if self.custody else Signal.BREACH, at, change.state.value)
        elif before in broken and change.state is not ContactState.UNKNOWN:
            yield self._find("line", Signal.CLEAR, at, before.value)
        elif self.config.pin_other is not None and change.found_at_start:
            yield self._find("line", Signal.CLEAR, at, None)

    def _find(self, kind: str, signal: Signal, at: Moment, reason: str | None) -> Finding:
        name = f"{self.name}-{kind}" if kind in FAULTS else self.name
        return Finding(name, signal, at, Evidence(self._text(kind, reason), reason=reason), Given(reason=reason))

    def _text(self, kind: str, reason: str | None = None) -> Text:
        return both(STANDS[kind], name=self.name, place=self.config.place or "-", reason=reason or "-")
