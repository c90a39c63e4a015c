"""The answer to "it was too loud": supported, not supported, or cannot be told, each with its reasons. Pure.

Supported: a limit that was in force was exceeded, by the mean that it is defined for. A lower bound (a maximum of
polled levels) may support a complaint and never refute one.
Not supported: every such comparison of the time was possible and compliant.
Cannot tell: anything else; the reasons say what was missing.

An instrument that is no evidence changes no answer, but stands beside it: the answer is then indicative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.environment.noise import Outcome
from gateway.reports.limits import Judged, Summary


class Answer(StrEnum):
    SUPPORTED = "supported"
    NOT_SUPPORTED = "not-supported"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` names a sentence; the comparison that it is about, if it is about one."""

    code: str
    judged: Judged | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    answer: Answer
    reasons: tuple[Reason, ...]
    indicative: tuple[str, ...] = ()  # why the instrument's results are no evidence


@dataclass(frozen=True, slots=True)
class Heard:
    """What one device knows of the time in question."""

    device: str
    summaries: tuple[Summary, ...]
    valid: float  # share of the samples due, of the whole span
    clock_set: bool  # in all minutes
    doubts: tuple[str, ...]
    alarms: tuple[str, ...] = ()  # texts of alarms about levels that were raised then


def answer(devices: Sequence[Heard], *, share: float) -> Verdict:
    """Of the devices at the place; `share`: of valid samples that the span needs."""
    if not devices:
        return Verdict(Answer.CANNOT_TELL, (Reason("no-device"),))
    doubts = tuple(sorted({doubt for device in devices for doubt in device.doubts}))
    judged = [each for device in devices for summary in device.summaries for each in summary.judged]
    excesses = [each for each in judged if each.outcome is Outcome.EXCESS]
    alarms = [Reason("alarm", detail=text) for device in devices for text in device.alarms]
    clock = [] if all(device.clock_set for device in devices) else [Reason("clock")]
    if excesses:
        worst = _worst_by_rule(excesses)
        return Verdict(Answer.SUPPORTED, (*(Reason("excess", each) for each in worst), *alarms, *clock), doubts)
    if alarms:
        return Verdict(Answer.SUPPORTED, (*alarms, *clock), doubts)
    means = [each for each in judged if not _is_bound(each)]
    if not judged:
        return Verdict(Answer.CANNOT_TELL, (Reason("no-limit"), *clock), doubts)
    gaps = [Reason("gaps", detail=f"{device.device}: {device.valid:.0%}") for device in devices if device.valid < share]
    unknown = [each for each in means if each.outcome is Outcome.CANNOT_TELL]
    if gaps or unknown or not means or clock:
        reasons = [*gaps, *([Reason("unknown", unknown[0])] if unknown and not gaps else []), *clock]
        reasons += [] if means else [Reason("only-bounds")]
        return Verdict(Answer.CANNOT_TELL, tuple(reasons), doubts)
    return Verdict(Answer.NOT_SUPPORTED, tuple(Reason("compliant", each) for each in _worst_by_rule(means)), doubts)


def _is_bound(each: Judged) -> bool:
    return "lower-bound" in each.judgement.reasons


def _worst_by_rule(judged: Sequence[Judged]) -> list[Judged]:
    """Of each rule the comparison that came nearest to the limit, or went furthest over it."""
    worst: dict[str, Judged] = {}
    for each in judged:
        known = worst.get(each.rule.name)
        if known is None or (each.value or 0.0) > (known.value or 0.0):
            worst[each.rule.name] = each
    return list(worst.values())
