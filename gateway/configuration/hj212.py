"""The tables `[hj212.NAME]`: platforms of environment bureaus that speak HJ 212."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gateway.catalogue import N_
from gateway.configuration.types import Duration, Table
from gateway.hj212.segment import MINUTES

Setting = Literal["timeouts", "intervals", "realtime", "password"]


class Factor(Table):
    """Which point feeds a factor, and how this platform wants it."""

    point: str = Field(min_length=1)
    unit: str | None = None  # default: the factor table's
    decimals: int | None = Field(default=None, ge=0, le=6)
    code: str | None = Field(default=None, pattern=r"^[0-9A-Za-z]{2,16}$")  # as this platform calls it
    st: str | None = Field(default=None, pattern=r"^[0-9A-Z]{2}$")  # the system it is sent under


def _factor(value: Any) -> Any:
    return {"point": value} if isinstance(value, str) else value


def _minutes(value: int) -> int:
    if value not in MINUTES:
        raise ValueError(N_("a minute file has 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes"))
    return value


Minutes = Annotated[int, Field(ge=1, le=30), BeforeValidator(_minutes)]


class Hj212(Table):
    """One platform; each has its own connection, number, password, factors and edition."""

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    mn: str  # as the platform gave it
    password_file: str
    edition: Literal["2005", "2017", "2025"] = "2017"
    crc: Literal["standard", "modbus"] = "standard"  # what is sent; both are understood
    factors: dict[str, Annotated[Factor, BeforeValidator(_factor)]] = Field(min_length=1)
    realtime: bool = True
    realtime_every: Duration = Field(default=30.0, ge=30, le=3600)
    minutes: Minutes | None = None  # of a minute file; default: 10, for noise in 2025 1
    over_time: Duration = Field(default=5.0, ge=1, le=99)  # mobile networks: 10 s
    re_count: int = Field(default=3, ge=1, le=99)
    answers: bool = True  # false: it answers nothing (9014), and what its machine took counts as sent
    heartbeat: Duration = Field(default=60.0, ge=10, le=3600)  # 2025 only
    ldn: Literal["weighted", "plain"] = "weighted"  # plain: the mean of 24 hours
    may_set: tuple[Setting, ...] = ("timeouts", "intervals", "realtime")  # what the platform may change
