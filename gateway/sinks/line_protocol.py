r"""InfluxDB's line protocol: one line a point, of readings, minute records and events. Pure.

    noise,device=gate-noise,place=north\ gate,venue=zj-no1 laf=58.4 1780800000123
    |     |                                                |        milliseconds since 1970
    |     tags: device, place, venue and nothing more      fields: numbers, always floating point
    measurement

Fields of a minute carry the point and what is said of it: `laf_eq_1min` (energy mean), `laf_l90_1min`, `co2_mean_1min`,
`laf_max_sampled_1min` (of polled levels: a lower bound of the true maximum), `lamax_max_1min`, `rain_last_1min`,
`laf_valid_1min` (share of the samples due that were good) and `valid`, the least of these. Their time is the minute's
beginning.

Writing a line twice writes one point: time, tags and fields come from the record alone. Only good values are written:
a field cannot carry a quality. While the clock was not set by a time source, the point says so: `clock_unset=1`; an
event of a drill says that too: `drill=1`.
Source of the form: InfluxDB 2 documentation, "Line protocol" (escapes: comma, space, equals sign).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from drivers.base import Quality, quantity_of
from drivers.quantities import QUANTITIES, Stream
from gateway.environment.minutes import Minute, Period, Sum, kind_of
from gateway.moment import ClockState, Moment
from gateway.payloads import stream_of
from gateway.values import ContactKind, Event, Readings

MEASUREMENTS = ("noise", "climate", "air", "vibration", "weather", "screening", "contact", "gateway")
CONTACT_KINDS = frozenset(get_args(ContactKind))
MILLI_NS = 1_000_000

_SPACES = str.maketrans(dict.fromkeys("\n\r\t\0", " "))
_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})


@dataclass(frozen=True, slots=True)
class Labels:
    """What every point of this venue is tagged with, and which streams may leave."""

    venue: str
    places: Mapping[str, str]  # by device
    streams: frozenset[Stream]


def of_readings(answers: Iterable[Readings], labels: Labels) -> list[str]:
    """A line for each device, measurement and moment. What is not good, or not finite, is not written."""
    points: dict[tuple[str, str, int], dict[str, float]] = {}
    for answer in answers:
        for reading in answer.readings:
            value = reading.value
            if value is None or reading.quality is not Quality.GOOD or not math.isfinite(value):
                continue
            if stream_of(reading.point) not in labels.streams:
                continue
            key = (measurement_of(reading.point), answer.device, reading.at.wall_ns // MILLI_NS)
            fields = points.setdefault(key, _clock_field(reading.at))
            fields[reading.point.removeprefix(f"{answer.device}/")] = value
    return [
        line(measurement, _tags(labels, device), fields, at_ms)
        for (measurement, device, at_ms), fields in points.items()
    ]


def of_minutes(minutes: Iterable[Minute], labels: Labels) -> list[str]:
    """A line for each device, measurement and minute, of all its records. One without a good sample says only that."""
    sums: dict[tuple[str, int], Sum] = {}
    for minute in minutes:
        if stream_of(minute.point) in labels.streams:
            sums.setdefault((minute.point, minute.start_s), Sum()).add(minute)
    points: dict[tuple[str, str, int], dict[str, float]] = {}
    for (point, start_s), whole in sums.items():
        device, _, name = point.partition("/")
        fields = points.setdefault((measurement_of(point), device, start_s), {"valid": 1.0})
        fields |= {f"{name}_{what}_1min": value for what, value in _said_of(whole.period()).items()}
        fields["valid"] = min(fields["valid"], fields[f"{name}_valid_1min"])
        if whole.clock is not ClockState.SYNCHRONISED:
            fields["clock_unset"] = 1.0
    return [
        line(measurement, _tags(labels, device), fields, start_s * 1000)
        for (measurement, device, start_s), fields in points.items()
    ]


def _said_of(period: Period) -> dict[str, float]:
    kind, own = kind_of(period.point), quantity_of(period.point.rpartition("/")[2])
    found: dict[str, float | None] = {"valid": round(period.valid, 6)}
    if kind == "energy":
        found |= {"eq": period.laeq, "max_sampled": period.high, "min_sampled": period.low}
        found |= {f"l{percent}": period.exceeded(percent) for percent in (10, 50, 90, 95)}
    elif kind == "extreme":
        found |= {"min": period.low} if own == "lamin" else {"max": period.high}
    elif kind == "none":
        found |= {"last": period.last}
    else:
        found |= {"mean": period.mean, "max": period.high, "min": period.low}
    return {what: value for what, value in found.items() if value is not None}


def of_events(events: Iterable[Event], labels: Labels) -> list[str]:
    """Contacts, and the gateway's own alarms: whether the condition holds, and whether somebody must still look."""
    return [each for event in events if event.stream in labels.streams for each in _of_event(event, labels)]


def _of_event(event: Event, labels: Labels) -> Iterator[str]:
    said = json.loads(event.body)
    if said["kind"] in CONTACT_KINDS or event.stream == "custody":
        measurement = "contact"
    elif event.stream == "gateway":
        measurement = "gateway"
    else:
        return
    fields = {"condition": float(bool(said["condition"]))}
    fields["unacknowledged"] = float(str(said["state"]).endswith("_unacknowledged"))
    if said["clock"] != ClockState.SYNCHRONISED:
        fields["clock_unset"] = 1.0
    at_ms = round(datetime.fromisoformat(said["time"]).timestamp() * 1000)
    if said["drill"]:
        fields["drill"] = 1.0
    tags = {"device": event.alarm, "place": said["place"] or "", "venue": labels.venue}
    yield line(measurement, tags, fields, at_ms)


def measurement_of(point: str) -> str:
    """Where a point's values go; power, floods and what nobody knows are the gateway's own."""
    quantity = quantity_of(point.rpartition("/")[2])
    kind = QUANTITIES[quantity].kind if quantity is not None else ""
    return kind if kind in MEASUREMENTS else "gateway"


def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, float], at_ms: int) -> str:
    """One point. Empty tags are left out, as the protocol wants it."""
    tagged = "".join(f",{key}={_escaped(value)}" for key, value in tags.items() if value.strip())
    valued = ",".join(f"{_escaped(name)}={float(value)!r}" for name, value in fields.items())
    return f"{measurement}{tagged} {valued} {at_ms}"


def _tags(labels: Labels, device: str) -> dict[str, str]:
    return {"device": device, "place": labels.places.get(device, ""), "venue": labels.venue}


def _clock_field(at: Moment) -> dict[str, float]:
    return {} if at.clock is ClockState.SYNCHRONISED else {"clock_unset": 1.0}


def _escaped(text: str) -> str:
    # A backslash at the end would take away the meaning of the comma behind it.
    return text.translate(_SPACES).strip().rstrip("\\").translate(_ESCAPES)
