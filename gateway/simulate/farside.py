"""What a far side knows of one venue from its broker's messages alone. Pure: topics, bytes and arrival times in.

`at` is real monotonic seconds everywhere here: it is the watcher's own clock, as a command centre has its own.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

LINES_KEPT = 200
LEVEL_WINDOW_S = 60.0  # of the venue's clock


@dataclass(slots=True)
class Point:
    """The newest reading of a point, and the good ones of the last minute."""

    name: str
    unit: str = ""
    value: float | None = None
    quality: str = "missing"
    reason: str | None = None
    heard: float = -math.inf  # when the last message about it came
    minute: deque[tuple[float, float]] = field(default_factory=deque)  # the venue's seconds, value
    count: int = 0  # of good readings

    def energy_mean(self) -> float | None:
        """The level that had the same energy over the last minute; None without half a minute of good samples."""
        if len(self.minute) < 2 or self.minute[-1][0] - self.minute[0][0] < LEVEL_WINDOW_S / 2:
            return None
        return 10 * math.log10(sum(10 ** (level / 10) for _, level in self.minute) / len(self.minute))


@dataclass(slots=True)
class Way:
    """One event of custody on its way: when each step was seen, in seconds of the watcher's clock."""

    alarm: str
    hash: str
    began: float  # when the contact was moved, or else when the first message came
    stored: float | None = None
    at_broker: float | None = None
    received: float | None = None
    station: str | None = None
    acknowledged: float | None = None
    by: str | None = None
    activation: str | None = None

    def steps(self) -> tuple[tuple[str, float | None], ...]:
        """Each step of the lamp with the seconds it took from the movement; None: not yet."""
        times = (("stored", self.stored), ("received", self.received), ("acknowledged", self.acknowledged))
        return (("pressed", 0.0), *((name, None if at is None else max(at - self.began, 0.0)) for name, at in times))


@dataclass(frozen=True, slots=True)
class Line:
    """Something worth a line for whoever watches: an event as it came."""

    time: str  # of the venue
    event: Mapping[str, Any]


class FarSide:
    """Fed with every message below one venue's root."""

    def __init__(self) -> None:
        self.online: bool | None = None  # None: nothing live has been heard yet
        self.points: dict[str, Point] = {}
        self.alarms: dict[str, Mapping[str, Any]] = {}
        self.contacts: dict[str, Mapping[str, Any]] = {}
        self.latest: dict[str, Way] = {}  # by alarm: its newest
        self.lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._new: list[Line] = []
        self.ways: list[Way] = []  # all of them, in order
        self.seen: set[str] = set()  # events by id: a second copy is dropped
        self._moved: dict[str, deque[float]] = {}
        self._stored: dict[str, float] = {}

    # ---- what the demo knows beside the messages

    def moved(self, contact: str, at: float) -> None:
        """Somebody pressed or opened a contact: the next event about it that is not told yet began then."""
        self._moved.setdefault(contact, deque()).append(at)

    def stored(self, hash_: str, at: float) -> None:
        """Somebody else read the event in the journal's file."""
        self._stored.setdefault(hash_, at)
        for way in self.ways:
            if way.hash == hash_ and way.stored is None:
                way.stored = at

    def news(self) -> list[Line]:
        """The lines since the last call."""
        new, self._new = self._new, []
        return new

    # ---- messages

    def take(self, topic: str, payload: bytes, at: float, *, retained: bool = False) -> None:
        """One message; `topic` below the venue's root."""
        message = json.loads(payload)
        match topic.split("/"):
            case ["status"]:
                if not retained:
                    self.online = message.get("state") == "online"
            case [_, "reading", _]:
                self._readings(message, at)
            case [_, "alarm", name]:
                self.alarms[name] = message
                if retained:
                    self._state(name, message, at)
            case [_, "contact", name]:
                self.contacts[name] = message
            case [_, "event"]:
                self._event(message, at)
            case ["receipt", station]:
                self._receipt(str(message.get("hash")), station, at)
            case _:
                pass

    def standing(self) -> list[Mapping[str, Any]]:
        """Alarms that are not normal, the gravest first."""
        order = {"critical": 0, "high": 1, "medium": 2, "low": 3}
        found = [alarm for alarm in self.alarms.values() if alarm.get("state") != "normal"]
        return sorted(found, key=lambda alarm: (order.get(str(alarm.get("severity")), 4), str(alarm.get("alarm"))))

    def _readings(self, message: Mapping[str, Any], at: float) -> None:
        for series in message["points"]:
            point = self.points.setdefault(series["point"], Point(series["point"]))
            point.unit = series["unit"]
            reasons = series.get("reason") or [None] * len(series["value"])
            began = datetime.fromisoformat(message["from"]).timestamp()
            for after_ms, value, quality in zip(series["after_ms"], series["value"], series["quality"], strict=True):
                if quality == "good" and value is not None:
                    point.minute.append((began + after_ms / 1000, value))
                    point.count += 1
            while point.minute and point.minute[-1][0] - point.minute[0][0] > LEVEL_WINDOW_S:
                point.minute.popleft()
            point.value, point.quality, point.reason = series["value"][-1], series["quality"][-1], reasons[-1]
            if not message.get("historical"):
                point.heard = at

    def _event(self, event: Mapping[str, Any], at: float) -> None:
        if event["id"] in self.seen:
            return
        self.seen.add(event["id"])
        line = Line(str(event["time"])[11:19], event)
        self.lines.append(line)
        self._new.append(line)
        name, transition = event["alarm"], event["transition"]
        if event["stream"] == "custody" and transition in {"raised", "repeated"}:
            known = self.latest.get(name)
            if transition == "repeated" or known is None or known.activation != event.get("activation"):
                self._begun(name, event["hash"], event.get("activation"), at)
            else:  # its state had told of it before
                known.hash = event["hash"]
        if transition == "acknowledged":
            for way in self.ways:
                if way.alarm == name and way.acknowledged is None:
                    way.acknowledged, way.by = at, event.get("by")

    def _state(self, name: str, message: Mapping[str, Any], at: float) -> None:
        """What a kept state tells of events that came while this watcher was away: no broker keeps those for it."""
        life = message.get("life") or {}
        if message["stream"] != "custody" or message["state"] == "normal" or not message.get("event"):
            return
        way = self.latest.get(name)
        if way is None or way.activation != message["activation"]:
            way = self._begun(name, str(message["event"]["hash"]), message["activation"], at)
        if way.received is None and life.get("received_by"):
            way.received, way.station = at, life["received_by"][0]
        if way.acknowledged is None and life.get("acknowledged_by"):
            way.acknowledged, way.by = at, life["acknowledged_by"]

    def _begun(self, name: str, hash_: str, activation: str | None, at: float) -> Way:
        moved = self._moved.get(name)
        way = Way(name, hash_, moved.popleft() if moved else at, self._stored.get(hash_), at, activation=activation)
        self.latest[name] = way
        self.ways.append(way)
        return way

    def _receipt(self, hash_: str, station: str, at: float) -> None:
        for way in self.ways:
            if way.hash == hash_ and way.received is None:
                way.received, way.station = at, station
