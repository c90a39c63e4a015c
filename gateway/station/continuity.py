"""Whether a venue's events are all there: numbers without a gap within a run; each run names the last event before it.

An urgent event overtakes those that wait, within a run and over a restart. What is not there yet is asked for at once,
and shown when it has not come for a while. What one event contradicts of another is broken, whatever comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from gateway.moment import Moment

GAPS = 50  # looked back for, and asked for at a time
MOST_MISSING = 500
OVERTAKEN_S = 5.0  # so long an event may take to come after one that overtook it


class Head(NamedTuple):
    """The last event of a stream that came."""

    run: str
    seq: int
    hash: str
    time: float


@dataclass(slots=True)
class Continuity:
    """Of one venue. `broken`: an event contradicts the one before it."""

    heads: dict[str, Head] = field(default_factory=dict)  # of each stream
    broken: bool = False
    run: str | None = None  # the present one, as the venue's status says
    _gaps: dict[tuple[str, str, int], bool] = field(default_factory=dict)  # stream, run, seq: asked for
    _owed: set[str] = field(default_factory=set)  # hashes that a new run named and that did not come
    _since: Moment | None = None  # when the first of what is missing now was missed

    def follow(self, event: Mapping[str, Any], now: Moment, known: Callable[[str], bool]) -> None:
        """A proven event came for the first time; `known`: whether one with this hash did."""
        stream, run, seq = event["stream"], event["run"], event["seq"]
        self._gaps.pop((stream, run, seq), None)
        self._owed.discard(event["hash"])
        head, last = Head(run, seq, event["hash"], seconds_of(event.get("time"))), self.heads.get(stream)
        if last is None:
            self.heads[stream] = head
        elif run == last.run and seq > last.seq:
            self._miss(stream, run, last.seq + 1, seq)
            self.broken |= seq == last.seq + 1 and event["previous"] != last.hash
            self.heads[stream] = head
        elif run != last.run and self._later(head, last):  # an older run's event that comes late is no news
            self._miss(stream, run, 1, seq)
            if seq == 1 and event["previous"] is not None and not known(event["previous"]):
                self._owed.add(event["previous"])
            self.heads[stream] = head
        self._look(now)

    def came(self, event: Mapping[str, Any]) -> None:
        """A copy of one that came before: whatever was missed of it, it is here."""
        self._gaps.pop((event["stream"], event["run"], event["seq"]), None)
        self._owed.discard(event["hash"])

    def told(self, stream: str, run: object, seq: object, now: Moment) -> None:
        """The venue says which event of a stream was its last."""
        last = self.heads.get(stream)
        if last is not None and run == last.run and isinstance(seq, int):
            self._miss(stream, last.run, last.seq + 1, seq + 1)
            self._look(now)

    def ask(self, most: int) -> Iterator[tuple[str, str, int]]:
        """Stream, run and number of events that are missing and have not been asked for."""
        for place in [place for place, asked in self._gaps.items() if not asked][:most]:
            self._gaps[place] = True
            yield place

    def ask_again(self) -> None:
        """What was asked for in another session of the venue may never have been heard."""
        self._gaps = dict.fromkeys(self._gaps, False)

    def missing(self, now: Moment) -> int:
        """How many events have not come, when that has lasted for longer than one overtakes another."""
        if self._since is None or now.seconds_since(self._since) < OVERTAKEN_S:
            return 0
        return len(self._gaps) + len(self._owed)

    def _later(self, head: Head, last: Head) -> bool:
        """By its status, or by time while that is of neither."""
        return head.run == self.run if self.run in (head.run, last.run) else head.time >= last.time

    def _miss(self, stream: str, run: str, first: int, after: int) -> None:
        for seq in range(max(first, after - GAPS), after):
            if len(self._gaps) < MOST_MISSING:
                self._gaps.setdefault((stream, run, seq), False)

    def _look(self, now: Moment) -> None:
        if not self._gaps and not self._owed:
            self._since = None
        elif self._since is None:
            self._since = now


def seconds_of(text: object) -> float:
    """Seconds since 1970; 0 when it is not a time."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
