"""The configuration's table of the record: how long what stays on the card."""

from __future__ import annotations

from pydantic import Field

from gateway.configuration.types import Table


class Record(Table):
    """The defaults fit a card of 16 GB with 16 devices at 1 Hz. Nothing that is undelivered goes for its age alone, and
    no event that is undelivered, without its receipt or of a standing alarm goes at all.
    """

    readings_days: int = Field(default=60, ge=1)  # every single one; then their minute records alone
    minutes_days: int = Field(default=1100, ge=1)
    readings_megabytes: int = Field(default=4096, ge=64)  # readings and minute records together
    events_days: int = Field(default=1100, ge=1)
    events_megabytes: int = Field(default=512, ge=16)
