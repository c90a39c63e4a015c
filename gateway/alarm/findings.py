"""What the watches find: a signal for one alarm, with what people shall read about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from gateway.alarm.wording import Text
from gateway.alarms import NOTHING, Given, Signal
from gateway.moment import Moment


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why an alarm is as it is: what was seen, against which limit, under which rule.

    `sentence` may be how it is made: a rule is judged every second, and read about when something happens.
    """

    sentence: Text | Callable[[], Text]
    value: float | None = None
    unit: str | None = None
    limit: float | None = None
    quality: str | None = None
    rule_set: str | None = None
    reason: str | None = None
    details: Mapping[str, Any] | None = None  # what the sentence says, for machines

    @property
    def what(self) -> Text:
        return self.sentence() if callable(self.sentence) else self.sentence

    def to_json(self) -> dict[str, Any]:
        written = asdict(replace(self, sentence=self.what))
        return {"what": written.pop("sentence"), **written}

    @classmethod
    def from_json(cls, written: Any, otherwise: Evidence) -> Evidence:
        """The evidence as written; `otherwise` where it is none."""
        if not isinstance(written, dict) or not isinstance(written.get("what"), dict):
            return otherwise
        known = {field.name: written.get(field.name) for field in fields(cls)}
        return cls(**known | {"sentence": written["what"]})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Finding:
    alarm: str
    signal: Signal
    at: Moment
    evidence: Evidence
    given: Given = NOTHING
    memory: Mapping[str, Any] | None = None  # what the alarm's page keeps from now on, over restarts too
