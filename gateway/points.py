"""Rules over points: what is known on the board, judged by every rule once a second, found for the alarms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from drivers.base import Quality
from drivers.quantities import QUANTITIES, Stream
from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import (
    IN_WEATHER,
    RULE_ABOVE,
    RULE_BELOW,
    RULE_INDICATIVE,
    RULE_OTHER,
    RULE_SAYS_ABOVE,
    RULE_SAYS_BELOW,
    RULE_SAYS_FLAT,
    RULE_SAYS_STALE,
    RULE_WITHIN,
    Text,
    quantity_text,
)
from gateway.alarms import Definition, Given, Step
from gateway.board import Board, quantity_in, unit_of
from gateway.calendar import Calendar, Span
from gateway.catalogue import both
from gateway.environment.aqi import Index
from gateway.environment.noise_weather import Weather
from gateway.moment import ClockState, Moment
from gateway.rules import Rule, Verdict, definition, judge, limits_in_force, measure, watch
from gateway.values import Readings


class Points:
    """Owned by the engine's thread."""

    def __init__(self, board: Board, calendar: Calendar, rules: Iterable[Rule], weather: Weather | None = None) -> None:
        self.board = board
        self.weather = weather or Weather()
        self.calendar = calendar
        self.rules = {rule.name: rule for rule in rules}
        self.verdicts: dict[str, Verdict] = {}
        self.custody_began = False
        for rule in self.rules.values():
            watch(rule, board)

    def definitions(self, escalation: tuple[Step, ...]) -> Iterator[tuple[Definition, Text]]:
        for rule in self.rules.values():
            yield definition(rule, escalation), _what(rule, None, None)

    def take(self, message: Readings) -> None:
        for reading in message.readings:
            self.board.add(reading)
            self.weather.learn(reading)

    def judge(self, now: Moment, confirmed: dict[str, bool]) -> Iterator[Finding]:
        """Every rule's verdict; `confirmed`: each alarm's condition so far."""
        for rule in self.rules.values():
            verdict = judge(rule, self.board, self.calendar, now, was=confirmed[rule.name])
            self.verdicts[rule.name] = verdict
            why = verdict.reason if verdict.span is None else None  # over because its hours are, not its cause
            found = self._doubted(rule, evidence(rule, verdict), now)
            yield Finding(rule.name, verdict.signal, now, found, Given(reason=why))

    def _doubted(self, rule: Rule, evidence: Evidence, now: Moment) -> Evidence:
        """A sound level in wind or rain is an alarm all the same, and says that it proves no excess (GB 3096)."""
        quantity, device = quantity_in(rule.point), rule.point.partition("/")[0]
        if quantity is None or QUANTITIES[quantity].kind != "noise" or evidence.value is None:
            return evidence
        weather = self.weather.at(device, now)
        if weather is None:
            return evidence
        doubted = partial(_in_weather, weather, evidence)
        return replace(evidence, sentence=doubted, details={"weather": weather})

    def names_of(self, stream: Stream) -> list[str]:
        """The points and statistics that belong to a stream."""
        return [name for name in self.board.names() if _stream_of(name) == stream]

    def describe(self, stream: Stream) -> list[dict[str, Any]]:
        """The rules of a stream as `meta` says them."""
        return [_described(rule) for rule in self.rules.values() if rule.stream == stream]

    def explain(self, name: str, now: Moment) -> dict[str, Any] | None:
        """A rule with the window that puts it in force now, and what it last saw; None when it is no rule's alarm."""
        rule = self.rules.get(name)
        if rule is None:
            return None
        verdict = judge(rule, self.board, self.calendar, now, was=False)
        span = verdict.span
        return (
            _described(rule)
            | _source(rule)
            | _window(span)
            | {
                "value": verdict.value,
                "quality": verdict.quality.value,
                "valid": round(verdict.valid, 3),
                "condition": verdict.condition,
                "reason": verdict.reason,
                "index": _index(self.board.index(rule.point, now)),
            }
        )

    def says(self, name: str) -> Text | None:
        """What the alarm of a rule is about, without a value; None when it is no rule's alarm."""
        return None if (rule := self.rules.get(name)) is None else _says(rule)

    def measured(self, name: str, now: Moment) -> dict[str, Any]:
        """What a rule sees now, whatever the hour: for a look at the whole chain before it counts."""
        rule = self.rules[name]
        found = measure(rule, self.board, now)
        return {
            "value": None if found.value is None else round(found.value, 2),
            "limit": found.limit,
            "unit": unit_of(rule.point),
            "of": _compared(rule),
            "good": found.quality is Quality.GOOD and found.condition is not None,
            "reason": found.reason or found.quality.value,
        }

    def limits(self, now: Moment, point: str | None) -> list[dict[str, Any]]:
        """The limits in force now, of a point or device or of all, each with the window that puts it in force."""
        found = limits_in_force(self.rules.values(), self.calendar, now, point)
        return [_described(each.rule) | _window(each.span) | _source(each.rule) for each in found]

    def knows(self, point: str) -> bool:
        return any(name == point or name.startswith(f"{point}/") for name in self.board.names())

    def session(self, now: Moment) -> str | None:
        return self.calendar.phase(now).session

    def sealed(self, now: Moment) -> bool:
        """Whether papers are, or may be, in the room. Custody that has begun by a set clock is not undone by one that
        is set back, by whatever time server: it is ended by name.
        """
        holds = self.calendar.span("custody", now) is not None
        self.custody_began |= holds and now.clock is ClockState.SYNCHRONISED
        return holds or (self.custody_began and not self.calendar.custody_ended)


def _stream_of(name: str) -> Stream:
    quantity = quantity_in(name)
    return QUANTITIES[quantity].stream if quantity is not None else "gateway"


def _described(rule: Rule) -> dict[str, Any]:
    origin = rule.origin
    return {
        "rule": rule.name,
        "point": rule.point,
        "above": rule.above,
        "below": rule.below,
        "raise_after_s": rule.raise_after_s,
        "clear_after_s": rule.clear_after_s,
        "during": list(rule.during),
        "only": list(rule.only),
        "unless": list(rule.unless),
        "weekdays": list(rule.days.weekdays),
        "dates": [str(dates) for dates in rule.days.dates],
        "severity": rule.severity,
        "set": origin.set if origin is not None else None,
        "edition": origin.edition if origin is not None else None,
        "proof": origin.proof if origin is not None else None,
    }


def _source(rule: Rule) -> dict[str, Any]:
    origin = rule.origin
    return {
        "unit": unit_of(rule.point),
        "source": origin.source if origin is not None else None,
        "mean": origin.mean if origin is not None else None,
        "area": origin.area if origin is not None else None,
        "indicative": origin.indicative if origin is not None else False,
    }


def _window(span: Span | None) -> dict[str, Any]:
    return {
        "in_force": None if span is None else span.name or span.when,
        "until": None if span is None or span.end is None else span.end.isoformat(),
    }


def _index(index: Index | None) -> dict[str, Any] | None:
    if index is None:
        return None
    grade = index.grade
    return {
        "aqi": index.aqi,
        "grade": {"number": grade.number, "zh": grade.zh, "en": grade.en},
        "primary": list(index.primary),
        "parts": dict(index.parts),
        "complete": index.complete,
    }


def evidence(rule: Rule, verdict: Verdict) -> Evidence:
    value = None if verdict.value is None else round(verdict.value, 2)
    return Evidence(
        partial(_what, rule, value, verdict.limit, at_least=verdict.lower_bound),
        value=value,
        unit=unit_of(rule.point),
        limit=verdict.limit,
        quality=verdict.quality.value,
        rule_set=rule.origin.set if rule.origin is not None else None,
        reason=verdict.reason,
    )


def _in_weather(weather: str, evidence: Evidence) -> Text:
    return both(IN_WEATHER[weather], what=evidence.what)


def _compared(rule: Rule) -> str:
    """What a rule compares with its limit."""
    if rule.stale_after_s is not None:
        return "silence"
    if rule.flat_for_s is not None:
        return "stillness"
    if rule.within_s is not None:
        return "share" if rule.share is not None else "count"
    return "value"


def _says(rule: Rule) -> Text:
    template, limit_s = RULE_SAYS_ABOVE if rule.above is not None else RULE_SAYS_BELOW, 0.0
    if rule.stale_after_s is not None:
        template, limit_s = RULE_SAYS_STALE, rule.stale_after_s
    elif rule.flat_for_s is not None:
        template, limit_s = RULE_SAYS_FLAT, rule.flat_for_s
    limit = "-" if rule.limit is None else f"{rule.limit:g}"
    return _indicative(rule, both(template, limit=limit, limit_s=f"{limit_s:g}", **_named(rule)))


def _what(rule: Rule, value: float | None, limit: float | None, *, at_least: bool = False) -> Text:
    """`at_least`: the true value may be higher still."""
    what = both(
        _template(rule, value),
        value="-" if value is None else f"{'≥ ' if at_least else ''}{value:.1f}",
        limit="-" if limit is None else f"{limit:g}",
        reason="-" if value is None else f"{value:g} s",
        **_named(rule),
    )
    return _indicative(rule, what)


def _named(rule: Rule) -> dict[str, Text | str]:
    """What a sentence about a rule calls its parts."""
    quantity = quantity_in(rule.point)
    name: Text | str = quantity_text(quantity) if quantity else rule.point
    if rule.title_zh or rule.title_en:
        name = {"zh": rule.title_zh or rule.title_en or "", "en": rule.title_en or rule.title_zh or ""}
    return {"quantity": name, "point": rule.point, "unit": unit_of(rule.point), "place": rule.place or "-"}


def _indicative(rule: Rule, what: Text) -> Text:
    if rule.origin is not None and rule.origin.indicative:
        return both(RULE_INDICATIVE, what=what, set=rule.origin.set)
    return what


def _template(rule: Rule, value: float | None) -> str:
    if rule.limit is None:
        return RULE_OTHER
    if value is None or rule.within_s is not None:
        return RULE_WITHIN
    if rule.above is not None and value > rule.above:
        return RULE_ABOVE
    return RULE_BELOW if rule.below is not None and value < rule.below else RULE_WITHIN
