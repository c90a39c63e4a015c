"""When a point is wrong: one rule, judged against what is known now.

`judge` says True (wrong), False (not wrong, or the rule is not in force now) or None: it cannot be told. None is never
good news; `alarms.py` then leaves the alarm as it is. Only good values are compared. Equal to a limit is compliant.

- above / below, with `clear_below` / `clear_above` once the alarm stands (hysteresis)
- `minus`: of the difference to another point
- `within` and `share` or `count`: so much, or so many, of a window's samples are past the limit
- `stale_after_s`: no good sample for so long;  `flat_for_s`: the same value for so long
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from drivers.base import Quality
from drivers.quantities import QUANTITIES, Stream
from gateway.alarm.words import Definition, Signal, Step
from gateway.board import Board, Seen, quantity_in
from gateway.calendar import Calendar, Span
from gateway.configuration.config import When
from gateway.days import EVERY_DAY, Days
from gateway.environment.statistics import Wanted, parse
from gateway.moment import NANO, Moment
from gateway.values import Severity

Proof = Literal["text", "secondary", "unverified", "project"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a shipped limit comes from."""

    set: str  # "gb3096-2008"
    source: str  # the document and its place
    edition: str  # its date, and since when it is in force
    proof: Proof  # read in the text; by secondary publications; unverified; the project's own choice
    mean: str  # for which mean the limit is defined there
    indicative: bool = False  # the comparison only points at something: no excess of the standard is claimed
    area: str | None = None  # sound area whose limit it is
    as_written: str | None = None  # the limit in the standard's own unit


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    point: str  # "gate-noise/laeq_1min"
    kind: str
    stream: Stream
    place: str = ""
    severity: Severity = "medium"
    above: float | None = None
    below: float | None = None
    clear_below: float | None = None
    clear_above: float | None = None
    minus: str | None = None
    within_s: float | None = None
    share: float | None = None
    count: int | None = None
    stale_after_s: float | None = None
    flat_for_s: float | None = None
    decimals: int | None = None  # round half to even to so many before comparing, as the standard rounds
    min_valid: float = 0.75
    during: tuple[When, ...] = ("always",)  # any of these
    only: tuple[When, ...] = ()  # and all of these
    unless: tuple[When, ...] = ()  # and none of these
    days: Days = EVERY_DAY  # and on such a day
    whole_window: bool = False  # only once the statistic's whole window lies within the hours of the limit
    margin_before_s: float = 0.0
    margin_after_s: float = 0.0
    raise_after_s: float = 0.0
    clear_after_s: float = 0.0
    repeat_after_s: float | None = None
    title_zh: str | None = None
    title_en: str | None = None
    origin: Origin | None = None

    @property
    def limit(self) -> float | None:
        return self.above if self.above is not None else self.below


@dataclass(frozen=True, slots=True)
class Verdict:
    """`value` and `limit` in `Rule.point`'s unit; seconds for staleness and flat lines; a share of 1, or a number."""

    condition: bool | None
    value: float | None
    limit: float | None
    quality: Quality
    valid: float  # share of valid samples behind the value
    reason: str | None  # why it is not in force or cannot be told
    span: Span | None  # the window of the calendar that puts it in force
    lower_bound: bool = False  # the true value may be higher still

    @property
    def signal(self) -> Signal:
        return {True: Signal.BREACH, False: Signal.CLEAR, None: Signal.UNKNOWN}[self.condition]


@dataclass(frozen=True, slots=True)
class InForce:
    """The answer to "why is this the limit now?"."""

    rule: Rule
    span: Span


def judge(rule: Rule, board: Board, calendar: Calendar, now: Moment, *, was: bool) -> Verdict:
    """Whether the rule's condition is true now. `was`: the alarm's condition as confirmed so far."""
    span = in_force(rule, calendar, now)
    if span is None:
        return Verdict(False, None, rule.limit, Quality.MISSING, 0.0, "not-in-force", None)
    if rule.whole_window and _reaches_back(rule, span, now):
        return Verdict(None, None, rule.limit, Quality.GOOD, 0.0, "window begins before the hours of the limit", span)
    return measure(rule, board, now, was=was, span=span)


def measure(rule: Rule, board: Board, now: Moment, *, was: bool = False, span: Span | None = None) -> Verdict:
    """The same at any hour: what its points say now, and whether that is past the limit."""
    seen = _look(rule, board, now)
    if rule.stale_after_s is not None:
        condition: bool | None = seen.silent_s >= rule.stale_after_s
        return Verdict(condition, seen.silent_s, rule.stale_after_s, seen.quality, seen.valid, seen.reason, span)
    if rule.flat_for_s is not None:
        return _flat(rule, rule.flat_for_s, seen, span)
    if seen.quality is not Quality.GOOD or seen.value is None:
        return Verdict(None, None, rule.limit, seen.quality, seen.valid, seen.reason or seen.quality.value, span)
    return _compare(rule, seen, seen.value, span, was=was)


def in_force(rule: Rule, calendar: Calendar, now: Moment) -> Span | None:
    """The window of the calendar that puts the rule in force now, as far as every condition holds; None: it is not."""
    if any(calendar.span(when, now) is not None for when in rule.unless):
        return None
    also = [calendar.span(when, now) for when in rule.only]
    if rule.days:
        also.append(calendar.on(rule.days, now))
    spans = (calendar.span(when, now, rule.margin_before_s, rule.margin_after_s) for when in rule.during)
    found = next((span for span in spans if span is not None), None)
    if found is None or None in also:
        return None
    return found.within(span for span in also if span is not None) if also else found


def _reaches_back(rule: Rule, span: Span, now: Moment) -> bool:
    """Whether the window holds samples from before the limit's hours: the evening's noise is no excess of the night."""
    wanted = parse(rule.point.rpartition("/")[2])
    window_s = 0.0 if wanted is None else wanted.window_s
    return span.start is not None and now.wall_ns / NANO - span.start.timestamp() < window_s


def limits_in_force(rules: Iterable[Rule], calendar: Calendar, now: Moment, point: str | None = None) -> list[InForce]:
    """Every rule that applies now, of one point or device or of all, with the reason that it does."""
    found = []
    for rule in rules:
        if point is None or rule.point == point or rule.point.startswith(f"{point}/"):
            span = in_force(rule, calendar, now)
            if span is not None:
                found.append(InForce(rule, span))
    return found


def watch(rule: Rule, board: Board) -> None:
    """Have the board keep what this rule needs. KeyError names a point that no device has."""
    if (wanted := _wanted(rule)) is not None:
        board.watch_share(rule.point, wanted)
    else:
        board.watch(rule.point)
    if rule.minus is not None:
        board.watch(rule.minus)


def definition(rule: Rule, escalation: tuple[Step, ...] = ()) -> Definition:
    """The alarm of a rule: it has the rule's name and does not latch. Only a critical one is escalated: no siren sounds
    in an exam because a room is warm.
    """
    return Definition(
        name=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        stream=rule.stream,
        place=rule.place,
        point=rule.point,
        raise_after_s=rule.raise_after_s,
        clear_after_s=rule.clear_after_s,
        repeat_after_s=rule.repeat_after_s,
        note_required=rule.severity == "critical",
        escalation=escalation if rule.severity == "critical" else (),
    )


def _wanted(rule: Rule) -> Wanted | None:
    """The share of samples past the limit, where the rule asks for one."""
    if rule.within_s is None or rule.limit is None:
        return None
    return Wanted(
        rule.point.rpartition("/")[2], "above" if rule.above is not None else "below", rule.within_s, rule.limit
    )


def _look(rule: Rule, board: Board, now: Moment) -> Seen:
    wanted = _wanted(rule)
    seen = board.seen(rule.point, now) if wanted is None else board.share(rule.point, wanted, now)
    if rule.minus is None:
        return seen
    return _difference(seen, board.seen(rule.minus, now))


def _difference(seen: Seen, other: Seen) -> Seen:
    bad = next((one for one in (seen, other) if one.quality is not Quality.GOOD), None)
    if bad is not None:
        return replace(bad, value=None)
    value = None if seen.value is None or other.value is None else round(seen.value - other.value, 6)
    return replace(seen, value=value, valid=min(seen.valid, other.valid), n=min(seen.n, other.n))


def _flat(rule: Rule, flat_for_s: float, seen: Seen, span: Span | None) -> Verdict:
    """A device that rounds coarsely stands still for long in a quiet night: its time grows with the square of its step.

    (A value that wanders by a fixed amount takes that much longer to reach the next step of a coarser scale.)
    """
    quantity = quantity_in(rule.point)
    step = QUANTITIES[quantity].step if quantity is not None else 0.0
    factor = max(1.0, (seen.resolution / step) ** 2) if step else 1.0
    limit_s = flat_for_s * factor
    good = seen.quality is Quality.GOOD
    condition = seen.still_s >= limit_s if good else None
    return Verdict(condition, seen.still_s, limit_s, seen.quality, seen.valid, seen.reason, span)


def _compare(rule: Rule, seen: Seen, value: float, span: Span | None, *, was: bool) -> Verdict:
    limit = rule.limit
    if rule.within_s is not None:
        value = value if rule.share is not None else float(round(value * seen.n))
        limit = rule.share if rule.share is not None else float(rule.count or 1)
        past = value >= limit
    else:
        value = value if rule.decimals is None else round(value, rule.decimals)
        past = _past(rule, value, was=was)
    # A count that is reached, and a maximum of polled levels that is exceeded, are proven by the samples there are.
    proven = past and (seen.lower_bound or (rule.count is not None and rule.within_s is not None))
    enough = seen.valid >= rule.min_valid or proven
    condition = past if enough else None
    reason = None if enough else "too few valid samples"
    return Verdict(condition, value, limit, seen.quality, seen.valid, reason, span, seen.lower_bound)


def _past(rule: Rule, value: float, *, was: bool) -> bool:
    if rule.above is not None:
        stays = was and rule.clear_below is not None and not value < rule.clear_below
        return value > rule.above or stays
    if rule.below is not None:
        stays = was and rule.clear_above is not None and not value > rule.clear_above
        return value < rule.below or stays
    return False


def kind_of(point: str) -> tuple[str, Stream]:
    """Kind and stream of an alarm about a point: those of its quantity. KeyError when it has none."""
    quantity = quantity_in(point)
    if quantity is None:
        raise KeyError(point)
    return QUANTITIES[quantity].kind, QUANTITIES[quantity].stream
