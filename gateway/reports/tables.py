"""What the pages of a noise report show, as rows of text: figures of periods, limits, gaps, weather, alarms, curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from gateway.catalogue import N_, say
from gateway.environment import noise
from gateway.environment.calibration import Check
from gateway.environment.minutes import MINUTE_S
from gateway.environment.noise import Outcome
from gateway.environment.noise_events import KINDS, EventKind
from gateway.environment.periods import PeriodSpan
from gateway.reports.charts import Band, LimitLine, Line, levels
from gateway.reports.limits import Judged, Summary
from gateway.reports.material import Level, Material, doubts_of
from gateway.rules import Rule
from gateway.vocabulary import word

MOST_ROWS = 24  # of spans without a record
DAY_S = 86_400

FIGURES = ("laeq", "lmax_sampled", "lmin_sampled", "l5", "l10", "l50", "l90", "l95", "sd")

PERIODS = {
    "session": N_("session {name}"),
    "listening": N_("listening test, {name}"),
    "day": N_("day"),
    "night": N_("night"),
}
ASIDE = {
    "missing": N_("no value came"),
    "invalid": N_("not valid"),
    "warm-up": N_("warming up"),
    "wind": N_("wind over the limit"),
    "rain": N_("rain"),
    "calibration": N_("calibrator on the microphone"),
    "calibration-void": N_("void: the field checks before and after differ by more than 0.5 dB"),
}
EVENT_KINDS: dict[EventKind, str] = {
    "impulse": N_("impulse"),
    "short": N_("short"),
    "steady": N_("steady"),
    "varying": N_("varying"),
}
OUTCOMES = {
    Outcome.COMPLIANT: N_("compliant"),
    Outcome.EXCESS: N_("exceeded"),
    Outcome.CANNOT_TELL: N_("cannot be told"),
}
DOUBTS = {
    "not-a-sound-level-meter": N_("the instrument is a transmitter without an accuracy class"),
    "no-certificate": N_("no certificate of the meter is entered"),
    "certificate-expired": N_("the meter's certificate has expired"),
    "calibration-void": N_("the field checks before and after differ by more than 0.5 dB: the time between is void"),
    "calibration-not-checked": N_("there is no field check both before and after"),
}
CLOCKS = N_("the clock was not set by a time source during {share} of the minutes: their times are not proven")


def clock(material: Material, at_s: float, *, date: bool = True) -> str:
    """By the venue's clock."""
    local = datetime.fromtimestamp(at_s, material.calendar.zone)
    return local.strftime("%Y-%m-%d %H:%M" if date else "%H:%M")


def db(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def doubts(codes: Iterable[str]) -> list[str]:
    return [say(DOUBTS[code]) for code in codes]


# ---- figures of periods ---------------------------------------------------------------------------------------------


def periods(material: Material, level: Level) -> Iterator[dict[str, Any]]:
    """The whole span, and each session, listening window, day and night that lies in it."""
    whole = PeriodSpan(material.end_s, material.start_s, "hour")
    begun = level.heard.track(noise.LEVEL).events(material.start_s, material.end_s)
    yield _period(material, level.figures, whole, say("the whole time"), begun)
    for span in material.periods.within(material.start_s, material.end_s):
        figures = level.heard.figures(span, span.minutes)
        begun = level.heard.track(noise.LEVEL).events(span.start_s, span.end_s)
        row = _period(material, figures, span, say(PERIODS[span.kind], name=span.name), begun)
        own = doubts_of(level.name, level.meter, material.checks, (span.start_s, span.end_s), material.calendar.zone)
        yield row | {"evidence": _evidence(own, level.doubts)}


def _period(
    material: Material, figures: noise.Figures, span: PeriodSpan, name: str, begun: Counter[EventKind]
) -> dict[str, Any]:
    found = figures.record()
    return {
        "name": name,
        "start": clock(material, span.start_s),
        "end": _end(material, span),
        "figures": [db(found[key]) for key in FIGURES],
        "valid": f"{figures.valid:.1%}",
        "events": ", ".join(f"{begun[kind]} {say(EVENT_KINDS[kind])}" for kind in KINDS if begun[kind]),
        "evidence": "",
        "few": figures.valid < material.config.noise.valid_share,
    }


def _end(material: Material, span: PeriodSpan) -> str:
    """Of a day 24:00, as its end is written."""
    if span.end_s - span.start_s > DAY_S:
        return clock(material, span.end_s)
    return "24:00" if (end := clock(material, span.end_s, date=False)) == "00:00" else end


def _evidence(own: Collection[str], of_all: Collection[str]) -> str:
    """Said where a period is other than the whole."""
    if not own and of_all:
        return say("evidence")
    return say("indicative only") if own and not of_all else ""


def day_nights(material: Material, level: Level) -> Iterator[dict[str, Any]]:
    """Ld, Ln and both forms of Ldn of each night that ended in the span, with the day before it."""
    validity = material.config.noise
    for night in material.periods.within(material.start_s, material.end_s):
        if night.kind != "night":
            continue
        day = material.periods.day_before(night)
        if day.start_s < material.start_s:
            continue
        ld = level.heard.hours(day, validity.valid_day_hours, validity.valid_share)
        ln = level.heard.hours(night, validity.valid_night_hours, validity.valid_share)
        both = noise.day_night(ld, ln)
        yield {
            "date": clock(material, day.start_s)[:10],
            "cells": [
                *(db(ld.laeq), f"{ld.accepted}/{ld.due}", db(ln.laeq), f"{ln.accepted}/{ln.due}"),
                *(db(both.weighted), db(both.plain)),
            ],
        }


# ---- limits ---------------------------------------------------------------------------------------------------------


def limits(material: Material, summaries: Sequence[Summary]) -> Iterator[dict[str, Any]]:
    for summary in summaries:
        rule, worst, origin = summary.rule, summary.worst, summary.rule.origin
        yield {
            "title": say("{text}", text={"zh": rule.title_zh or rule.point, "en": rule.title_en or rule.point}),
            "limit": f"{rule.above:g}",
            "source": "-" if origin is None else f"{origin.source} ({origin.edition})",
            "proof": proof(rule),
            "mean": "" if origin is None else origin.mean,
            "compared": len(summary.judged),
            "exceeded": summary.count(Outcome.EXCESS),
            "unknown": summary.count(Outcome.CANNOT_TELL),
            "worst": "-" if worst is None else comparison(material, worst),
            "bad": summary.count(Outcome.EXCESS) > 0,
        }


_PROOF = {
    "text": N_("read in the standard's text"),
    "secondary": N_("by secondary publications"),
    "unverified": N_("not verified"),
    "project": N_("the project's own"),
}


def proof(rule: Rule) -> str:
    """How far a shipped limit was verified; nothing of one that the venue has set."""
    return "" if rule.origin is None else say(_PROOF[rule.origin.proof])


def comparison(material: Material, judged: Judged) -> str:
    """One comparison in a line: when, the value, and by how much it is over."""
    bound = "≥ " if "lower-bound" in judged.judgement.reasons else ""
    over = judged.judgement.excess_db
    end = clock(material, judged.end_s, date=False)
    said = f"{clock(material, judged.start_s)} - {end}: {bound}{db(judged.value)} dB(A)"
    return said if over is None else f"{said} (+{over:.1f} dB)"


# ---- gaps, weather, alarms ------------------------------------------------------------------------------------------


def gaps(level: Level) -> Iterator[dict[str, Any]]:
    """Why samples were not counted, and how many."""
    found = level.figures.equivalent
    for reason, count in sorted(found.set_aside.items(), key=lambda each: -each[1]):
        shown = say(ASIDE[reason]) if reason in ASIDE else word(reason)
        yield {"reason": shown, "samples": count, "share": f"{count / found.due:.1%}" if found.due else "-"}


def holes(material: Material, level: Level) -> list[str]:
    """Spans without any record of a meter: the gateway or the meter was off."""
    return without_record(material, set(level.heard.track(noise.EQUIVALENT).starts))


def without_record(material: Material, known: Collection[int]) -> list[str]:
    """Spans of which no minute is among the `known` ones."""
    found: list[list[int]] = []
    for start_s in range(material.start_s, material.end_s, MINUTE_S):
        if start_s in known:
            continue
        if found and found[-1][1] == start_s:
            found[-1][1] += MINUTE_S
        else:
            found.append([start_s, start_s + MINUTE_S])
    return [f"{clock(material, a)} - {clock(material, b)}" for a, b in found[:MOST_ROWS]]


def weather(material: Material) -> Iterator[dict[str, Any]]:
    for point, fallen in material.rain.items():
        yield {"point": point, "value": "-" if fallen is None else say("{fallen:.1f} mm", fallen=fallen)}
    for point, period in material.weather.items():
        values = (period.mean, period.high)
        yield {
            "point": point,
            "value": "-"
            if None in values
            else say("mean {mean:.1f} m/s, at most {high:.1f} m/s", mean=period.mean, high=period.high),
        }


def alarms(material: Material, kinds: Sequence[str] = ("noise",)) -> Iterator[dict[str, Any]]:
    for event in material.events:
        if event.get("kind") in kinds and event.get("transition") in ("raised", "repeated", "cleared"):
            yield {
                "time": str(event["time"])[:19].replace("T", " "),
                "text": say("{text}", text=event["text"]),
                "hash": event["hash"],
            }


def single_events(material: Material, level: Level) -> list[dict[str, Any]]:
    """The loudest single events, in the order of time."""
    return [
        {
            "time": datetime.fromtimestamp(event.start_ms / 1000, material.calendar.zone).strftime("%m-%d %H:%M:%S"),
            "kind": say(EVENT_KINDS[event.kind]),
            "cells": [f"{event.duration_s:.0f} s", db(event.lmax), db(event.laeq), db(event.lae), f"+{db(event.rise)}"],
        }
        for event in level.heard.track(noise.LEVEL).loudest()
    ]


def check(material: Material, found: Check) -> str:
    """One field check in a line."""
    note = f" · {found.note}" if found.note else ""
    adjusted = say(", adjusted to {level:.1f}", level=found.adjusted) if found.adjusted is not None else ""
    said = say(
        "{time}: {level:.1f} of {reference:.1f} dB{adjusted}, by {by}",
        time=clock(material, found.at_s),
        level=found.level,
        reference=found.reference,
        adjusted=adjusted,
        by=found.by or "-",
    )
    return said + note


# ---- the curve ------------------------------------------------------------------------------------------------------


def curve(material: Material, level: Level, summaries: Sequence[Summary]) -> str | None:
    """The chart of a device: LAeq and the largest and background levels, with limits and sessions."""
    step_s = _step(material.end_s - material.start_s)
    label = say("LAeq, {minutes} min", minutes=step_s // 60)
    series = _series(material, level, step_s)
    lines = [
        Line(say("Lmax (sampled)"), [(at_s, high) for at_s, _, high in series], main=False),
        Line(label, [(at_s, laeq) for at_s, laeq, _ in series]),
    ]
    bands = [
        Band(str(span.name or ""), span.start_s, span.end_s)
        for span in material.periods.sessions(material.start_s, material.end_s)
    ]
    zone = material.calendar.zone
    return levels(lines, list(_limit_lines(summaries)), bands, (material.start_s, material.end_s), zone)


def _step(length_s: int) -> int:
    return 60 if length_s <= DAY_S + 7200 else 600 if length_s <= 8 * DAY_S else 3600


def _series(material: Material, level: Level, step_s: int) -> list[tuple[int, float | None, float | None]]:
    """(begin, LAeq, largest sample) of each step; None where there is no record."""
    mean, level_of = level.heard.track(noise.EQUIVALENT), level.heard.track(noise.LEVEL)
    begins = range(material.start_s, material.end_s, step_s)
    return [(at_s, mean.laeq(at_s, at_s + step_s), level_of.high(at_s, at_s + step_s)) for at_s in begins]


def _limit_lines(summaries: Sequence[Summary]) -> Iterator[LimitLine]:
    """Of limits for means only: a limit for a maximum is no line for a curve of means."""
    seen = set()
    for summary in summaries:
        rule = summary.rule
        if rule.above is None or "laeq" not in rule.point:
            continue
        for judged in summary.judged:
            span = judged.span
            start = span.start.timestamp() if span.start else judged.start_s
            end = span.end.timestamp() if span.end else judged.end_s
            key = (rule.above, start, end)
            if key not in seen:
                seen.add(key)
                yield LimitLine(say("limit {level:g} dB(A)", level=rule.above), start, end, rule.above)
