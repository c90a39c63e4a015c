"""The configuration's tables, as pydantic reads them: strict at the door, plain inside.

Nothing is guessed: `pin = "17"` is text and no number, `start = 20260607` is a number and no time, `above = nan` would
never be exceeded; each is refused. What one table cannot know of another is checked in `gateway/consistency`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.quantities import Stream
from gateway.configuration.day import Airing, Change, DutyKind, DutyTable, ZeroReport
from gateway.configuration.hj212 import Hj212
from gateway.configuration.neighbours import HomeAssistant, Metrics
from gateway.configuration.noise import Certificate, Noise
from gateway.configuration.record import Record
from gateway.configuration.screening import Screening
from gateway.configuration.types import (
    Clock,
    Duration,
    Local,
    Month,
    Phone,
    Slug,
    SomeDays,
    Table,
    When,
    duration_text,
    seconds,
)
from gateway.days import Weekday
from gateway.values import ContactKind, Severity

__all__ = ["Clock", "Duration", "Local", "Phone", "Slug", "Table", "When", "duration_text", "seconds"]

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
    "calibrate",
]


class Hours(Table):
    """A part of every day; over midnight where `to` is not later than `from`."""

    from_: Clock = Field(alias="from")
    to: Clock


# GB 3096-2008, 5.4; the county's government or one above it may set other hours
NIGHT = Hours.model_validate({"from": "22:00", "to": "06:00"})


class Venue(Table):
    id: Slug
    name: str = Field(min_length=1)
    timezone: str = "Asia/Shanghai"
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    sound_area: Literal["0", "1", "2", "3", "4a", "4b"] = "1"
    sound_area_exam_days: Literal["0", "1", "2", "3", "4a", "4b"] | None = None
    night: Hours = NIGHT  # day is the rest
    summer_months: tuple[Month, ...] = (6, 7, 8, 9)  # of limits that differ by season
    winter_months: tuple[Month, ...] = (12, 1, 2)


class Window(Table):
    start: Local
    end: Local


class Session(Window):
    name: str = Field(min_length=1)
    listening: tuple[Window, ...] = ()


class Custody(Window):
    duties: tuple[DutyKind, ...] = ()


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
    weekdays: tuple[Weekday, ...] = ()  # only on these days of the week, or …
    dates: tuple[SomeDays, ...] = ()  # … on these dates
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
    ca: str | None = None  # for https; default: the system's authorities
    streams: tuple[Stream, ...] = ("environment",)
    backlog_rate: int = Field(default=500, ge=0)  # readings a second while draining a backlog; 0: no limit


class Config(Table):
    rule_sets: tuple[str, ...] = ()
    venue: Venue
    session: tuple[Session, ...] = ()
    quiet: tuple[Hours, ...] = ()
    custody: Custody | None = None
    duty: dict[DutyKind, DutyTable] = Field(default_factory=dict)
    airing: dict[Slug, Airing] = Field(default_factory=dict)
    zero_report: ZeroReport | None = None
    change: Change = Change()
    person: tuple[Person, ...] = ()
    station: tuple[Station, ...] = ()
    escalation: Escalation = Escalation()
    modem: Modem | None = None
    siren: Siren | None = None
    bus: dict[Slug, Bus] = Field(default_factory=dict)
    device: dict[Slug, Device] = Field(default_factory=dict)
    contact: dict[Slug, Contact] = Field(default_factory=dict)
    rule: dict[Slug, Rule] = Field(default_factory=dict)
    screening: dict[Slug, Screening] = Field(default_factory=dict)
    noise: Noise = Noise()
    certificate: dict[Slug, Certificate] = Field(default_factory=dict)
    mqtt: MqttMain | None = None
    influxdb: InfluxDb | None = None
    hj212: dict[Slug, Hj212] = Field(default_factory=dict)
    home_assistant: HomeAssistant = HomeAssistant()
    metrics: Metrics = Metrics()
    record: Record = Record()
