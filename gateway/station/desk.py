"""What a duty officer must know of many venues, from what their gateways publish. Pure: messages and moments in.

- An event counts once, however often it comes (C8); its hash and its signature are checked with the venue's key.
- A gap in a chain is asked for, and shown until it is filled (`continuity.py`).
- Nothing retained is believed before a live `status` of the venue came, and a venue that has been silent for 90 s by
  our own clock is lost (C11, E5).
- What was sensed long before it came is shown as late, with both times, and does not sound unless it stands (C10).
- Which of two runs is the later one its live `status` says, never a clock: a board without one begins in the past.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.catalogue import say
from gateway.journal.chain import BadEvent, read_event
from gateway.moment import NANO, Moment
from gateway.payloads import read_alarm_state
from gateway.station.continuity import GAPS, Continuity, seconds_of
from gateway.station.store import Kept

LOST_S = 90.0
UNPROVEN = 200  # events kept until the venue's key is known
KNOWN = 20_000  # hashes kept in memory to tell a copy; the store knows all
REPORT_LATE_S = 600.0  # a zero report may take so long to come
QUIET = frozenset({"low"})  # severities that do not sound


@dataclass(frozen=True, slots=True)
class Row:
    """One alarm of one venue as the station knows it."""

    venue: str
    stream: str
    alarm: str
    severity: str
    state: str
    transition: str
    activation: str | None
    revision: int
    text: Mapping[str, str]
    sensed: str  # as the venue wrote it
    received: Moment
    run: str
    seq: int
    late: bool = False
    drill: bool = False
    proven: bool = True
    by: str | None = None
    believed: bool = True  # False: retained, and the venue has not been heard live

    @property
    def standing(self) -> bool:
        return self.state not in ("normal", "cleared_acknowledged")

    @property
    def unacknowledged(self) -> bool:
        return self.state.endswith("_unacknowledged")

    @property
    def sounds(self) -> bool:
        stands = not self.late or self.state in ("active_unacknowledged", "latched_unacknowledged")
        return self.unacknowledged and self.believed and stands and self.severity not in QUIET


@dataclass(slots=True)
class Venue:
    key: str | None = None
    session: str | None = None
    run: str | None = None  # the present one
    runs: set[str] = field(default_factory=set)  # of which a proven event came
    fresh: set[str] = field(default_factory=set)  # those that are new since the last status: one may be the present one
    expected: bool = False  # by name, whether it was ever heard or not
    nonce: str | None = None
    online: bool | None = None  # None: never heard live
    heard: Moment | None = None
    said: str = ""  # why it is not online
    continuity: Continuity = field(default_factory=Continuity)
    report: str | None = None  # when the next zero report is expected, as the venue says
    doubtful: deque[bytes] = field(default_factory=lambda: deque(maxlen=UNPROVEN))


@dataclass(frozen=True, slots=True)
class Heard:
    """An event. `kept` is None while it is not proven: then it gets no receipt. `again`: a copy of a known one."""

    row: Row
    kept: Kept | None
    again: bool = False


class Desk:
    def __init__(
        self,
        root: str,
        keys: Mapping[str, str],
        late_after_s: float,
        *,
        pinned: Mapping[str, str],
        expected: Iterable[str] = (),
    ) -> None:
        """`keys` were seen before; `pinned`, and the venues that are `expected`, stand in the configuration."""
        self._root = root
        self._late_after_s = late_after_s
        self.venues: dict[str, Venue] = {}
        self.rows: dict[tuple[str, str, str], Row] = {}
        self.troubles: dict[str, str] = {}  # what: in words
        self.new_keys: dict[str, str] = {}
        self._known: dict[str, None] = {}
        self._later: dict[tuple[str, str, str], Row] = {}  # of another run than the one that is shown
        self._since: Moment | None = None  # when silence was first looked for
        for venue in (*pinned, *expected):
            self._venue(venue).expected = True
        for venue, key in (dict(keys) | dict(pinned)).items():
            self._venue(venue).key = key

    def remember(self, kept: Kept, now: Moment) -> None:
        """An event of an earlier run of this station, from its store."""
        event = json.loads(kept.body)
        self._know(kept.hash)
        self._venue(kept.venue).continuity.follow(event, now, self.is_known)
        self._venue(kept.venue).runs.add(kept.run)
        received = Moment(kept.received_ns, now.mono_ns - (now.wall_ns - kept.received_ns), now.clock)
        self._place(self._row(event, received, proven=True))

    def take(self, topic: str, payload: bytes, *, retained: bool, now: Moment) -> list[Heard]:
        """A message below the root. What is not as agreed becomes a trouble, never an error."""
        name, _, rest = topic.removeprefix(f"{self._root}/").partition("/")
        venue = self._venue(name)
        stream, _, kind = rest.partition("/")
        if rest == "status":
            self._status(name, venue, payload, retained=retained, now=now)
        elif rest == "meta":
            return self._meta(name, venue, payload, now)
        elif kind == "event" and not retained:
            return self._event(name, venue, payload, now)
        elif kind == "head":
            self._head(venue, stream, payload, now)
        elif kind.startswith("alarm/"):
            self._state(name, venue, payload, now)
        return []

    def look(self, now: Moment) -> None:
        """What silence says, from the first look on: call it once a second, connected or not."""
        self._since = self._since or now
        for name, venue in self.venues.items():
            silent = now.seconds_since(venue.heard or self._since) > LOST_S
            if silent:
                venue.online = None
            what = f"{name} silent"
            if silent and venue.heard is None and not venue.expected:  # of another time, perhaps: shown, without sound
                self.troubles[f"{name} unheard"] = say("{venue} is silent", venue=name)
            elif silent or venue.online is False:
                self.troubles[what] = venue.said if venue.online is False else say("{venue} is silent", venue=name)
            else:
                self.troubles.pop(what, None)
                self.troubles.pop(f"{name} unheard", None)
            self._look_for_report(name, venue, now)
            self._look_for_gaps(name, venue, now)

    def ask(self) -> list[tuple[str, str, str, int]]:
        """Venue, stream, run and number of events that are missing and have not been asked for."""
        wanted: list[tuple[str, str, str, int]] = []
        for name, venue in self.venues.items():
            if venue.nonce is not None:
                wanted += [(name, *place) for place in venue.continuity.ask(GAPS - len(wanted))]
        return wanted

    def sounding(self) -> bool:
        """An alarm that nobody has acknowledged, or a venue that has gone or whose alarms cannot be proven any more."""
        gone = (" silent", " key")
        return any(row.sounds for row in self.rows.values()) or any(what.endswith(gone) for what in self.troubles)

    def is_known(self, hash_: str) -> bool:
        return hash_ in self._known

    def forget(self, hash_: str) -> None:
        """An event that could not be kept: when it comes again it is new."""
        self._known.pop(hash_, None)

    def connected(self) -> None:
        """A new connection: what a venue said of itself before may be outdated, so nothing is signed by it."""
        for venue in self.venues.values():
            venue.nonce = None

    # ---- what venues publish -------------------------------------------------------------------------------------

    def _status(self, name: str, venue: Venue, payload: bytes, *, retained: bool, now: Moment) -> None:
        fields = _object(payload)
        if retained or fields is None:
            return  # a stored one may be of yesterday
        session = fields.get("session")
        if fields.get("state") == "online":
            first = venue.online is not True
            if session != venue.session:
                venue.continuity.ask_again()
            venue.session, venue.online, venue.heard, venue.said = session, True, now, ""
            venue.nonce = str(fields.get("nonce"))
            self._runs(name, venue, fields.get("run"))
            if first:
                for key, row in self.rows.items():
                    if key[0] == name and not row.believed:
                        self.rows[key] = replace(row, believed=True)
        elif session == venue.session:  # the will of an older session says nothing about this one
            stopped = fields.get("reason") == "stopped"
            venue.online = False
            venue.said = (
                say("{venue} was switched off", venue=name)
                if stopped
                else say("the connection to {venue} is lost", venue=name)
            )
        self.look(now)

    def _runs(self, name: str, venue: Venue, run: object) -> None:
        """The present run is known: what was taken for older, or for newer, by its time is judged anew."""
        venue.run = venue.continuity.run = str(run)
        venue.fresh.clear()
        for key in [key for key in self._later if key[0] == name]:
            self._place(self._later.pop(key))

    def _meta(self, name: str, venue: Venue, payload: bytes, now: Moment) -> list[Heard]:
        fields = _object(payload) or {}
        key = fields.get("key")
        what = f"{name} key"
        if not isinstance(key, str) or (venue.key is not None and key != venue.key):
            self.troubles[what] = say("{venue} shows another key than before: is it the same device?", venue=name)
            return []
        self.troubles.pop(what, None)
        if venue.key is None:
            venue.key = self.new_keys[name] = key
        doubtful, venue.doubtful = list(venue.doubtful), deque(maxlen=UNPROVEN)
        return [heard for body in doubtful for heard in self._event(name, venue, body, now)]

    def _event(self, name: str, venue: Venue, payload: bytes, now: Moment) -> list[Heard]:
        try:
            event = read_event(payload, venue.key)
            row = self._row(event, now, proven=venue.key is not None)
            if event["venue"] != name:
                raise BadEvent("it is of another venue")
        except (BadEvent, KeyError, TypeError, ValueError) as error:
            self.troubles[f"{name} event"] = say(
                "{venue} sent an event that is not right: {why}", venue=name, why=error
            )
            return []
        if venue.key is None:  # shown at once, signed for when it is proven
            if payload not in venue.doubtful:
                venue.doubtful.append(payload)
                self._place(row)
                return [Heard(row, None)]
            return []
        place = (event["hash"], event["id"], name, event["stream"], event["run"], event["seq"])
        heard = Heard(row, Kept(*place, payload, now.wall_ns), again=self.is_known(event["hash"]))
        if heard.again:
            venue.continuity.came(event)
            return [heard]
        if row.run != venue.run and row.run not in venue.runs:
            venue.fresh.add(row.run)
            venue.continuity.run = None
        venue.runs.add(row.run)
        self._know(event["hash"])
        venue.continuity.follow(event, now, self.is_known)
        self._look_for_gaps(name, venue, now)
        self._place(row)
        return [heard]

    def _head(self, venue: Venue, stream: str, payload: bytes, now: Moment) -> None:
        if (fields := _object(payload)) is not None:
            venue.continuity.told(stream, fields.get("run"), fields.get("seq"), now)

    def _state(self, name: str, venue: Venue, payload: bytes, now: Moment) -> None:
        """A state says how things stand; it never makes an alarm older than the events do."""
        if venue.key is None or (fields := read_alarm_state(payload, venue.key)) is None:
            return
        key = (name, str(fields.get("stream")), str(fields.get("alarm")))
        if key[2] == "zero-report":
            following = (fields.get("details") or {}).get("next")
            venue.report = None if following is None else str(following)
            self._look_for_report(name, venue, now)
        last = fields.get("event") or {}
        known = self.rows.get(key)
        event = {"transition": "", "text": {}, "run": "", "seq": 0, "time": fields.get("since"), **fields, **last}
        event["venue"] = name
        row = replace(self._row(event, now, proven=True), believed=venue.online is True)
        if known is None:
            if row.standing:
                self.rows[key] = row
        elif (known.run, known.seq) == (row.run, row.seq) or not known.believed:
            self.rows[key] = replace(known, state=row.state, revision=row.revision)
        elif row.seq > known.seq if row.run == known.run else row.run == venue.run:  # of events that never came
            self.rows[key] = row
        elif row.run != known.run:
            self._later[key] = row

    def _look_for_gaps(self, name: str, venue: Venue, now: Moment) -> None:
        if venue.continuity.broken:
            self.troubles[f"{name} chain"] = say(
                "the chain of {venue} is broken: an event is missing or altered", venue=name
            )
        if missing := venue.continuity.missing(now):
            self.troubles[f"{name} gap"] = say("{count} events of {venue} are missing", count=missing, venue=name)
        else:
            self.troubles.pop(f"{name} gap", None)

    def _look_for_report(self, name: str, venue: Venue, now: Moment) -> None:
        """A zero report that did not come is missed here, whatever became of the venue."""
        what, due = f"{name} report", seconds_of(venue.report)
        if due and now.wall_ns / NANO > due + REPORT_LATE_S:
            said = f"{datetime.fromisoformat(str(venue.report)):%m-%d %H:%M}"
            self.troubles[what] = say("the report of {venue} due at {due} has not come", venue=name, due=said)
        else:
            self.troubles.pop(what, None)

    # ---- inside --------------------------------------------------------------------------------------------------

    def _row(self, event: Mapping[str, Any], now: Moment, *, proven: bool) -> Row:
        text = event.get("text")
        return Row(
            venue=str(event["venue"]),
            stream=str(event["stream"]),
            alarm=str(event["alarm"]),
            severity=str(event.get("severity", "medium")),
            state=str(event.get("state", "active_unacknowledged")),
            transition=str(event.get("transition", "")),
            activation=event.get("activation"),
            revision=int(event.get("revision", 0)),
            text=text if isinstance(text, dict) else {},
            sensed=str(event.get("time", "")),
            received=now,
            run=str(event["run"]),
            seq=int(event["seq"]),
            late=_age_s(event.get("time"), now) > self._late_after_s,
            drill=event.get("drill") is True,
            proven=proven,
            by=event.get("by"),
        )

    def _place(self, row: Row) -> None:
        """The newest event of an alarm says how it stands; an older one that comes late does not. Of two runs the
        other one's is kept until the venue says which of them is the present one.
        """
        key = (row.venue, row.stream, row.alarm)
        known = self.rows.get(key)
        if known is None:
            self.rows[key] = row
            return
        shown, other = (row, known) if _newer(row, known, self._venue(row.venue)) else (known, row)
        self.rows[key] = shown
        if other.run != shown.run:
            self._later[key] = other

    def _venue(self, name: str) -> Venue:
        return self.venues.setdefault(name, Venue())

    def _know(self, hash_: str) -> None:
        self._known[hash_] = None
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _newer(row: Row, known: Row, venue: Venue) -> bool:
    if row.run == known.run:
        return row.seq >= known.seq
    if venue.run in (row.run, known.run) and not venue.fresh & {row.run, known.run}:
        return row.run == venue.run
    louder = row.run in venue.fresh and row.unacknowledged and not known.unacknowledged
    return louder or seconds_of(row.sensed) >= seconds_of(known.sensed)


def _age_s(text: object, now: Moment) -> float:
    then = seconds_of(text)
    return now.wall_ns / NANO - then if then else 0.0
