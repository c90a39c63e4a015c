"""The configuration's tables, as pydantic reads them: strict at the door, plain inside.

Nothing is guessed: `pin = "17"` is text and no number, `start = 20260607` is a number and no time, `above = nan` would
never be exceeded; each is refused. What one table cannot know of another is checked in `gateway/consistency`.
"""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from drivers.quantities import Stream
from gateway.catalogue import N_
from gateway.values import ContactKind, Severity

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
When = Literal["session", "listening", "quiet", "night", "day", "exam-day", "custody", "always"]
Verb = Literal[
    "ack",
    "shelve",
    "unshelve",
    "reset",
    "drill",
    "open-window",
    "retire",
    "log",
    "suppress",
    "release",
    "remove",
    "return",
]

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


Phone = Annotated[str, AfterValidator(_phone), WithJsonSchema({"type": "string", "pattern": f"^{_PHONE.pattern}$"})]


def _tuples(table: object) -> object:
    """TOML's arrays are lists; the tables here are frozen."""
    if not isinstance(table, dict):
        return table
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    _freeze = model_validator(mode="before")(staticmethod(_tuples))


class Venue(Table):
    id: Slug
    name: str = Field(min_length=1)
    timezone: str = "Asia/Shanghai"
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    sound_area: Literal["0", "1", "2", "3", "4a", "4b"] = "1"
    sound_area_exam_days: Literal["0", "1", "2", "3", "4a", "4b"] | None = None


class Window(Table):
    start: Local
    end: Local


class Session(Window):
    name: str = Field(min_length=1)
    listening: tuple[Window, ...] = ()


class Quiet(Table):
    from_: Clock = Field(alias="from")
    to: Clock


class Custody(Window):
    duties: tuple[str, ...] = ()


class Person(Table):
    id: Slug
    name: str = Field(min_length=1)
    may: tuple[Verb, ...] = ()
    pin: str | None = Field(default=None, pattern=r"^scrypt:")
    key: str | None = Field(default=None, pattern=r"^ed25519:")


class Station(Table):
    id: Slug
    key: str = Field(pattern=r"^ed25519:")
    streams: tuple[Stream, ...]


class Step(Table):
    after: Duration
    to: Literal["resend", "second-broker", "modem", "siren"]


class Escalation(Table):
    steps: tuple[Step, ...] = ()


class Modem(Table):
    """A GSM modem for short messages: the telephone path of escalation."""

    port: str = Field(min_length=1)
    baud: int = Field(default=115200, ge=1200, le=921600)
    numbers: tuple[Phone, ...]
    pin_file: str | None = None  # with the SIM's PIN, where it asks for one
    language: Literal["zh", "en"] = "zh"


class Siren(Table):
    """A siren at the venue, driven high until the alarm is acknowledged."""

    pin: int = Field(ge=0, le=27)


class Bus(Table):
    """A serial port, or a URL that pyserial understands (`socket://host:port`, `rfc2217://host:port`)."""

    port: str = Field(min_length=1)
    baud: int = Field(default=9600, ge=1200, le=921600)
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    gap: Duration = 0.020


class Device(BaseModel):
    """One instrument. Keys beyond these are options of its driver and are checked by it."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    driver: str = Field(min_length=1)
    bus: str | None = None
    port: str | None = None  # a device with a port, hidraw node, I2C bus or file of its own
    address: int | None = Field(default=None, ge=0, le=255)
    every: Duration | None = None
    place: str = ""
    indoors: bool | None = None  # not said: limits for rooms and for the open air both apply
    identity: str | None = None  # what the unit must call itself (a serial number), so that a swapped one is refused

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Contact(Table):
    kind: ContactKind
    pin: int = Field(ge=0, le=27)
    safe: Literal["low", "high"] | None = None
    pin_other: int | None = Field(default=None, ge=0, le=27)
    lamp_pin: int | None = Field(default=None, ge=0, le=27)
    buzzer_pin: int | None = Field(default=None, ge=0, le=27)
    place: str = ""
    glitch: Duration = 0.020
    settle: Duration = 0.050
    silent: bool = False  # no local sound
    hold: Duration = 0.0  # of a leak button: it must be pressed for so long to count
    longest_opening: Duration = 600.0  # of a seal: open for longer is an alarm


class Rule(Table):
    """When a point is wrong. Exactly one of `above`, `below`, `stale_after` or `flat_for` is given."""

    point: str
    above: float | None = None
    below: float | None = None
    stale_after: Duration | None = None
    flat_for: Duration | None = None
    clear_below: float | None = None
    clear_above: float | None = None
    raise_after: Duration = 0.0
    clear_after: Duration = 0.0
    min_valid: float = Field(default=0.75, ge=0, le=1)  # share of valid samples that a statistic needs
    minus: str | None = None  # spread: the limit is for `point` minus this point
    within: Duration | None = None  # with `share` or `count`: of the samples of so long, how many are past the limit
    share: float | None = Field(default=None, gt=0, le=1)
    count: int | None = Field(default=None, ge=1)
    during: tuple[When, ...] = ("always",)
    margin_before: Duration = 0.0  # each window of `during` begins so much earlier …
    margin_after: Duration = 0.0  # … and ends so much later
    severity: Severity = "medium"
    repeat_after: Duration | None = None  # re-alarm time: acknowledged and still true
    text_zh: str | None = None
    text_en: str | None = None


class Tls(Table):
    ca: str | None = None  # default: the system's authorities
    cert: str | None = None
    key: str | None = None


class Mqtt(Table):
    host: str = Field(min_length=1)
    port: int = Field(default=8883, ge=1, le=65535)
    version: Literal["5", "3.1.1"] = "5"
    tls: Tls | None = None
    user: str | None = None
    password_file: str | None = None
    keepalive: Duration = 20.0
    readings: bool = True  # the second broker carries events and states only, unless asked
    backlog_rate: int = Field(default=500, ge=0)  # readings a second while draining a backlog; 0: no limit
    reset_custody: bool = False  # leak and seal may be reset over this broker


class MqttMain(Mqtt):
    second: Mqtt | None = None


class InfluxDb(Table):
    url: str
    org: str
    bucket: str
    token_file: str
    streams: tuple[Stream, ...] = ("environment",)


class Config(Table):
    rule_sets: tuple[str, ...] = ()
    venue: Venue
    session: tuple[Session, ...] = ()
    quiet: tuple[Quiet, ...] = ()
    custody: Custody | None = None
    person: tuple[Person, ...] = ()
    station: tuple[Station, ...] = ()
    escalation: Escalation = Escalation()
    modem: Modem | None = None
    siren: Siren | None = None
    bus: dict[Slug, Bus] = Field(default_factory=dict)
    device: dict[Slug, Device] = Field(default_factory=dict)
    contact: dict[Slug, Contact] = Field(default_factory=dict)
    rule: dict[Slug, Rule] = Field(default_factory=dict)
    mqtt: MqttMain | None = None
    influxdb: InfluxDb | None = None
