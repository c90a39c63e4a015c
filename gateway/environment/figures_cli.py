"""`venue-gateway figures`: hour by hour what was measured, from the record of a running or of a dead gateway."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from drivers.base import quantity_of
from gateway.catalogue import N_, say
from gateway.configuration.last_good import recall
from gateway.configuration.settings import check_bytes
from gateway.environment.air import airing
from gateway.environment.figures import day_row, estimates, hourly, row
from gateway.environment.minutes import Minute, combine
from gateway.errors import Refused
from gateway.journal.day_files import day_files, month_files
from gateway.journal.minutes_reader import MinutesReader

_ESTIMATES: dict[str, str] = {
    "fresh-air": N_("{point}: fresh air, estimated from CO2 (420 ppm outside, room full): {value} {unit}"),
    "heat-sun": N_("{point}: WBGT in full sun, an estimate: {value} {unit}"),
    "heat-room": N_("{point}: WBGT in a room, an estimate and a lower bound: {value} {unit}"),
    "vibration": N_("{point}: level of the acceleration, not weighted (not VLz): {value} {unit} re 1e-6 m/s2"),
    "odour": N_("{point}: {value} {unit} at 298.15 K and 1013.25 hPa; of odour indicative only"),
    "mass": N_("{point}: {value} {unit} at 298.15 K and 1013.25 hPa"),
}
_AIRING: dict[str, str] = {
    "": N_("aired: CO2 went from {before} to {after} ppm; about {changes} air changes an hour (an estimate)"),
    "fell-too-little": N_("not proven: CO2 fell from {before} to {after} ppm, which is too little"),
    "too-few-samples": N_("not proven: CO2 was not measured for most of that time"),
}


def figures_main(args: argparse.Namespace) -> int:
    """Times are the venue's. Raises Refused, Unavailable."""
    if not (day_files(args.state) or month_files(args.state)):
        raise Refused(say("there is no record in {path}; give the state directory with --state", path=args.state))
    zone = _zone(args.state)
    day = args.day or datetime.now(zone).date()
    start_s, end_s = (round(datetime(d.year, d.month, d.day, tzinfo=zone).timestamp()) for d in (day, _after(day)))
    reader = MinutesReader(args.state)
    minutes = [m for m in reader.between(start_s, end_s) if _chosen(m, args.point)]
    reader.close()
    if not minutes:
        raise Refused(say("nothing of this was recorded on {day}", day=day))
    if args.airing is not None:
        return _airing(args, minutes, day, zone)
    rows = [{"from": _time(at, zone), **row(period)} for at, _, period in hourly(minutes, start_s, end_s)]
    days = [day_row(point, own, start_s, end_s) for point, own in _by_point(minutes).items()]
    if args.json:
        guessed = list(_estimated(minutes, zone, start_s))
        print(json.dumps({"hours": rows, "day": days, "estimates": guessed}, ensure_ascii=False))
        return 0
    for line in _lines(rows):
        print(line)
    for each in days:
        print(say("{point}: day {value} {unit} from {hours} accepted hours; {needed} are needed", **each))
    for each in _estimated(minutes, zone, start_s):
        print(f"{each['from'][11:16]}  {each['text']}")
    return 0


def _airing(args: argparse.Namespace, minutes: list[Minute], day: date, zone: ZoneInfo) -> int:
    """0 when the fall of CO2 proves it, else 1."""
    try:
        first, last = (time.fromisoformat(part.strip()) for part in args.airing.split("-"))
    except ValueError:
        raise Refused(say("--airing is a time of the day and another: 12:00-13:00")) from None
    if len(_by_point(minutes)) != 1 or quantity_of(minutes[0].point.partition("/")[2]) != "co2":
        raise Refused(say("name one point of CO2, such as room-air/co2"))
    start_s, end_s = (round(datetime.combine(day, at, zone).timestamp()) for at in (first, last))
    found = airing(minutes, start_s, end_s)
    if args.json:
        print(json.dumps(asdict(found), ensure_ascii=False))
    else:
        known = (found.before_ppm, found.after_ppm, found.air_changes_h)
        before, after, changes = ("-" if value is None else f"{value:.1f}" for value in known)
        verdict = found.reasons[0] if found.reasons else ""
        print(say(_AIRING[verdict], before=before, after=after, changes=changes))
    return 0 if found.proven else 1


def _by_point(minutes: list[Minute]) -> dict[str, list[Minute]]:
    found: dict[str, list[Minute]] = {}
    for minute in minutes:
        found.setdefault(minute.point, []).append(minute)
    return dict(sorted(found.items()))


def _after(day: date) -> date:
    return day + timedelta(days=1)


def _zone(state: Path) -> ZoneInfo:
    """Of the configuration that the record was made with."""
    for data in recall(state):
        config = check_bytes(data, state / "last-good.toml").usable
        if config is not None:
            return ZoneInfo(config.venue.timezone)
    return ZoneInfo("Asia/Shanghai")


def _chosen(minute: Minute, point: str | None) -> bool:
    return point is None or minute.point == point or minute.point.startswith(f"{point}/")


def _time(at_s: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_s, zone).isoformat()


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    width = max(len(each["point"]) for each in rows)
    for each in rows:
        figures = {name: each[name] for name in ("laeq", "mean", "low", "high", "l10", "l50", "l90") if name in each}
        said = "  ".join(f"{name} {_number(value):>7}" for name, value in figures.items())
        aside = ", ".join(f"{reason} {count}" for reason, count in sorted(each["set_aside"].items()))
        valid = f"{100 * each['valid']:.0f} %"
        yield f"{each['from'][11:16]}  {each['point']:<{width}}  {said}  {each['unit']:<6} {valid:>5}  {aside}".rstrip()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) < 1 else f"{value:.1f}"


def _estimated(minutes: list[Minute], zone: ZoneInfo, start_s: int) -> Iterator[dict[str, Any]]:
    """By hour and device."""
    groups: dict[tuple[int, str], dict[str, list[Minute]]] = {}
    for minute in minutes:
        device, _, name = minute.point.partition("/")
        begin_s = start_s + (minute.start_s - start_s) // 3600 * 3600
        groups.setdefault((begin_s, device), {}).setdefault(name, []).append(minute)
    for begin_s, device in sorted(groups):
        periods = {name: combine(records) for name, records in groups[begin_s, device].items()}
        for name, point, value, unit in estimates(periods):
            text = say(_ESTIMATES[name], point=point, value=value, unit=unit)
            yield {"from": _time(begin_s, zone), "estimate": name, "point": point, "value": value, "unit": unit} | {
                "text": text
            }
