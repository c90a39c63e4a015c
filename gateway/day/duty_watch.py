"""The duties watched: an alarm of each, its lateness, its entries. Gives findings; `duties.py` says what is due."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any

from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import Text
from gateway.alarm.words import Definition, Given, Signal
from gateway.catalogue import both
from gateway.configuration.config import Config
from gateway.day.duties import Duty, Kept, Standing, due, duties, entered, standing
from gateway.day.wording import DUTIES, DUTY_BY_TAG, DUTY_DONE, DUTY_EXPECTED, DUTY_LATE, DUTY_STANDS
from gateway.moment import Moment
from gateway.values import Severity

log = logging.getLogger(__name__)

_SEVERITY: Mapping[str, Severity] = {"patrol": "high", "half-day-check": "high"}


def alarm_of(kind: str) -> str:
    return f"duty-{kind}"


@dataclass(slots=True)
class DutyWatch:
    """All duties of one venue. Owned by the engine's thread."""

    duties: dict[str, Duty]
    zone: tzinfo
    kept: dict[str, Kept] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, zone: tzinfo) -> DutyWatch:
        return cls({str(kind): duty for kind, duty in duties(config).items()}, zone)

    def definitions(self) -> Iterator[tuple[Definition, Text]]:
        for kind, duty in self.duties.items():
            severity = _SEVERITY.get(kind, "medium")
            name = alarm_of(kind)
            yield Definition(name, "duty", severity, "custody", repeat_after_s=duty.every_s), self._what(kind, "-")

    def recall(self, kind: str, memory: Mapping[str, Any], now: Moment) -> None:
        """How far the duty was done in the run before."""
        try:
            self.kept[kind] = Kept.from_json(memory, now)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("event=bad-memory duty=%s error=%r", kind, str(error))

    def tick(self, since: Moment | None, now: Moment) -> Iterator[Finding]:
        """What is late and what is missing. `since`: when custody began; None while no papers are stored."""
        for kind, duty in self.duties.items():
            if since is None:
                yield self._find(kind, Signal.CLEAR, now, {}, "custody-ended")
                continue
            if kind not in self.kept:  # what was before we watched, we do not know
                kept = self.kept[kind] = Kept(covered=now)
                yield self._note(kind, DUTY_EXPECTED, "expected", due(duty, kept, since, now, self.zone), now, kept)
            kept = self.kept[kind]
            due_at = due(duty, kept, since, now, self.zone)
            how = standing(duty, due_at, now)
            if how is not Standing.QUIET and (kept.late is None or kept.late.wall_ns != due_at.wall_ns):
                kept = self.kept[kind] = replace(kept, late=due_at)
                yield self._note(kind, DUTY_LATE, "late", due_at, now, kept)
            if how is Standing.MISSING:
                kept = self.kept[kind] = replace(kept, missed=due_at)
                evidence = self._what(kind, self._hour(due_at))
                yield self._find(kind, Signal.PRESS, now, evidence, "missing", kept, {"due": due_at.text(self.zone)})

    def entry(
        self, kind: str, by: str | None, note: str | None, since: Moment | None, now: Moment, tag: str | None = None
    ) -> Iterator[Finding]:
        """The duty is done: recorded, and what was missing is over."""
        duty, before = self.duties[kind], self.kept.get(kind, Kept())
        after = None if since is None else entered(duty, before, since, now, self.zone)
        kept = self.kept[kind] = before if after is None else after
        name = both(DUTIES[kind])
        what = both(DUTY_DONE, duty=name, by=by) if tag is None else both(DUTY_BY_TAG, duty=name, tag=tag)
        details = {"entry": kind, "by": by, "tag": tag, "counts": after is not None}
        yield Finding(
            alarm_of(kind),
            Signal.UPDATE,
            now,
            Evidence(what, reason=kind, details=details),
            Given(by=by, note=note, reason=kind),
            memory=kept.to_json(),
        )
        if after is not None:
            yield self._find(kind, Signal.CLEAR, now, {}, "entered")

    def next_due(self, since: Moment | None, now: Moment) -> dict[str, str]:
        """When each duty is due next, for `status`."""
        if since is None:
            return {}
        found = {
            k: due(duty, self.kept.get(k, Kept(covered=now)), since, now, self.zone) for k, duty in self.duties.items()
        }
        return {kind: at.text(self.zone) for kind, at in found.items()}

    def tagged(self, contact: str) -> str | None:
        """The duty whose tag this contact is: the one that names it, else the patrol."""
        named = next((kind for kind, duty in self.duties.items() if duty.tag == contact), None)
        return named or ("patrol" if "patrol" in self.duties and self.duties["patrol"].tag is None else None)

    def _note(self, kind: str, words: str, reason: str, due_at: Moment, now: Moment, kept: Kept) -> Finding:
        what = both(words, duty=both(DUTIES[kind]), due=self._hour(due_at))
        evidence = Evidence(what, reason=reason, details={"entry": kind, "due": due_at.text(self.zone)})
        return Finding(alarm_of(kind), Signal.UPDATE, now, evidence, Given(reason=reason), memory=kept.to_json())

    def _find(
        self,
        kind: str,
        signal: Signal,
        now: Moment,
        what: Text,
        reason: str,
        kept: Kept | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Finding:
        memory = None if kept is None else kept.to_json()
        evidence = Evidence(what, reason=reason, details=details)
        return Finding(alarm_of(kind), signal, now, evidence, Given(reason=reason), memory=memory)

    def _what(self, kind: str, due_at: str) -> Text:
        return both(DUTY_STANDS, duty=both(DUTIES[kind]), due=due_at)

    def _hour(self, at: Moment) -> str:
        return f"{at.local(self.zone):%m-%d %H:%M}"
