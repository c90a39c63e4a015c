"""The tables of the entrances: `[screening.NAME]`."""

from __future__ import annotations

from pydantic import Field

from gateway.configuration.types import Duration, Table


class Screening(Table):
    """One entrance: whose thermometer, and what its values mean. Temperatures and differences in degC.

    The defaults are those of the exam rules of 2020-2022 (`facts`: below 37.3 passes) and of an instrument that may be
    wrong by 0.2; `offset` and `ambient_coefficient` do nothing unless they are set from the instrument's papers.
    """

    point: str  # "gate-a/object_temperature"
    ambient: str | None = None  # "gate-a/ambient_temperature": noted beside every person
    place: str = ""
    threshold: float = Field(default=37.3, ge=30, le=45)
    error: float = Field(default=0.2, ge=0, le=1)  # of the instrument: so near to the threshold nothing is decided
    present_above: float = Field(default=30.0, ge=-20, le=40)  # raw: somebody is before it
    dip: float = Field(default=1.0, ge=0.2, le=10)  # raw: it falls by so much between one person and the next
    longest: Duration = 15.0  # warm for longer is the sun, a lamp or a wall, and no person
    plausible_from: float = Field(default=34.0, ge=20, le=40)
    plausible_to: float = Field(default=43.0, ge=38, le=60)
    offset: float = Field(default=0.0, ge=-5, le=5)  # for the distance at which people stand
    ambient_coefficient: float = Field(default=0.0, ge=-0.5, le=0.5)  # added for each degree below …
    ambient_reference: float = Field(default=25.0, ge=0, le=40)  # … this ambient temperature
    rest: Duration = 600.0  # in the shade, before the second measurement …
    second_within: Duration = 1800.0  # … which is overdue so long after the first
    expected: int | None = Field(default=None, ge=1)  # persons who come through this entrance before a session
    opens: Duration = 5400.0  # so long before a session's start
    blackbody: str | None = None  # a second field of view on a black body: "gate-a/object_temperature_2" …
    blackbody_temperature: float | None = Field(default=None, ge=20, le=50)  # … of this temperature
    drift: float = Field(default=0.2, ge=0.05, le=2)  # it may differ by so much
