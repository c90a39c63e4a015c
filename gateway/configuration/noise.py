"""The configuration's tables of sound levels: validity, weather, events; the certificates of the meters."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from gateway.configuration.types import Slug, Table


class Noise(Table):
    """What a period of sound levels needs to count. The defaults are custom, not read in a standard's text."""

    valid_share: float = Field(default=0.75, gt=0, le=1)  # of the samples of an hour or less
    valid_day_hours: int = Field(default=12, ge=1, le=24)
    valid_night_hours: int = Field(default=6, ge=1, le=24)
    wind_above: float = Field(default=5.0, gt=0)  # m/s: then levels outdoors are set aside
    weather: tuple[Slug, ...] | None = None  # devices that say how the weather is; default: all with wind or rain
    event_rise: float = Field(default=10.0, ge=3, le=40)  # dB over L90 from which a noise is an event


class Certificate(Table):
    """A sound level meter's verification. Without one that is in force its results are called indicative."""

    number: str = Field(min_length=1)
    grade: Literal[1, 2] = Field(alias="class")  # IEC 61672-1
    until: date
    by: str = ""  # who issued it
