"""How a broker's link is: told once, when it changes, with whatever the broker will not have named by topic."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from gateway.catalogue import say
from gateway.moment import Moment
from gateway.sinks.outbox import REFUSED_FROM
from gateway.sinks.troubles import LinkLost, TakenOver
from gateway.values import DuplicateIdentity, SinkState

log = logging.getLogger(__name__)

TAKEN_WITHIN_S = 600.0  # a session that is taken over again within so long has another owner
TWIN_EVERY_S = 60.0  # told at most so often
MOST_NAMED = 4  # topics in one sentence


class Report:
    """Owned by one pump's thread. `proven`: the streams whose branch gave back our own message, over 3.1.1."""

    def __init__(
        self,
        sink: str,
        where: str,
        tell: Callable[[object], None],
        now: Callable[[], Moment],
        proven: Callable[[], tuple[str, ...]],
    ) -> None:
        self._sink = sink
        self._where = where
        self._tell = tell
        self._now = now
        self._proven = proven
        self._troubles: dict[str, str] = {}  # topic: what the broker will not have
        self._silent: dict[str, None] = {}  # topics that it took and did not give back, in that order
        self._told: SinkState | None = None
        self._taken: Moment | None = None
        self._twin: Moment | None = None

    def connecting(self) -> None:
        """The first time; later the trouble before is what is known."""
        if self._told is None:
            self._say("connecting", "")

    def begun(self) -> None:
        """A new connection: what the last one was refused is to be found out anew. What did not come back has not yet
        done so because it is new: else a broker that refuses a branch in silence were well after each connecting.
        """
        self._troubles.clear()
        self.connected()

    def connected(self) -> None:
        troubles = list(self._troubles.values())
        if self._silent:
            topics = _first(list(self._silent), ", ")
            troubles.insert(
                0,
                say("what we publish to {topic} does not come back: the broker's access list refuses it", topic=topics),
            )
        if troubles:
            self._say("refused", _first(troubles, "; "))
        else:
            self._say("connected", self._where)

    def lost(self, lost: LinkLost) -> bool:
        """Whether trying again soon changes nothing."""
        # Some brokers end the connection over a topic that they refuse: that is the news then.
        state = "refused" if self._troubles else lost.state
        self._say(state, "; ".join((_first(list(self._troubles.values()), "; "), lost.detail)).removeprefix("; "))
        if isinstance(lost, TakenOver):
            now = self._now()
            if self._taken is not None and now.seconds_since(self._taken) < TAKEN_WITHIN_S:
                self._another(lost.detail, now)
            self._taken = now
        return state != "unreachable"

    def stopped(self) -> None:
        self._say("stopped", "")

    def judged(self, topic: str, code: int, *, reading: bool = False) -> None:
        """Remember or forget what the broker will not have, and tell when that changes."""
        if code < REFUSED_FROM:
            self.well(topic)
            return
        self.trouble(
            topic,
            say("the broker does not let us read {topic} (reason {code})", topic=topic, code=code)
            if reading
            else say("the broker refuses what we publish to {topic} (reason {code})", topic=topic, code=code),
        )

    def well(self, topic: str) -> None:
        if self._troubles.pop(topic, None) is not None:
            self.connected()

    def silent(self, topic: str) -> None:
        """What we published was acknowledged and did not come back. Only `heard` ends it: no PUBACK does."""
        self._silent[topic] = None
        self.connected()

    def heard(self, topic: str) -> None:
        """What we published came back."""
        if topic in self._silent:
            del self._silent[topic]
            self.connected()

    def twin(self) -> None:
        """Another run speaks on our `status`."""
        text = say("another device speaks as this venue: is its card a copy?")
        self.trouble("status by another", text)
        self._another(text, self._now())

    def trouble(self, topic: str, text: str) -> None:
        self._troubles[topic] = text
        self.connected()

    def _another(self, text: str, now: Moment) -> None:
        if self._twin is None or now.seconds_since(self._twin) >= TWIN_EVERY_S:
            self._twin = now
            self._tell(DuplicateIdentity(self._sink, text, now))

    def _say(self, state: Any, detail: str) -> None:
        """Tell and log a change; the same again is not news."""
        branches = self._proven() if state in ("connected", "refused") else ()
        told = SinkState(self._sink, state, detail, self._now(), branches)
        before = self._told
        if before is not None and (before.state, before.detail, before.branches) == (state, detail, branches):
            return
        if before is None or (before.state, before.detail) != (state, detail):
            log.info("event=sink sink=%s state=%s detail=%r", self._sink, state, detail)
        self._told = told
        self._tell(told)


def _first(named: list[str], between: str) -> str:
    """A broker may refuse a hundred topics: people read the first."""
    more = len(named) - MOST_NAMED
    shown = between.join(named[:MOST_NAMED])
    return shown if more <= 0 else say("{named} and {more} more", named=shown, more=more)
