"""Every limit of a venue, judged over a span of minute records. Pure.

A limit is compared with the mean that it is defined for and with nothing else: the statistic of its rule over the whole
window that the statistic names, at every minute (`step_s` 60) or at every tenth. Where the window began before the
hours of the limit, or has too few valid samples, it cannot be told. What minute records cannot give (a statistic
shorter than a minute, a share, a rate) is not judged here: for those the alarms of the time speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.calendar import Calendar, Span
from gateway.environment import noise
from gateway.environment.minutes import MINUTE_S
from gateway.environment.noise import Judgement, Outcome
from gateway.environment.statistics import Wanted, parse, source
from gateway.moment import NANO, ClockState, Moment
from gateway.reports.heard import Track
from gateway.rules import Rule, in_force


@dataclass(frozen=True, slots=True)
class Judged:
    """One comparison: `rule` at `end_s` (seconds since 1970), over the window before it."""

    rule: Rule
    start_s: int
    end_s: int
    value: float | None
    valid: float
    judgement: Judgement
    span: Span

    @property
    def outcome(self) -> Outcome:
        return self.judgement.outcome


@dataclass(frozen=True, slots=True)
class Summary:
    """All comparisons of one rule."""

    rule: Rule
    judged: tuple[Judged, ...]

    def count(self, outcome: Outcome) -> int:
        return sum(each.outcome is outcome for each in self.judged)

    @property
    def worst(self) -> Judged | None:
        """The largest excess; without one the largest value."""
        known = [each for each in self.judged if each.value is not None]
        return max(known, key=lambda each: (each.judgement.excess_db or 0.0, each.value), default=None)


Summaries = Mapping[str, list[Summary]]  # by device


def can_be_judged(rule: Rule) -> Wanted | None:
    """The statistic of a rule over sound levels that minute records can give; None for other rules."""
    wanted = parse(rule.point.rpartition("/")[2])
    if wanted is None or rule.above is None or rule.minus is not None or rule.within_s is not None:
        return None
    whole = wanted.window_s >= MINUTE_S and wanted.window_s % MINUTE_S == 0
    return wanted if whole and rule.kind == "noise" and wanted.kind in ("energy", "max") else None


def judge_all(
    rules: Iterable[Rule],
    tracks: Mapping[str, Track],
    calendar: Calendar,
    start_s: int,
    end_s: int,
    *,
    doubts: Sequence[str] = (),
    step_s: int = MINUTE_S,
) -> list[Summary]:
    """`tracks`: what one device said, by the point's own name."""
    found = []
    for rule in rules:
        wanted = can_be_judged(rule)
        feed = None if wanted is None else source(wanted, tracks)
        if wanted is None or feed is None:
            continue
        judged = tuple(_judge(rule, wanted, tracks[feed], calendar, range(start_s, end_s, step_s), step_s, doubts))
        if judged:  # else it was not in force
            found.append(Summary(rule, judged))
    return found


def _judge(
    rule: Rule,
    wanted: Wanted,
    track: Track,
    calendar: Calendar,
    starts: range,
    step_s: int,
    doubts: Sequence[str],
) -> Iterator[Judged]:
    window_s, limit = round(wanted.window_s), rule.above
    for start_s in starts:
        end_s = start_s + step_s
        last = Moment((end_s - 1) * NANO, (end_s - 1) * NANO, ClockState.SYNCHRONISED)
        span = in_force(rule, calendar, last)
        if span is None or limit is None:
            continue
        begin_s = end_s - window_s
        if rule.whole_window and span.start is not None and begin_s < span.start.timestamp():
            continue
        value = track.laeq(begin_s, end_s) if wanted.kind == "energy" else track.high(begin_s, end_s)
        if value is not None and rule.decimals is not None:
            value = round(value, rule.decimals)
        valid, bound = track.valid(begin_s, end_s), wanted.lower_bound
        judgement = noise.judge(value, limit, accepted=valid >= rule.min_valid, lower_bound=bound, indicative=doubts)
        yield Judged(rule, begin_s, end_s, value, valid, judgement, span)
