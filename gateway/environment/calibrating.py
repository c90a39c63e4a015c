"""Field checks of sound level meters, entered by a named person: an event each, on a page that is never raised.

    calibrate gate-noise --begin           the calibrator goes on: from now on nothing counts, for 15 min at most
    calibrate gate-noise --level 93.8      it showed this; --adjusted 94.0 where it was set right

The events are the calibration book: `book_of` reads it back from the record.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from drivers.base import quantity_of
from drivers.quantities import QUANTITIES
from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import Text
from gateway.alarm.words import Definition, Given, Signal
from gateway.catalogue import N_, both, say
from gateway.environment.calibration import MOST_DRIFT_DB, OFF_S, REFERENCE_DB, Book, Check, Interval
from gateway.environment.noise import is_noise
from gateway.errors import Refused
from gateway.moment import NANO, Moment
from gateway.values import Command, Event, Reading, Readings
from gateway.venue import Venue

KIND = "calibration"
LONGEST_S = 900.0  # a calibrator that is forgotten on a microphone must not silence a venue
LONGEST_ON_S = 86_400.0  # what an entry may set aside of the levels before it
USUAL_S = 300.0  # nobody said when it went on: these minutes before the entry do not count
_LOWEST_DB, _HIGHEST_DB = 80.0, 130.0  # levels of acoustic calibrators and what a broken meter may make of them

BEGUN = N_("Field check of {name} begun by {by}: its levels do not count until it is entered, for 15 minutes at most")
FIRST = N_("Field check of {name} by {by}: {level} dB with the calibrator at {reference} dB")
GOOD = N_(
    "Field check of {name} by {by}: {level} dB with the calibrator at {reference} dB, {drift} dB since the last one"
)
VOIDED = N_(
    "Field check of {name} by {by}: {drift} dB since the last one is more than 0.5 dB: what lies between is void"
)


class Calibrating:
    """Owned by the engine's thread."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._begun: dict[str, Moment] = {}
        self._held: dict[str, Moment] = {}  # until when levels do not count

    def definitions(self) -> Iterator[tuple[Definition, Text]]:
        for name in self._meters():
            place = self._venue.config.device[name].place
            yield Definition(page_of(name), KIND, "low", "environment", place), both(FIRST, **_words(name, "-"))

    def command(self, command: Command) -> dict[str, Any]:
        """Raises Refused."""
        venue, name = self._venue, str(command.arguments.get("name") or "")
        if name not in self._meters():
            raise Refused(say("{name} is no sound level meter here", name=repr(name)))
        if command.arguments.get("begin"):
            return self._begin(command, name)
        check = self._check(command, name)
        interval = self._interval(check)
        venue.find_all([_finding(command, check, interval)])
        self._begun.pop(name, None)
        self._hold(name, command.at.after(OFF_S))
        drift = None if interval is None else interval.drift
        what = said_of(check, drift)
        return {"device": name, "level": check.level, "drift": drift, "text": say(what[0], **what[1])}

    def counted(self, message: Readings) -> Readings:
        """What limits may see of a device: with a calibrator on the microphone no level, or it would raise alarms."""
        until = self._held.get(message.device)
        if until is None:
            return message
        if message.readings[0].at.seconds_since(until) >= 0:
            del self._held[message.device]
            return message
        return replace(message, readings=tuple(reading for reading in message.readings if not _is_level(reading)))

    def _hold(self, name: str, until: Moment) -> None:
        self._held[name] = until
        self._venue.out.calibrating(name, until)

    def _begin(self, command: Command, name: str) -> dict[str, Any]:
        venue, now = self._venue, command.at
        self._begun[name] = now
        self._hold(name, now.after(LONGEST_S))
        words = _words(name, command.by)
        evidence = Evidence(both(BEGUN, **words), reason="calibration-begun")
        given = Given(by=command.by, note=command.note, reason="calibration-begun")
        venue.find_all([Finding(page_of(name), Signal.UPDATE, now, evidence, given)])
        return {"device": name, "text": say(BEGUN, **words)}

    def _check(self, command: Command, name: str) -> Check:
        given = command.arguments
        level = _level(given.get("level"), "--level")
        if level is None:
            raise Refused(say("say what it showed with the calibrator on: --level 93.8, or --begin before that"))
        begun = self._begun.get(name)
        lasted_s = command.at.seconds_since(begun) if begun is not None else USUAL_S
        if (lasting := given.get("for_s")) is not None:
            if not isinstance(lasting, int | float) or not 0 < lasting <= LONGEST_ON_S:
                raise Refused(
                    say("say for how long: more than nothing and at most {hours:g} h", hours=LONGEST_ON_S / 3600)
                )
            lasted_s = lasting
        return Check(
            device=name,
            at_s=command.at.wall_ns // NANO,
            level=level,
            reference=_level(given.get("reference"), "--reference") or REFERENCE_DB,
            adjusted=_level(given.get("adjusted"), "--adjusted"),
            by=command.by,
            note=command.note,
            lasted_s=math.ceil(lasted_s),
        )

    def _interval(self, check: Check) -> Interval | None:
        """From the check before to this one; it is kept on the page, over restarts too."""
        memory = self._venue.book.pages[page_of(check.device)].memory
        return None if memory is None else Interval(Check(**memory), check)

    def _meters(self) -> set[str]:
        names = {name.partition("/")[0] for name in self._venue.points.board.names() if is_noise(name)}
        return names & set(self._venue.config.device)


def _is_level(reading: Reading) -> bool:
    quantity = quantity_of(reading.point.partition("/")[2])
    return quantity is not None and QUANTITIES[quantity].kind == "noise"


def page_of(device: str) -> str:
    return f"calibration-{device}"


def said_of(check: Check, drift: float | None) -> tuple[str, dict[str, object]]:
    """The sentence about a check, and its words."""
    words = _words(check.device, check.by) | {"level": f"{check.level:.1f}", "reference": f"{check.reference:.1f}"}
    if drift is None:
        return FIRST, words
    words["drift"] = f"{drift:+.1f}"
    return (VOIDED if abs(drift) > MOST_DRIFT_DB else GOOD), words


def _words(name: str, by: str) -> dict[str, object]:
    return {"name": name, "by": by, "level": "-", "reference": f"{REFERENCE_DB:.1f}"}


def _finding(command: Command, check: Check, interval: Interval | None) -> Finding:
    drift = None if interval is None else interval.drift
    reason = "calibration-first" if interval is None else f"calibration-{interval.state}"
    kept = {name: getattr(check, name) for name in Check.__slots__}
    what, words = said_of(check, drift)
    evidence = Evidence(
        both(what, **words),
        value=check.level,
        unit="dB(A)",
        limit=check.reference,
        reason=reason,
        details={**kept, "drift": drift},
    )
    given = Given(by=check.by, note=check.note, reason=reason)
    return Finding(page_of(check.device), Signal.UPDATE, command.at, evidence, given, memory=kept)


def _level(given: object, name: str) -> float | None:
    if given is None:
        return None
    if not isinstance(given, int | float) or not _LOWEST_DB <= given <= _HIGHEST_DB:
        raise Refused(say("{name} is a level in dB such as 94.0", name=name))
    return round(float(given), 2)


def book_of(events: Iterable[Event]) -> Book:
    """The calibration book, from the record of events in any order."""
    bodies = (json.loads(event.body) for event in events if event.alarm.startswith(f"{KIND}-"))
    return Book(check for body in bodies if (check := check_of(body)) is not None)


def check_of(event: Mapping[str, Any]) -> Check | None:
    """The field check of an event's body; None for any other event."""
    details = event.get("details")
    if event.get("kind") != KIND or not isinstance(details, dict) or "level" not in details:
        return None
    return Check(**{name: details[name] for name in Check.__slots__})
