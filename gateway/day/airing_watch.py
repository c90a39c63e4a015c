"""Rooms being disinfected and aired, as persons enter it, with what the sensors say; a door left open is an alarm."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drivers.base import Quality
from drivers.contact import ContactState
from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import Text
from gateway.alarm.words import Definition, Given, Signal
from gateway.catalogue import both, say
from gateway.configuration.day import Airing
from gateway.day.airing import judge
from gateway.day.wording import AIRED, AIRING_STEP, DOOR_OPEN_AFTER
from gateway.errors import Refused
from gateway.moment import ClockState, Moment, recalled
from gateway.venue import Venue

log = logging.getLogger(__name__)


def alarm_of(room: str) -> str:
    return f"airing-{room}"


@dataclass(frozen=True, slots=True)
class Room:
    disinfecting: Moment | None = None
    airing: Moment | None = None
    before_ppm: float | None = None
    aired: Moment | None = None  # the door is to be closed from then on

    def to_json(self) -> dict[str, Any]:
        moments = {name: getattr(self, name) for name in ("disinfecting", "airing", "aired")}
        plain = {
            k: None if at is None else {"ns": str(at.wall_ns), "clock": at.clock.value} for k, at in moments.items()
        }
        return {**plain, "before_ppm": self.before_ppm}

    @classmethod
    def from_json(cls, written: Mapping[str, Any], now: Moment) -> Room:
        """As left by the run before; times go on by the wall clock. Raises KeyError, TypeError, ValueError."""

        def moment(at: Any) -> Moment | None:
            return None if at is None else recalled(int(at["ns"]), ClockState(at["clock"]), now)

        moments = {name: moment(written[name]) for name in ("disinfecting", "airing", "aired")}
        return cls(**moments, before_ppm=written["before_ppm"])


class AiringWatch:
    """Owned by the engine's thread."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._rooms: dict[str, Room] = {}

    @property
    def _tables(self) -> Mapping[str, Airing]:
        return self._venue.config.airing

    def definitions(self) -> Iterator[tuple[Definition, Text]]:
        for room in self._tables:
            yield Definition(alarm_of(room), "airing", "medium", "environment"), both(DOOR_OPEN_AFTER, room=room)

    def recall(self, room: str, memory: Mapping[str, Any], now: Moment) -> None:
        try:
            self._rooms[room] = Room.from_json(memory, now)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("event=bad-memory room=%s error=%r", room, str(error))

    def rooms(self) -> tuple[str, ...]:
        return tuple(self._tables)

    def entry(self, kind: str, room: str, by: str, note: str | None, now: Moment) -> Iterator[Finding]:
        """One of the four steps. Raises Refused for a room or a step that is not expected."""
        if room not in self._tables:
            raise Refused(say("{given} is none of: {known}", given=repr(room), known=", ".join(self._tables) or "-"))
        state, given = self._rooms.get(room, Room()), Given(by=by, note=note, reason=kind)
        details: dict[str, Any] = {"entry": kind, "room": room, "by": by}
        what = both(AIRING_STEP[kind], room=room, by=by)
        match kind:
            case "disinfection-start":
                state = Room(disinfecting=now)
            case "disinfection-end":
                self._expect(state.disinfecting, room)
                state = replace(state, disinfecting=None)
            case "ventilation-start":
                state = replace(state, airing=now, before_ppm=self._ppm(room, now), aired=None)
            case _:
                proof = judge(
                    self._expect(state.airing, room),
                    now,
                    state.before_ppm,
                    self._ppm(room, now),
                    self._tables[room].at_least,
                )
                state = Room(aired=now)
                details |= proof.details() | {"good": proof.good}
                what = both(AIRED[proof.good], room=room, by=by, minutes=f"{proof.minutes:.0f}", co2=_fall(details))
        self._rooms[room] = state
        evidence = Evidence(what, reason=kind, details=details)
        yield Finding(alarm_of(room), Signal.UPDATE, now, evidence, given, memory=state.to_json())

    def tick(self, now: Moment) -> Iterator[Finding]:
        """The door is to be closed after the airing; a contact that tells nothing proves nothing."""
        for room, table in self._tables.items():
            state = self._rooms.get(room, Room())
            watch = self._venue.watches.get(table.door or "")
            if state.aired is None or watch is None:
                continue
            closed = watch.state is ContactState.SAFE
            if closed:
                self._rooms[room] = replace(state, aired=None)
                evidence = Evidence(both(AIRING_STEP["door-closed"], room=room, by="-"), reason="door-closed")
                memory = self._rooms[room].to_json()
                yield Finding(alarm_of(room), Signal.UPDATE, now, evidence, Given(reason="door-closed"), memory=memory)
                yield self._door(room, Signal.CLEAR, now)
            elif now.seconds_since(state.aired) >= table.close_within:
                yield self._door(room, Signal.BREACH, now)

    def _door(self, room: str, signal: Signal, now: Moment) -> Finding:
        evidence = Evidence(both(DOOR_OPEN_AFTER, room=room), reason="door-open")
        return Finding(alarm_of(room), signal, now, evidence, Given(reason="door-open"))

    def _expect(self, begun: Moment | None, room: str) -> Moment:
        if begun is None:
            raise Refused(say("nothing was begun in {room} that could end", room=room))
        return begun

    def _ppm(self, room: str, now: Moment) -> float | None:
        """CO2 as it is now; None unless the value is good."""
        point = self._tables[room].co2
        if point is None or not self._venue.points.knows(point):
            return None
        seen = self._venue.points.board.seen(point, now)
        return None if seen.quality is not Quality.GOOD or seen.value is None else round(seen.value, 0)


def _fall(details: Mapping[str, Any]) -> str:
    before, after = details["co2_before_ppm"], details["co2_after_ppm"]
    return "-" if before is None or after is None else f"{before:g} → {after:g} ppm"
