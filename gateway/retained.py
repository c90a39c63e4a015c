"""What brokers hold of this gateway: left by the run before, or made by somebody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway import payloads
from gateway.alarm.snapshots import from_json
from gateway.alarm.unstored import Unstored
from gateway.assembly import RECENT
from gateway.catalogue import say
from gateway.machine.health import SYSTEM, happening, text
from gateway.moment import Moment
from gateway.values import SeenRetained
from gateway.venue import Venue


class Retained:
    """Owned by the engine's thread. `again` publishes anew what belongs under a topic."""

    def __init__(self, venue: Venue, again: Callable[[str, Moment], None]) -> None:
        self._venue = venue
        self._again = again
        self._key = venue.book.identity.public
        chain = venue.book.chain
        self._unstored = Unstored(chain.heads, chain.number, RECENT, venue.book.knows)
        self._altered: set[str] = set()  # topics whose state at a broker is to be put right at the next tick

    def seen(self, message: SeenRetained) -> None:
        """A state at the broker that this run did not send."""
        venue = self._venue
        left = None if message.live else payloads.read_alarm_state(message.payload, self._key)
        if left is not None and left.get("run") != venue.origin.run:
            self._left_behind(left, message.at)
        elif message.live or left is not None or message.known:
            if not venue.sparing.let("state-altered", message.at):
                self._altered.add(message.topic)  # whoever does it a thousand times a second is answered once a second
                return
            what = text("altered", message.topic, f"{message.topic} ({message.sink})")
            venue.find_all(happening("state-altered", message.at, what, message.topic))
        self._again(message.topic, message.at)

    def tick(self, now: Moment) -> None:
        """What was too much to be told one by one."""
        altered, self._altered = self._altered, set()
        for topic in altered:
            self._again(topic, now)
        for name, count in self._venue.sparing.over(now):
            what = text(SYSTEM[name][0], "-", say("{count} more within a minute", count=count))
            self._venue.find_all(happening(name, now, what, str(count)))

    def _left_behind(self, left: Mapping[str, Any], now: Moment) -> None:
        """An alarm as the run before last published it: what was sent and never stored is taken up and reported."""
        missing = self._unstored.named(str(left["stream"]), left.get("event"))
        if missing is not None:
            self._venue.find_all(happening("sent-not-stored", now, text("unstored", "-", missing), missing))
        try:
            found = from_json(left["life"], now)
        except (KeyError, TypeError, ValueError):
            return
        self._venue.book.adopt(str(left["alarm"]), found, now)
