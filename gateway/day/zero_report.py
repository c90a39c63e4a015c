"""The zero report (零报告): at its hours the gateway says by itself that there is nothing to report, or what there is.

When the next one is expected stands in the alarm's retained state, so that the far end misses one that does not come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, time, timedelta, tzinfo
from typing import Any

from gateway.alarm.book import Page
from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import Text
from gateway.alarm.words import Definition, Given, Signal
from gateway.catalogue import both
from gateway.configuration.config import Config
from gateway.day.wording import NOTHING_TO_REPORT, REPORT_EXPECTED, SOMETHING_TO_REPORT
from gateway.moment import NANO, Moment

PAGE = "zero-report"
_DAY = timedelta(days=1)
SET_BACK_S = 60.0  # a clock that was set back by more than so begins anew, or no report would come for as long
_GRAVE = ("critical", "high")


class ZeroReports:
    """Owned by the engine's thread."""

    def __init__(self, config: Config, zone: tzinfo) -> None:
        self._at: tuple[time, ...] = () if config.zero_report is None else config.zero_report.at
        self._zone = zone
        self.last_ns: int | None = None  # wall_ns up to which it was reported

    def definitions(self) -> Iterator[tuple[Definition, Text]]:
        if self._at:
            yield Definition(PAGE, "zero-report", "low", "custody"), both(REPORT_EXPECTED, next="-")

    def recall(self, memory: Mapping[str, Any]) -> None:
        last = memory.get("last")
        self.last_ns = int(last) if isinstance(last, str) and last.isdigit() else None

    def tick(self, now: Moment, pages: Iterable[Page], *, on: bool) -> Iterator[Finding]:
        """`on`: it is a time in which reports are due: papers are stored, or it is a day of the exam."""
        if not self._at:
            return
        if not on:
            if self.last_ns is not None:
                self.last_ns = None
                yield self._finding(both(REPORT_EXPECTED, next="-"), "not-expected", now, {}, None)
            return
        if self.last_ns is None or self.last_ns > now.wall_ns + SET_BACK_S * NANO:
            self.last_ns = now.wall_ns
            yield self._finding(
                both(REPORT_EXPECTED, next=self._hour(now)), "expected", now, {}, self._next(now.wall_ns)
            )
            return
        if now.wall_ns < self._next(self.last_ns):
            return
        since, self.last_ns = self.last_ns, now.wall_ns
        yield self._report(since, now, pages)

    def _report(self, since: int, now: Moment, pages: Iterable[Page]) -> Finding:
        """Alarms of custody and grave ones that were raised since the last report, or still stand."""
        found = sorted(page.definition.name for page in pages if _counts(page, since))
        template = SOMETHING_TO_REPORT if found else NOTHING_TO_REPORT
        start = f"{datetime.fromtimestamp(since / NANO, tz=self._zone):%m-%d %H:%M}"
        end = f"{now.local(self._zone):%m-%d %H:%M}"
        what = both(template, start=start, end=end, alarms=", ".join(found) or "-")
        details = {"since": start, "until": end, "alarms": found, "nothing": not found}
        reason = "something-to-report" if found else "nothing-to-report"
        return self._finding(what, reason, now, details, self._next(now.wall_ns))

    def _finding(
        self, what: Text, reason: str, now: Moment, details: Mapping[str, Any], following: int | None
    ) -> Finding:
        following_text = None
        if following is not None:
            following_text = datetime.fromtimestamp(following / NANO, tz=self._zone).isoformat()
        memory = {"last": None if self.last_ns is None else str(self.last_ns), "public": {"next": following_text}}
        evidence = Evidence(what, reason=reason, details={**details, "next": following_text})
        return Finding(PAGE, Signal.UPDATE, now, evidence, Given(reason=reason), memory=memory)

    def _next(self, wall_ns: int) -> int:
        today = datetime.fromtimestamp(wall_ns / NANO, tz=self._zone).date()
        hours = [datetime.combine(day, at, self._zone) for day in (today, today + _DAY) for at in self._at]
        return min(ns for ns in (round(hour.timestamp()) * NANO for hour in hours) if ns > wall_ns)

    def _hour(self, now: Moment) -> str:
        return f"{datetime.fromtimestamp(self._next(now.wall_ns) / NANO, tz=self._zone):%m-%d %H:%M}"


def _counts(page: Page, since: int) -> bool:
    definition, alarm = page.definition, page.alarm
    if definition.drill or not (definition.stream == "custody" or definition.severity in _GRAVE):
        return False
    return alarm.standing or (alarm.raised is not None and alarm.raised.wall_ns > since)
