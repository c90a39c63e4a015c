"""The tables of the neighbours: Home Assistant and Prometheus. Both off unless they are asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.configuration.types import Table


class HomeAssistant(Table):
    """Tells a Home Assistant on the same broker which entities there are. It reads; it can act on nothing here."""

    enabled: bool = False
    prefix: str = Field(default="homeassistant", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")
    streams: tuple[Literal["custody", "environment", "gateway"], ...] = ("environment", "gateway")


class Metrics(Table):
    """/metrics for Prometheus, /healthz and /readyz; on this machine's loopback address alone."""

    enabled: bool = False
    port: int = Field(default=9469, ge=1024, le=65535)
