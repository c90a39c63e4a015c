"""What a report is about: a time, or a complaint. Each says which span it needs, judges its limits, and may answer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.catalogue import N_, say
from gateway.configuration.config import Config, seconds
from gateway.environment import noise
from gateway.environment.minutes import Minute
from gateway.errors import Refused
from gateway.journal.chain import Identity
from gateway.journal.minutes_reader import MinutesReader
from gateway.reports import complaint, limits, noise_page, tables
from gateway.reports.complaint import Answer, Heard, Reason, Verdict
from gateway.reports.limits import Summaries, Summary
from gateway.reports.material import Level, Material, whole_minutes

AROUND_S = 3600  # of the time in question a complaint's page shows so much more on both sides

ANSWERS = {
    Answer.SUPPORTED: (N_("The complaint is supported by the record"), "bad"),
    Answer.NOT_SUPPORTED: (N_("The complaint is not supported by the record"), "good"),
    Answer.CANNOT_TELL: (N_("The record cannot tell"), "unknown"),
}
REASONS = {
    "excess": N_("{rule}: {comparison}, limit {limit} dB(A)"),
    "compliant": N_("{rule}: compliant; nearest {comparison}, limit {limit} dB(A)"),
    "unknown": N_("{rule}: too few valid samples for a comparison ({comparison})"),
    "alarm": N_("Alarm of that time: {detail}"),
    "gaps": N_("Too few valid samples ({detail})"),
    "clock": N_("The clock was not set by a time source: the times are not proven"),
    "no-device": N_("No sound level meter stands there"),
    "no-limit": N_("No limit of the configuration was in force, or none can be compared with minute records"),
    "only-bounds": N_("Only maxima of sampled levels could be compared: they prove an excess and never a compliance"),
}


class Report:
    """What every report has. An environment bureau is given the environment's events, and no others."""

    places: tuple[str, ...] = ()
    streams: Collection[str] = ("environment",)
    listens: Callable[[Minute], None] | None = None
    start: datetime
    end: datetime
    heading: str

    def asked(self) -> tuple[int, int]:
        """The time in question, in whole minutes, seconds since 1970."""
        return whole_minutes(self.start, self.end)

    def judge(self, material: Material, level: Level) -> list[Summary]:
        """By windows that end at every tenth minute."""
        return limits.judge_all(
            level.rules,
            level.heard.tracks,
            material.calendar,
            material.start_s,
            material.end_s,
            doubts=level.doubts,
            step_s=600,
        )

    def verdict(self, _material: Material, _summaries: Summaries) -> dict[str, Any] | None:
        return None

    def page(self, material: Material, summaries: Summaries, by: Identity) -> str:
        return noise_page.page(material, summaries, self.heading, self.verdict(material, summaries), by)


class NoiseReport(Report):
    """Of a time that is named; today without one."""

    def __init__(self, args: argparse.Namespace, _config: Config, zone: ZoneInfo) -> None:
        today = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = today if args.start is None else venue_time(args.start, zone)
        self.end = self.start + timedelta(days=1) if args.end is None else venue_time(args.end, zone)
        if self.end <= self.start:
            raise Refused(say("the time ends before it begins"))
        self.end = so_far(args.state, self.start, self.end)
        self.heading = say("Noise report")


class ComplaintReport(Report):
    """Of a moment, some time before and after it, and an hour round that to look at."""

    def __init__(self, args: argparse.Namespace, config: Config, zone: ZoneInfo) -> None:
        self.places = tuple(args.place)
        try:
            tolerance = timedelta(seconds=seconds(args.tolerance))
        except ValueError as error:
            raise Refused(say("--tolerance: {error}", error=say(str(error)))) from None
        at = venue_time(args.at, zone)
        self.first, self.last = at - tolerance, at + tolerance
        around = timedelta(seconds=AROUND_S)
        self.start = self.first - around
        self.end = max(self.last, min(self.last + around, datetime.now(zone)))  # what is to come is no gap
        self.share = config.noise.valid_share
        self.heading = say("Answer to a noise complaint")

    def judge(self, material: Material, level: Level) -> list[Summary]:
        first_s, last_s = self.asked()
        return limits.judge_all(
            level.rules, level.heard.tracks, material.calendar, first_s, last_s, doubts=level.doubts
        )

    def verdict(self, material: Material, summaries: Summaries) -> dict[str, Any]:
        devices = [self._heard(material, level, summaries[level.name]) for level in material.levels]
        found = complaint.answer(devices, share=self.share)
        text, style = ANSWERS[found.answer]
        question = say(
            "Was it too loud between {first} and {last}?",
            first=f"{self.first:%Y-%m-%d %H:%M}",
            last=f"{self.last:%H:%M}",
        )
        return {
            "answer": say("{answer} (indicative only)", answer=say(text)) if found.indicative else say(text),
            "style": style,
            "question": question,
            "reasons": [*_reasons(material, found), *tables.doubts(found.indicative)],
        }

    def _heard(self, material: Material, level: Level, summaries: list[Summary]) -> Heard:
        first_s, last_s = self.asked()
        track = level.heard.track(noise.EQUIVALENT)
        raised = [
            event
            for event in material.events
            if event.get("transition") in ("raised", "repeated")
            and str(event.get("point") or "").startswith(f"{level.name}/")
            and event.get("kind") == "noise"
            and first_s <= (at_s := datetime.fromisoformat(str(event["time"])).timestamp()) < last_s
            and not any(begin_s <= at_s < end_s for aside in level.asides for begin_s, end_s in aside.spans)
        ]
        texts = tuple(say("{text}", text=event["text"]) for event in raised)
        clock_set = not track.unset(first_s, last_s)
        return Heard(level.name, tuple(summaries), track.valid(first_s, last_s), clock_set, level.doubts, texts)

    def asked(self) -> tuple[int, int]:
        return whole_minutes(self.first, self.last)


def _reasons(material: Material, verdict: Verdict) -> Iterator[str]:
    for reason in verdict.reasons:
        yield _reason(material, reason)


def _reason(material: Material, reason: Reason) -> str:
    judged = reason.judged
    if judged is None:
        return say(REASONS[reason.code], detail=reason.detail)
    rule = judged.rule
    title = say("{text}", text={"zh": rule.title_zh or rule.point, "en": rule.title_en or rule.point})
    known = f" ({proof})" if (proof := tables.proof(rule)) else ""
    compared = tables.comparison(material, judged)
    return say(REASONS[reason.code], rule=f"{title}{known}", comparison=compared, limit=f"{rule.above:g}")


def so_far(state: Path, start: datetime, end: datetime) -> datetime:
    """What has not been cannot be missing: a report ends at the latest now, or with the record if that is later (it may
    be another machine's).
    """
    now = datetime.now(end.tzinfo)
    if end <= now:
        return end
    reader = MinutesReader(state)
    recorded = datetime.fromtimestamp(reader.newest() // 1000, end.tzinfo)
    reader.close()
    last = max(now, recorded)
    if last < start:
        raise Refused(say("{start} is still to come", start=f"{start:%Y-%m-%d %H:%M}"))
    last = last.replace(second=0, microsecond=0)
    return max(start + timedelta(minutes=1), min(end, last))


def venue_time(text: str, zone: ZoneInfo) -> datetime:
    """What a person wrote, by the venue's clock unless it says otherwise. Raises Refused."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(say("{text} is no time such as 2026-06-07T09:00", text=repr(text))) from None
    return at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
