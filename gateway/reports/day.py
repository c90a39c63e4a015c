"""`venue-gateway report day`: one day of the whole venue on a page, with the same table of samples and bundle.

Unlike a report for the environment bureau it carries every stream: it is for the examination authority.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.catalogue import both, say
from gateway.configuration.config import Config
from gateway.day.lost_report import totals
from gateway.day.wording import CAUSES
from gateway.environment.minutes import MINUTE_S
from gateway.journal.chain import Identity
from gateway.pages import render
from gateway.reports import day_rows, noise_page, tables
from gateway.reports.activations import activations
from gateway.reports.day_means import DayMeans
from gateway.reports.entrances import counts
from gateway.reports.limits import Summaries
from gateway.reports.material import Material, recorded
from gateway.reports.subjects import Report, so_far
from gateway.values import STREAMS


class DayReport(Report):
    """A calendar day by the venue's clock; of today what has been of it."""

    streams: Collection[str] = STREAMS

    def __init__(self, args: argparse.Namespace, _config: Config, zone: ZoneInfo) -> None:
        day = args.day or datetime.now(zone).date()
        self.start = datetime(day.year, day.month, day.day, tzinfo=zone)
        following = day + timedelta(days=1)
        midnight = datetime(following.year, following.month, following.day, tzinfo=zone)
        self.end = so_far(args.state, self.start, midnight)
        self.heading = say("Report of the day {day}", day=day)
        hours = round((midnight.timestamp() - self.start.timestamp()) / 3600)
        self._means = DayMeans(round(self.start.timestamp()), hours)
        self._whole = self.end == midnight
        self._state: Path = args.state
        self.listens = self._means.add

    def page(self, material: Material, summaries: Summaries, by: Identity) -> str:
        start_s, end_s = material.start_s, material.end_s
        found = activations(recorded(self._state), start_s, end_s)
        lost = [body["details"] for body in material.events if body["reason"] == "disturbance-ended"]
        marks = noise_page.marks(material)
        if not self._whole:
            marks.append(say("The day is not over: this is what has been of it."))
        return render(
            "day.html",
            **noise_page.common(material, self.heading, by),
            marks=marks,
            sessions=list(day_rows.sessions(material, lost)),
            alarms=[day_rows.alarm(material, each) for each in found if not each.first["drill"]],
            drills=[day_rows.alarm(material, each) for each in found if each.first["drill"]],
            entries=day_rows.entries(material),
            lost=list(_lost(lost)),
            devices=noise_page.devices(material, summaries),
            means=list(day_rows.means(material, self._means.rows())),
            indices=list(day_rows.indices(material, self._means.indices())),
            entrances=counts(self._state, material.config, start_s, end_s),
            weather=list(tables.weather(material)),
            holes=tables.without_record(material, self._means.recorded),
            recorded=f"{len(self._means.recorded) / max(1, (end_s - start_s) // MINUTE_S):.1%}",
        )


def _lost(rows: list[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    for row in rows:
        yield {
            "session": row["session"],
            "cause": say("{cause} ({name})", cause=both(CAUSES[row["cause"]]), name=row["name"]),
            "span": f"{row['from'][11:23]} – {row['to'][11:23]}",
            "lost": f"{float(row['lost_s']):.3f} s",
            "remark": "" if row["sure"] else say("(clock not set: not sure)"),
        }
    for session, lost_s in totals(rows).items():
        yield {"session": session, "cause": say("in all"), "span": "", "lost": f"{lost_s:.3f} s", "remark": ""}
