"""What the configuration's tables are made of: strict tables, names, durations, times of day, telephone numbers."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from gateway.catalogue import N_
from gateway.days import Dates

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
When = Literal["session", "listening", "quiet", "night", "day", "exam-day", "custody", "summer", "winter", "always"]

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 366 * _UNIT_S["d"]
_PHONE = re.compile(r"\+?[0-9]{3,20}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")


def seconds(text: object) -> float:
    """`"20ms"`, `"5s"`, `"10m"`, `"2h"`, `"1d"` in seconds; anything else is a ValueError that says so."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(N_('a duration is a number and a unit in quotes: "20ms", "5s", "10m", "2h", "1d"'))
    if (length_s := float(match[1]) * _UNIT_S[match[2]]) > _LONGEST_S:
        raise ValueError(N_('a duration is at most a year: "366d"'))
    return length_s


def duration_text(length_s: float) -> str:
    """The inverse of `seconds`, to the microsecond."""
    number, unit = (length_s * 1000, "ms") if 0 < length_s < 1 else (length_s, "s")
    return f"{number:.6f}".rstrip("0").rstrip(".") + unit


def _clock(value: object) -> time:
    if isinstance(value, time):
        return value
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(N_('a time of day is hours and minutes in quotes: "12:30"'))
    return time(int(match[1]), int(match[2]), int(match[3] or 0))


def _dates(value: object) -> Dates:
    """A day, as TOML writes it or in quotes, or two with a slash between."""
    try:
        first, _, last = str(value).partition("/")
        found = Dates(date.fromisoformat(first), date.fromisoformat(last or first))
    except ValueError:
        found = None
    if found is None or not isinstance(value, (str, date)) or isinstance(value, datetime):
        raise ValueError(N_('a date is written "2026-06-07", several days "2026-06-08/2026-06-10"'))
    if found.last < found.first:
        raise ValueError(N_("the last of these days is before the first"))
    return found


def _local(value: datetime) -> datetime:
    if value.tzinfo is not None:
        raise ValueError(N_("times are those of the venue's clock: leave out Z or +08:00 at the end"))
    return value


def _phone(value: str) -> str:
    if _PHONE.fullmatch(value) is None:
        raise ValueError(N_('a telephone number is digits alone, best with the country: "+8613800138000"'))
    return value


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["20ms", "5s", "10m"]}),
]
Clock = Annotated[time, BeforeValidator(_clock), WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK.pattern}$"})]
Local = Annotated[datetime, AfterValidator(_local)]  # by the venue's clock
SomeDays = Annotated[
    Dates,
    PlainValidator(_dates),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2026-06-07", "2026-06-08/2026-06-10"]}),
]
Month = Annotated[int, Field(ge=1, le=12)]


Phone = Annotated[str, AfterValidator(_phone), WithJsonSchema({"type": "string", "pattern": f"^{_PHONE.pattern}$"})]


def _tuples(table: object) -> object:
    """TOML's arrays are lists; the tables here are frozen."""
    if not isinstance(table, dict):
        return table
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    _freeze = model_validator(mode="before")(staticmethod(_tuples))
