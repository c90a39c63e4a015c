"""Authorised openings of a sealed room: two people ask for the same door, and for a while its opening is in order.

Two different persons, each by a command of their own, within two minutes, for one contact, at most 30 minutes. It ends
by itself, on the monotonic clock, and with a restart: nothing of this is kept. An opening in such a window is recorded
and sent like any other; the door that is still open when it ends is an alarm.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.catalogue import say
from gateway.errors import Refused
from gateway.moment import Moment

TOGETHER_S = 120.0
AT_MOST_S = 30 * 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One person's wish, waiting for the second."""

    by: str
    note: str
    for_s: float
    at: Moment


@dataclass(frozen=True, slots=True)
class Opening:
    """A window in which the contact may open."""

    contact: str
    by: tuple[str, str]
    notes: tuple[str, str]
    since: Moment
    until: Moment


class Openings:
    """Owned by the engine's thread."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._open: dict[str, Opening] = {}

    def ask(self, contact: str, by: str, note: str | None, for_s: float, now: Moment) -> Opening | None:
        """The window, when a second person asks in time; None after the first. The shorter of the two times counts.

        Raises `Refused`: no name, no reason, too long.
        """
        if not by:
            raise Refused(say("who asks? This is done only by a named person"))
        if not (note or "").strip():
            raise Refused(say("say why: a note is needed"))
        if not 0 < for_s <= AT_MOST_S:
            raise Refused(
                say("say for how long: more than nothing and at most {minutes:g} min", minutes=AT_MOST_S / 60)
            )
        wish = Asked(by, note or "", for_s, now)
        first = self._asked.pop(contact, None)
        if first is None or first.by == by or now.seconds_since(first.at) > TOGETHER_S:
            self._asked[contact] = wish
            return None
        until = now.after(min(first.for_s, for_s))
        self._open[contact] = Opening(contact, (first.by, by), (first.note, wish.note), now, until)
        return self._open[contact]

    def close(self, contact: str) -> Opening | None:
        """End it before its time; the window that was, if there was one."""
        self._asked.pop(contact, None)
        return self._open.pop(contact, None)

    def holds(self, contact: str, now: Moment) -> Opening | None:
        """The window that is open now for this contact."""
        opening = self._open.get(contact)
        return opening if opening is not None and now.mono_ns < opening.until.mono_ns else None

    def asked(self, contact: str, now: Moment) -> Asked | None:
        """The wish of one person that waits for a second one."""
        wish = self._asked.get(contact)
        return wish if wish is not None and now.seconds_since(wish.at) <= TOGETHER_S else None

    def advance(self, now: Moment) -> tuple[Opening, ...]:
        """The windows that are over now; each is told once."""
        over = tuple(one for one in self._open.values() if now.mono_ns >= one.until.mono_ns)
        for opening in over:
            del self._open[opening.contact]
        return over

    def due(self) -> Moment | None:
        """When the next window ends."""
        return min((one.until for one in self._open.values()), key=lambda until: until.mono_ns, default=None)
