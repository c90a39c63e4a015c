"""The rows of a day's page: sessions, alarms, entries, means of air and climate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from drivers.base import quantity_of
from drivers.quantities import QUANTITIES
from gateway.alarm.wording import quantity_text
from gateway.catalogue import say
from gateway.day.lost_report import totals
from gateway.environment import aqi
from gateway.payloads import unit_of
from gateway.reports import tables
from gateway.reports.activations import Activation
from gateway.reports.day_means import DayMean
from gateway.reports.material import Material
from gateway.vocabulary import SEVERITIES

_ROUTINE = {"drill-record"}  # has its own sheet: `report drill`


def sessions(material: Material, lost: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """By the configured times; a session that was moved by order stands among the entries."""
    seconds = totals(lost)
    for span in material.periods.sessions(material.start_s, material.end_s):
        name = span.name or "-"
        yield {
            "name": name,
            "start": tables.clock(material, span.start_s, date=False),
            "end": tables.clock(material, span.end_s, date=False),
            "lost": f"{seconds[name]:.3f} s" if name in seconds else say("none"),
        }


def alarm(material: Material, each: Activation) -> dict[str, Any]:
    """One activation; times of other days with their date."""
    first = each.first
    return {
        "raised": _time(material, each.raised_s),
        "text": say("{text}", text=first["text"]),
        "severity": say(SEVERITIES[first["severity"]]),
        "grave": first["severity"] in ("critical", "high"),
        "openings": each.openings,
        "received": [f"{station} {_time(material, at_s)}" for station, at_s in each.received],
        "acknowledged": [
            say("{by}, {time}", by=by, time=_time(material, at_s)) + (f": {note}" if note else "")
            for by, at_s, note in each.acknowledged
        ],
        "hidden": [say("{text}", text=text) for text in each.hidden],
        "over": _time(material, each.over_s) if each.over_s is not None else "",
        "ended": _time(material, each.ended_s) if each.ended_s is not None else "",
        "hash": first["hash"],
    }


def entries(material: Material) -> list[dict[str, Any]]:
    """Duties, incidents, airing, windows, field checks: what was recorded and is no alarm's raise or end."""
    found: list[dict[str, Any]] = []
    for event in material.events:
        if event["transition"] != "updated" or event["reason"] in _ROUTINE:
            continue
        note, time, said = event.get("note"), str(event["time"])[11:19], str(say("{text}", text=event["text"]))
        text = said if not note or note in said else f"{said}: {note}"
        if found and found[-1]["text"] == text:
            found[-1] |= {"count": found[-1]["count"] + 1, "last": time}
        else:
            found.append({"time": time, "last": time, "text": text, "count": 1, "number": _number_of(event)})
    return found


def _number_of(event: Mapping[str, Any]) -> str:
    return f"{event['stream']} {event['seq']}"


def means(material: Material, found: Iterable[DayMean]) -> Iterator[dict[str, Any]]:
    for each in found:
        device, _, name = each.point.partition("/")
        quantity = quantity_of(name) or name
        table = material.config.device.get(device)
        step = QUANTITIES[quantity].step
        yield {
            "place": (table.place if table is not None else "") or device,
            "point": each.point,
            "quantity": say("{quantity}", quantity=quantity_text(quantity)),
            "unit": unit_of(each.point),
            "figures": [_number(value, step) for value in (each.mean.value, each.low, each.high)],
            "hours": f"{each.mean.parts}/{each.mean.due}",
            "valid": f"{each.valid:.1%}",
        }


def indices(material: Material, found: Iterable[tuple[str, aqi.Index]]) -> Iterator[dict[str, Any]]:
    for device, index in found:
        table = material.config.device.get(device)
        grade = index.grade
        missing = [name for name in aqi.POLLUTANTS if name not in {mean.rpartition("_")[0] for mean in index.parts}]
        yield {
            "place": (table.place if table is not None else "") or device,
            "aqi": index.aqi if index.complete else f"≥ {index.aqi}",
            "grade": say("{grade}", grade={"zh": grade.zh, "en": grade.en}) if index.complete else "-",
            "primary": ", ".join(_name(name) for name in index.primary) or "-",
            "parts": ", ".join(f"{_name(mean.rpartition('_')[0])} {part}" for mean, part in index.parts.items()),
            "missing": ", ".join(map(_name, missing)),
        }


def _name(pollutant: str) -> str:
    return say("{quantity}", quantity=quantity_text(pollutant))


def _number(value: float | None, step: float) -> str:
    return "-" if value is None else f"{value:.{max(0, len(f'{step:g}'.partition('.')[2]))}f}"


def _time(material: Material, at_s: float) -> str:
    local = datetime.fromtimestamp(at_s, material.calendar.zone)
    of_day = material.start_s <= at_s < material.end_s
    return local.strftime("%H:%M:%S" if of_day else "%m-%d %H:%M:%S")
