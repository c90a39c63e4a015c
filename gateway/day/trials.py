"""Drills and tests: begun by a named person, ended by him, by time, by a restart or by anything real; each recorded.

A drill is an alarm of its own (`NAME-drill`), marked in every message, and walks the whole way to the far end and back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from drivers.contact import ContactState
from drivers.quantities import Stream
from gateway.alarm.book import Page
from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import DRILL_SAYS, STANDS, Text
from gateway.alarm.words import Alarm, Given, Signal, State, Transition, drill_of
from gateway.catalogue import LANGUAGES, both, say
from gateway.configuration.config import Config
from gateway.contacts.watches import ContactWatch
from gateway.day.trial import NOTES, TEST_S, Trial
from gateway.day.wording import DRILL_RECORD, SILENT
from gateway.errors import Refused
from gateway.moment import Moment
from gateway.persons.summary import summary
from gateway.values import Command
from gateway.venue import Venue


@dataclass(slots=True)
class Hops:
    """How far a drill has come, and when; `raised` None: it was raised by the run before."""

    alarm: str
    by: str | None
    note: str | None
    how: str  # "drill" or "test"
    number: int
    raised: Moment | None
    stored: Moment | None = None
    accepted: dict[str, Moment] = field(default_factory=dict)
    received: dict[str, Moment] = field(default_factory=dict)
    acknowledged: tuple[str | None, Moment] | None = None

    def ms(self, at: Moment | None) -> int | None:
        """Milliseconds after the raise, by the monotonic clock."""
        return None if at is None or self.raised is None else round(at.seconds_since(self.raised) * 1000)


ENDED = "drill-ended"  # by `drill --end`


class Trials:
    """Owned by the engine's thread."""

    def __init__(self, venue: Venue, check: Callable[[Command, str], None]) -> None:
        self._venue = venue
        self._check = check  # refuses what the stage of the day forbids
        self._running: dict[str, Hops] = {}  # by the drill's alarm
        self._over: list[tuple[Hops, str]] = []  # to be recorded, with how it ended

    # ---- what a person asks --------------------------------------------------------------------------------------

    def command(self, command: Command) -> dict[str, Any]:
        """`drill NAME`; with `test` the next short press of the contact is the drill; with `end` it is over."""
        if command.arguments.get("end"):
            return self._end(command)
        if command.arguments.get("test"):
            return self._test(command)
        return self._begin(command)

    def _begin(self, command: Command) -> dict[str, Any]:
        """The drill of any alarm: what it would say goes the whole way, with no value, because nothing was measured."""
        venue, name = self._venue, command.alarm or ""
        real, watch = venue.book.pages.get(name), venue.watches.get(name)
        if real is None or real.definition.drill or real.definition.kind in NOTES:
            raise Refused(say("there is no alarm {alarm} here", alarm=repr(name)))
        if watch is None or watch.config.kind != "leak":  # the button may be tried at any time
            self._check(command, "test")
        self._nothing_real()
        if real.alarm.standing:
            raise Refused(say("no drill while {alarm} stands", alarm=name))
        if watch is not None and watch.trial is not None:
            raise Refused(say("the contact {name} is being tested", name=name))
        stream = real.definition.stream
        if stream != "custody" and not stations_of(venue.config, stream):  # it would be sent again for ever
            raise Refused(say("no station receives the stream {stream}: nobody could sign for a drill", stream=stream))
        if watch is not None:
            what = both(STANDS["drill"], name=name, place=watch.config.place or "-")
        else:
            what = both(DRILL_SAYS, name=name, what=venue.points.says(name) or real.says)
        given = Given(by=command.by, note=command.note, reason="drill")
        page = venue.book.enter_drill(name, command.at)
        venue.book.signal(drill_of(name), Signal.DRILL, command.at, given, Evidence(what, reason="drill"))
        return summary(page, venue.book.zone)

    def _test(self, command: Command) -> dict[str, Any]:
        venue, now = self._venue, command.at
        self._check(command, "test")
        watch = venue.watches.get(command.alarm or "")
        if watch is None:
            raise Refused(say("there is no contact {name} here", name=repr(command.alarm)))
        self._nothing_real()
        if not command.by:
            raise Refused(say("who asks? This is done only by a named person"))
        if watch.trial is not None or venue.book.pages[drill_of(watch.name)].alarm.state is not State.NORMAL:
            raise Refused(say("the contact {name} is being tested", name=watch.name))
        if watch.state is not ContactState.SAFE:
            raise Refused(say("the contact {name} is not in its safe state: bring it there first", name=watch.name))
        watch.trial = Trial(command.by, command.note, now.after(TEST_S))
        venue.find_all([self._asked(watch, command)])
        return {"contact": watch.name, "until": watch.trial.until.text(venue.book.zone), "text": _wanted(watch)}

    def _asked(self, watch: ContactWatch, command: Command) -> Finding:
        text = both(STANDS["test-asked"], name=watch.name, place=watch.config.place or "-", by=command.by)
        given = Given(by=command.by, note=command.note, reason="test-asked")
        return Finding(watch.name, Signal.UPDATE, command.at, Evidence(text, reason="test-asked"), given)

    def _end(self, command: Command) -> dict[str, Any]:
        venue = self._venue
        name = drill_of(command.alarm or "")
        page = venue.book.pages.get(name)
        if page is None or not (page.alarm.drill and page.alarm.standing):
            raise Refused(say("no drill of {name} is going on", name=repr(command.alarm)))
        given = Given(by=command.by, note=command.note, reason=ENDED)
        venue.book.signal(name, Signal.EXPIRE, command.at, given)
        records = list(self.records(command.at))
        venue.find_all(records)
        record = next((each.evidence.details for each in records if each.alarm == name), None)
        return {**summary(page, venue.book.zone), "record": record}

    def _nothing_real(self) -> None:
        """Nothing real is ever mixed with a drill."""
        for page in self._venue.book.pages.values():
            if _real(page):
                raise Refused(say("no drill while {alarm} stands", alarm=page.definition.name))

    # ---- what happens --------------------------------------------------------------------------------------------

    def press(self, finding: Finding) -> None:
        """The press of a test. Should its drill not be possible after all, it is real."""
        book, contact = self._venue.book, finding.alarm.removesuffix("-drill")
        try:
            book.find(finding)
        except Refused:
            book.signal(contact, Signal.PRESS, finding.at, Given(reason="no-drill"))

    def settle(self, now: Moment) -> None:
        """A drill is over as soon as something real of custody stands, or the alarm that it is a drill of."""
        book = self._venue.book
        custody = bool(self._running) and any(_real(page) for page in book.pages.values())
        for name, hops in tuple(self._running.items()):
            own = book.alarm(hops.alarm)
            if custody or (own is not None and own.standing):
                book.signal(name, Signal.EXPIRE, now, Given(reason="real-alarm"))
        for watch in self._venue.watches.values():
            if watch.trial is not None and watch.trial.pressed is None and any(map(_real, book.pages.values())):
                watch.trial = None

    def passed(self, page: Page, transition: Transition) -> None:
        """A transition of any alarm was recorded."""
        name, at, given = page.definition.name, transition.at, transition.given
        if not page.definition.drill:
            return
        hops = self._running.get(name)
        if transition.name == "raised" and page.last is not None:
            of = name.removesuffix("-drill")
            self._running[name] = Hops(of, given.by, given.note, given.reason or "drill", page.last.number, at)
        elif hops is not None and transition.name == "received" and given.by:
            hops.received.setdefault(given.by, at)
        elif hops is not None and transition.name == "acknowledged":
            hops.acknowledged = (given.by, at)
        elif transition.name in ("reset", "expired"):
            left = Hops(name.removesuffix("-drill"), None, None, "drill", 0, None)
            by_name = given.by is not None and given.reason != ENDED  # its reason then is where the command came from
            how = transition.name if by_name else given.reason or transition.name
            self._over.append((self._running.pop(name, left), how))

    def stored(self, number: int, now: Moment) -> None:
        for hops in self._running.values():
            if hops.stored is None and hops.number <= number:
                hops.stored = now

    def accepted(self, sink: str, number: int, now: Moment) -> None:
        for hops in self._running.values():
            if hops.number == number:
                hops.accepted.setdefault(sink, now)

    def records(self, now: Moment) -> Iterator[Finding]:
        """The record of each drill that is over (演练记录), once."""
        over, self._over = self._over, []
        for hops, ended in over:
            details = self._details(hops, ended)
            what = both(DRILL_RECORD, name=hops.alarm, by=hops.by or "-", silent=_named(details["silent"]))
            evidence = Evidence(what, reason="drill-record", details=details)
            given = Given(by=hops.by, note=hops.note, reason="drill-record")
            yield Finding(drill_of(hops.alarm), Signal.UPDATE, now, evidence, given)

    def _details(self, hops: Hops, ended: str) -> dict[str, Any]:
        config, zone = self._venue.config, self._venue.book.zone
        stream = self._venue.book.pages[drill_of(hops.alarm)].definition.stream
        sinks = [] if config.mqtt is None else ["mqtt"] if config.mqtt.second is None else ["mqtt", "second"]
        stations = stations_of(config, stream)
        known = hops.raised is not None
        silent = [] if hops.stored else ["card"]
        silent += [sink for sink in sinks if sink not in hops.accepted]
        silent += [station for station in stations if station not in hops.received]
        silent += [] if hops.acknowledged else ["acknowledgement"]
        person, at = hops.acknowledged or (None, None)
        return {
            "alarm": hops.alarm,
            "how": hops.how,
            "by": hops.by,
            "raised": None if hops.raised is None else hops.raised.text(zone),
            "clock": None if hops.raised is None else hops.raised.clock.value,
            "stored_ms": hops.ms(hops.stored),
            "accepted_ms": {sink: hops.ms(each) for sink, each in hops.accepted.items()},
            "received_ms": {station: hops.ms(each) for station, each in hops.received.items()},
            "acknowledged_ms": hops.ms(at),
            "acknowledged_by": person,
            "ended": ended,
            "silent": silent if known else ["unknown"],
        }


def stations_of(config: Config, stream: Stream) -> list[str]:
    """Who signs for a drill of this stream."""
    return [station.id for station in config.station if stream in station.streams]


def _named(silent: list[str]) -> Text:
    """Who has not answered, for people."""
    words = [both(SILENT[name]) if name in SILENT else both("{name}", name=name) for name in silent]
    return {language: ", ".join(each[language] for each in words) or "-" for language in LANGUAGES}


def _real(page: Page) -> bool:
    """Leak, seal, tamper and their faults, while they stand and are no drill."""
    alarm: Alarm = page.alarm
    definition = page.definition
    return definition.custody and not definition.drill and definition.severity == "critical" and alarm.standing


def _wanted(watch: ContactWatch) -> str:
    """What the tester is to do: a door is not pressed."""
    if watch.config.kind == "seal":
        return say(
            "open {name} once within 60 s, and shut it again within 3 s; a second or longer opening is real",
            name=watch.name,
        )
    return say("press {name} once, shortly, within 60 s; a second press or a long one is real", name=watch.name)
