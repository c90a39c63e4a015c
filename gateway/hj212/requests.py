"""What a platform may ask of the station and set, and what comes of it. Pure.

    1000  OverTime, ReCount      1061 1062  interval of real-time values      2011 2012  real-time values on and off
    1011  our clock              1063 1064  interval of minute files          2031 2051 2061  stored files of a period
    1012  set our clock          1072       password

A setting takes effect only where the configuration allows it and no exam is on, and each is told to the engine, which
records it. The clock is never set by a platform: the venue's time source is the gateway's own (what a platform thinks
of it is recorded; the answer is success only when both agree).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from gateway.catalogue import N_, say
from gateway.hj212.segment import MINUTES, Segment
from gateway.hj212.uploads import DAY, HOUR, MINUTE, stamp
from gateway.moment import NANO, Moment

READY, REFUSED = "1", "2"  # QnRtn
EXECUTED, FAILED, BAD_CONDITION, BUSY, NO_DATA = "1", "2", "3", "5", "100"  # ExeRtn
YEARS = range(2000, 2100)  # that a time may name
AGREES_S = 2.0  # a platform's clock and ours
LONGEST_S = {MINUTE: 7 * 86_400, HOUR: 62 * 86_400, DAY: 400 * 86_400}  # one request for stored files
REALTIME_S = (30, 3600)
Allowed = frozenset[str]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a link has agreed on; a platform may set each, where it is allowed to."""

    over_time_s: int
    re_count: int
    realtime_s: int
    minute: Mapping[str, int]  # minutes of a minute file, for each system
    password: str
    realtime: bool = True


@dataclass(slots=True)
class Conduct:
    """The terms in force, and who may change them when."""

    terms: Terms
    may_set: Allowed  # of timeouts, intervals, realtime, password
    locked: Callable[[Moment], bool]  # an exam is on: nothing is changed
    changed: Callable[[Terms], None]  # keeps them over a restart


@dataclass(frozen=True, slots=True)
class Answer:
    cn: str
    items: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """Stored files of a kind that start from `begin_s` on and before `end_s`."""

    request: Segment
    begin_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class Told:
    """What is worth a record: a setting that a platform made or was refused, what it thinks of our clock."""

    what: str
    done: bool


Outcome = Asked | Told
_READY = Answer("9011", (("QnRtn", READY),))
_Result = tuple[list[Answer], list[Outcome]]


def carry_out(request: Segment, conduct: Conduct, zone: tzinfo, now: Moment) -> _Result:
    """The answers to a proven request of a known command, and what comes of it."""
    if request.cn in _SETTINGS:
        return _set(request, conduct, now)
    match request.cn:
        case "1011":
            return _read(request, "SystemTime", stamp(now.wall_ns // NANO, zone))
        case "1061":
            return _read(request, "RtdInterval", str(conduct.terms.realtime_s))
        case "1063":
            return _read(request, "MinInterval", str(conduct.terms.minute[request.st]))
        case "1012":
            return _clock(request, zone, now)
    return _stored(request, zone)


def _executed(code: str) -> Answer:
    return Answer("9012", (("ExeRtn", code),))


def _read(request: Segment, name: str, value: str) -> _Result:
    return [_READY, Answer(request.cn, ((name, value),)), _executed(EXECUTED)], []


# ---- settings


def _set(request: Segment, conduct: Conduct, now: Moment) -> _Result:
    area, change = _SETTINGS[request.cn]
    # 2012 is a notice: it is answered 9013 and has no result.
    ready, done = ([Answer("9013")], []) if request.cn == "2012" else ([_READY], [_executed(EXECUTED)])
    if area not in conduct.may_set:
        what = say("{cn} refused: the configuration does not allow it", cn=say(_TITLES[request.cn]))
        return [Answer("9011", (("QnRtn", REFUSED),))], [Told(what, done=False)]
    if conduct.locked(now):
        what = say("{cn} refused: nothing is changed while an exam is on", cn=say(_TITLES[request.cn]))
        return [Answer("9011", (("QnRtn", REFUSED),))], [Told(what, done=False)]
    try:
        terms, said = change(request, conduct.terms)
    except (ValueError, TypeError):  # a name is missing, or its value is out of range
        what = say("{cn} refused: its values cannot be used", cn=say(_TITLES[request.cn]))
        return [_READY, _executed(BAD_CONDITION)], [Told(what, done=False)]
    if terms == conduct.terms:  # many platforms set the same at each connection
        return [*ready, *done], []
    conduct.terms = terms
    conduct.changed(terms)
    return [*ready, *done], [Told(say("{cn}: {values}", cn=say(_TITLES[request.cn]), values=said), done=True)]


def _whole(request: Segment, name: str, low: int, high: int) -> int:
    value = request.value(name)
    if value is None or not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise ValueError(name)
    return int(value)


def _timeouts(request: Segment, terms: Terms) -> tuple[Terms, str]:
    over_time, re_count = _whole(request, "OverTime", 1, 99), _whole(request, "ReCount", 1, 99)
    return replace(terms, over_time_s=over_time, re_count=re_count), f"OverTime={over_time};ReCount={re_count}"


def _realtime_interval(request: Segment, terms: Terms) -> tuple[Terms, str]:
    interval = _whole(request, "RtdInterval", *REALTIME_S)
    return replace(terms, realtime_s=interval), f"RtdInterval={interval}"


def _minute_interval(request: Segment, terms: Terms) -> tuple[Terms, str]:
    interval = _whole(request, "MinInterval", 1, 30)
    if interval not in MINUTES or request.st not in terms.minute:
        raise ValueError("MinInterval")
    return replace(terms, minute={**terms.minute, request.st: interval}), f"MinInterval={interval}"


def _password(request: Segment, terms: Terms) -> tuple[Terms, str]:
    new = request.value("NewPW") or ""
    if not (1 <= len(new) <= 6 and new.isascii() and new.isalnum()):
        raise ValueError("NewPW")
    return replace(terms, password=new), "NewPW=******"


def _realtime_on(_request: Segment, terms: Terms) -> tuple[Terms, str]:
    return replace(terms, realtime=True), "on"


def _realtime_off(_request: Segment, terms: Terms) -> tuple[Terms, str]:
    return replace(terms, realtime=False), "off"


_SETTINGS: Mapping[str, tuple[str, Callable[[Segment, Terms], tuple[Terms, str]]]] = {
    "1000": ("timeouts", _timeouts),
    "1062": ("intervals", _realtime_interval),
    "1064": ("intervals", _minute_interval),
    "1072": ("password", _password),
    "2011": ("realtime", _realtime_on),
    "2012": ("realtime", _realtime_off),
}
SETTINGS = frozenset({*_SETTINGS, "1012"})
_TITLES: Mapping[str, str] = {
    "1000": N_("set timeout and retries"),
    "1062": N_("set the interval of real-time values"),
    "1064": N_("set the interval of minute files"),
    "1072": N_("set the password"),
    "2011": N_("begin to send real-time values"),
    "2012": N_("stop sending real-time values"),
}


# ---- the clock and the record


def _clock(request: Segment, zone: tzinfo, now: Moment) -> _Result:
    theirs_s = _time(request.value("SystemTime"), zone)
    if theirs_s is None:
        return [_READY, _executed(BAD_CONDITION)], []
    off_s = round(now.wall_ns / NANO - theirs_s, 1)
    agrees = abs(off_s) <= AGREES_S
    what = say("its clock and ours differ by {seconds} s; ours is not set by a platform", seconds=f"{off_s:+.1f}")
    return [_READY, _executed(EXECUTED if agrees else FAILED)], [] if agrees else [Told(what, done=False)]


def _stored(request: Segment, zone: tzinfo) -> _Result:
    begin_s, end_s = _time(request.value("BeginTime"), zone), _time(request.value("EndTime"), zone)
    longest_s = LONGEST_S.get(request.cn, 0)
    if begin_s is None or end_s is None or not begin_s <= end_s <= begin_s + longest_s:
        return [_READY, _executed(BAD_CONDITION)], []
    return [_READY], [Asked(request, begin_s, end_s)]


def _time(text: str | None, zone: tzinfo) -> int | None:
    if text is None or len(text) != 14 or not text.isascii() or not text.isdigit():
        return None
    try:
        at = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=zone)
    except ValueError:
        return None
    return round(at.timestamp()) if at.year in YEARS else None
