"""The exam day as the engine knows it: every part asked once a second, every entry handed to its part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import Text
from gateway.alarm.words import Definition, Given, Signal, State
from gateway.calendar import Span
from gateway.catalogue import both, say
from gateway.configuration.config import Config
from gateway.day import airing_watch, lost_watch, zero_report
from gateway.day.airing_watch import AiringWatch
from gateway.day.duty_watch import DutyWatch, alarm_of
from gateway.day.entries import ENTRIES, Pairs, arguments_of, entry_of
from gateway.day.incidents import Stands, chosen, prefilled
from gateway.day.lost_watch import LostWatch
from gateway.day.sealing import Sealing, page_of
from gateway.day.stages import LOCKED, Stage, frozen, stage
from gateway.day.trials import Trials
from gateway.day.wording import CONFIGURATION_URGENT, CONFIGURATION_WAITS, DUTIES, INCIDENTS, REFUSED_IN_SESSION, STAGE
from gateway.day.wording import ENTRIES as SAID
from gateway.day.wording import STAGES as STAGE_WORDS
from gateway.day.zero_report import ZeroReports
from gateway.errors import Refused
from gateway.moment import NANO, Moment
from gateway.values import Command, ConfigurationWaits
from gateway.venue import Venue
from gateway.vocabulary import word

AIRING_STEPS = ("disinfection-start", "disinfection-end", "ventilation-start", "ventilation-end")
JUDGED = frozenset(
    {"incident", "ventilation-end", "second-measurement"}
)  # entries whose outcome is to be known at once
_LONG_AGO = Moment(0, -(10**18))  # before every moment that a restart may have left
LOG, STAGE_PAGE = "log", "stage"  # pages that are never raised: where entries and stages are recorded


class Day:
    """Owned by the engine's thread."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.duties = DutyWatch.of(venue.config, venue.book.zone)
        self._pairs = Pairs({})
        self.trials = Trials(venue, self.check)
        self.lost = LostWatch(venue)
        self.airing = AiringWatch(venue)
        self.zero = ZeroReports(venue.config, venue.book.zone)
        self.sealing = Sealing()
        self._stage: Stage | None = None
        self._recalled = False
        self.last_sign: Moment | None = None  # of the run before, in a session
        self._entries: Mapping[str, Callable[[Command, str, tuple[str, ...]], Iterator[Finding]]] = {
            **dict.fromkeys(DUTIES, self._duty),
            "scene-sealed": self._noted,
            "custody-moved": self._noted,
            "acceptance-begun": self._noted,
            "acceptance": self._noted,
            "incident": self._incident,
            **dict.fromkeys(("session-held", "session-resumed", "evacuation", "evacuation-over"), self._disturbance),
            "session-moved": self._moved,
            **dict.fromkeys(AIRING_STEPS, self._aired),
            "seal-record": self._seal,
            "second-measurement": self._second_measurement,
        }

    # ---- entered, remembered, renewed ----------------------------------------------------------------------------

    def definitions(self) -> Iterator[tuple[Definition, Text]]:
        yield from self.duties.definitions()
        for part in (self.lost, self.airing, self.zero, self.sealing):
            yield from part.definitions()
        yield Definition(LOG, "log", "low", "custody"), both(STAGE, stage="-")
        yield Definition(STAGE_PAGE, "stage", "low", "gateway"), both(STAGE, stage="-")

    def recall(self, now: Moment) -> None:
        """After every alarm was entered: what the run before has kept."""
        pages = self._venue.book.pages
        for kind in self.duties.duties:
            if (memory := pages[alarm_of(kind)].memory) is not None and kind not in self.duties.kept:
                self.duties.recall(kind, memory, now)
        if not self._recalled:
            self._recall_parts(now)
        if (memory := pages[STAGE_PAGE].memory) is not None and memory.get("stage") in set(Stage):
            self._stage = Stage(memory["stage"])
        self._recalled = True

    def _recall_parts(self, now: Moment) -> None:
        """Once a run: afterwards the parts know better than their pages."""
        kept = {name: page.memory for name, page in self._venue.book.pages.items() if page.memory is not None}
        if (memory := kept.get(lost_watch.PAGE)) is not None:
            self.lost.recall(memory, now)
        if (memory := kept.get(zero_report.PAGE)) is not None:
            self.zero.recall(memory)
        if (memory := kept.get(page_of("gateway"))) is not None:
            self.sealing.recall(memory)
        for room in self.airing.rooms():
            if (memory := kept.get(airing_watch.alarm_of(room))) is not None:
                self.airing.recall(room, memory, now)

    def reconfigured(self, config: Config) -> None:
        """What did not change keeps how far it is done."""
        kept, self.duties = self.duties.kept, DutyWatch.of(config, self._venue.book.zone)
        self.duties.kept = kept
        self.lost.moved_again()
        before, self.zero = self.zero, ZeroReports(config, self._venue.book.zone)
        self.zero.last_ns = before.last_ns

    def start(self, now: Moment) -> None:
        """The program begins: what it missed of a session is lost time."""
        self._tell_session(now)
        last, self.last_sign = self.last_sign, None
        if last is not None:
            self._venue.find_all(list(self.lost.resumed(last, now)))

    # ---- time ----------------------------------------------------------------------------------------------------

    def tick(self, now: Moment) -> Iterator[Finding]:
        yield from self._stages(now)
        yield from self.trials.records(now)
        yield from self.lost.tick(now)
        yield from self.airing.tick(now)
        calendar = self._venue.points.calendar
        stored = self._venue.config.custody is not None and self._venue.points.sealed(now)
        on = stored or calendar.span("exam-day", now) is not None
        yield from self.zero.tick(now, self._venue.book.pages.values(), on=on)
        custody = None if self._venue.config.custody is None else stored
        last_s = max((end_s for _, end_s in calendar.sessions()), default=None)
        if self.sealing.due(last_s, now, custody=custody):
            yield from self._sealed(now, Given(reason="record-sealed"))
        yield from self.duties.tick(self._since(now), now)

    def _since(self, now: Moment) -> Moment | None:
        """When custody began, while it holds; long ago where the clock stands before that."""
        custody = self._venue.config.custody
        if custody is None or not self._venue.points.sealed(now):
            return None
        span: Span | None = self._venue.points.calendar.span("custody", now)
        begun_s = None if span is None or span.start is None else span.start.timestamp() - now.wall_ns / NANO
        return _LONG_AGO if begun_s is None or begun_s > 0 else now.after(begun_s)

    def _stages(self, now: Moment) -> Iterator[Finding]:
        found = stage(self._venue.points.calendar, now)
        before, self._stage = self._stage, found
        self._tell_session(now)
        if found is Stage.SESSION and before is not found:
            yield from self._enabled(now)
        if before not in (None, found):
            details = {"stage": found.value}
            yield self._record(
                STAGE_PAGE, now, both(STAGE, stage=both(STAGE_WORDS[found])), found.value, details, details
            )

    def _tell_session(self, now: Moment) -> None:
        """Whether one is on, and until when: an order may have moved its end."""
        span = self._venue.points.calendar.span("session", now)
        self._venue.out.session(None if span is None or span.end is None else span.end.timestamp())

    def _enabled(self, now: Moment) -> Iterator[Finding]:
        """A session begins: what somebody has shelved before it comes back."""
        for name, page in self._venue.book.pages.items():
            if page.alarm.state is State.SHELVED:
                yield Finding(name, Signal.EXPIRE, now, page.evidence, Given(reason="session"))

    # ---- what the stage forbids ----------------------------------------------------------------------------------

    def check(self, command: Command, verb: str | None = None) -> None:
        """Refuses, in a session, what would put something out of use; the attempt is on record."""
        verb = verb or command.verb
        if verb not in LOCKED or stage(self._venue.points.calendar, command.at) is not Stage.SESSION:
            return
        name = command.alarm or str(command.arguments.get("name") or "-")
        if name == "custody":  # has its own conditions, and disarms nothing before them
            return
        if verb == "calibrate" and not command.arguments.get("begin"):  # it ends what was begun before the session
            return
        what = both(REFUSED_IN_SESSION, verb=word(verb), name=name, by=command.by)
        details = {"verb": verb, "name": name}
        given = Given(by=command.by, note=command.note, reason="refused-in-session")
        self._venue.find_all([self._record(STAGE_PAGE, command.at, what, given.reason or "", details, given=given)])
        raise Refused(say("not in a session: {verb} is refused until it is over", verb=word(verb)))

    def configuration_waits(self, message: ConfigurationWaits) -> None:
        """A file that was given in a session: kept for later, or taken because it says why it cannot wait."""
        reason = "configuration-waits" if message.why is None else "configuration-urgent"
        template = CONFIGURATION_WAITS if message.why is None else CONFIGURATION_URGENT
        what = both(template, sha256=message.sha256[:12], why=message.why)
        details = {"sha256": message.sha256, "why": message.why}
        self._venue.find_all([self._record(STAGE_PAGE, message.at, what, reason, details)])

    def status(self, now: Moment) -> dict[str, Any]:
        calendar = self._venue.points.calendar
        custody = self._venue.config.custody is not None
        return {
            "stage": stage(calendar, now).value,
            "frozen": frozen(calendar, now, custody=custody),
            "duties": self.duties.next_due(self._since(now), now),
        }

    # ---- entries -------------------------------------------------------------------------------------------------

    def log(self, command: Command) -> dict[str, Any]:
        """`log KIND`: an entry by one person, or by two. Raises Refused."""
        kind, entry = entry_of(command)
        duty = self.duties.duties.get(kind)
        if kind in DUTIES and duty is None:
            raise Refused(say("{kind} is no duty of this venue: [custody] duties says which are", kind=kind))
        said = arguments_of(command)
        persons = entry.persons if duty is None else duty.persons
        by = self._pairs.join((kind, *sorted(said.items())), command, persons)
        if by is None:
            text = say("noted; a second person must enter {kind} within 2 minutes", kind=word(kind))
            return {"entry": kind, "by": [command.by], "done": False, "text": text}
        findings = list(self._entries[kind](command, kind, by))
        self._venue.find_all(findings)
        head = self._venue.book.chain.heads.get("custody")
        event = None if head is None else {"run": head.run, "seq": head.seq, "hash": head.hash}
        said_of = {"entry": kind, "by": list(by), "done": True, "custody": event}
        if kind in JUDGED:  # the record says more of it than that it was made
            return said_of | {"text": say("{text}", text=findings[0].evidence.what)}
        return said_of | {"text": say("entered: {kind}", kind=word(kind))}

    def tagged(self, contact: str, now: Moment) -> Iterator[Finding]:
        """A patrol's tag was touched."""
        kind = self.duties.tagged(contact)
        if kind is not None:
            yield from self.duties.entry(kind, None, None, self._since(now), now, tag=contact)

    def _duty(self, command: Command, kind: str, by: tuple[str, ...]) -> Iterator[Finding]:
        yield from self.duties.entry(kind, ", ".join(by), command.note, self._since(command.at), command.at)

    def _disturbance(self, command: Command, kind: str, by: tuple[str, ...]) -> Iterator[Finding]:
        yield from self.lost.entry(kind, ", ".join(by), command.note, command.at)

    def _moved(self, command: Command, _kind: str, by: tuple[str, ...]) -> Iterator[Finding]:
        said = arguments_of(command)
        yield from self.lost.move(said["session"], said["until"], ", ".join(by), command.note, command.at)

    def _aired(self, command: Command, kind: str, by: tuple[str, ...]) -> Iterator[Finding]:
        room = arguments_of(command)["room"]
        yield from self.airing.entry(kind, room, ", ".join(by), command.note, command.at)

    def _seal(self, command: Command, _kind: str, by: tuple[str, ...]) -> Iterator[Finding]:
        yield from self._sealed(command.at, Given(by=", ".join(by), note=command.note, reason="record-sealed"))

    def _sealed(self, now: Moment, given: Given) -> Iterator[Finding]:
        venue = self._venue
        last_s = max((end_s for _, end_s in venue.points.calendar.sessions()), default=None)
        yield from self.sealing.seal(dict(venue.book.chain.heads), last_s, venue.book.zone, now, given)

    def _noted(self, command: Command, kind: str, by: tuple[str, ...]) -> Iterator[Finding]:
        said = arguments_of(command)
        yield self._entry(command, kind, by, both(SAID[kind], by=", ".join(by), note=command.note or "-", **said), said)

    def _incident(self, command: Command, kind: str, by: tuple[str, ...]) -> Iterator[Finding]:
        book = self._venue.book
        sensed = prefilled(
            Stands(page.definition.name, page.definition.kind) for page in book.standing() if not page.alarm.drill
        )
        given = command.arguments.get("incident")
        incident = chosen(None if given is None else str(given), sensed)
        what = both(SAID[kind], incident=both(INCIDENTS[incident]), by=", ".join(by), note=command.note)
        yield self._entry(command, kind, by, what, {"incident": incident, "kinds": sensed})

    def _second_measurement(self, command: Command, _kind: str, by: tuple[str, ...]) -> Iterator[Finding]:
        said = arguments_of(command)
        gate = self._venue.gates.get(said["gate"])
        if gate is None:
            raise Refused(say("there is no entrance {name} here", name=repr(said["gate"])))
        try:
            number, value = int(said["number"]), float(said["value"])
        except ValueError:
            raise Refused(say("--number is a whole number, --value a temperature such as 36.8")) from None
        yield from gate.second(number, value, ", ".join(by), command.at, command.note)

    def _entry(
        self, command: Command, kind: str, by: tuple[str, ...], what: Text, details: Mapping[str, Any]
    ) -> Finding:
        given = Given(by=", ".join(by), note=command.note, reason=kind)
        return self._record(LOG, command.at, what, kind, {"entry": kind, "by": list(by), **details}, given=given)

    def _record(
        self,
        page: str,
        at: Moment,
        what: Text,
        reason: str,
        details: Mapping[str, Any] | None = None,
        memory: Mapping[str, Any] | None = None,
        given: Given | None = None,
    ) -> Finding:
        evidence = Evidence(what, reason=reason, details=details)
        return Finding(page, Signal.UPDATE, at, evidence, given or Given(reason=reason), memory=memory)


KINDS = tuple(ENTRIES)
