"""What a gateway says of its connection: birth, refresh with a fresh nonce, will, clean stop. Pure but for chance.

All are retained on one topic. `session` tells connections apart, so that the will of an old one kills nobody. Each
refresh is a canary too: it is to come back to us through the broker, which no ping of the connection proves.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, Literal

from gateway import payloads
from gateway.moment import NANO, Moment
from gateway.payloads import Origin

EVERY_S = 30.0
REBIRTH_S = 5.0  # at most so often is a foreign or outdated `status` overwritten
PATIENCE_NS = NANO  # live events may go first for so long
NONCES = 2  # valid in commands
CANARY_S = 90.0  # without a status of ours coming back: three are missing
MOST_PUBLISHED = 8


class Birth:
    """Owned by one pump's thread; `nonces` is replaced as a whole, so any thread may read it."""

    def __init__(self, origin: Origin) -> None:
        self.nonces: tuple[str, ...] = ()
        self._origin = origin
        self._session = ""
        self._details: Mapping[str, Any] = {}
        self._published: dict[bytes, Moment] = {}  # in this connection, the oldest first
        self._watched: Moment | None = None  # since when a copy of ours is awaited
        self._heard = False  # one came back in this connection
        self._born = False  # in a connection before this one
        self._due_ns = 0
        self._reborn: Moment | None = None

    def connecting(self, now: Moment) -> bytes:
        """A new session; its will."""
        self._session = secrets.token_hex(8)
        self._born = self._born or bool(self._published)
        self._published.clear()
        self._watched, self._heard = None, False
        self._due_ns = now.mono_ns
        return payloads.offline(self._origin, now, session=self._session, reason="lost")

    def due(self, now: Moment) -> bool:
        return now.mono_ns >= self._due_ns

    def overdue(self, now: Moment) -> bool:
        return now.mono_ns >= self._due_ns + PATIENCE_NS

    def make(self, now: Moment) -> bytes:
        """The birth, or its refresh, to be published now."""
        nonce = secrets.token_hex(16)
        self.nonces = (*self.nonces, nonce)[-NONCES:]
        status = payloads.online(self._origin, now, session=self._session, nonce=nonce, details=self._details)
        self._published[status] = now
        while len(self._published) > MOST_PUBLISHED:
            del self._published[next(iter(self._published))]
        self._watched = self._watched or now
        self._due_ns = now.after(EVERY_S).mono_ns
        return status

    def goodbye(self, now: Moment) -> bytes:
        return payloads.offline(self._origin, now, session=self._session, reason="stopped")

    def describe(self, details: Mapping[str, Any]) -> None:
        """What else `status` says; a change is said at once."""
        if details != self._details:
            self._details = details
            self._due_ns = 0

    def came_back(self, payload: bytes, now: Moment) -> float | None:
        """Seconds that a `status` of this connection was under way, when this live copy is one."""
        sent = self._published.get(payload)
        if sent is None and self._ours(payload):
            sent = self._published[next(reversed(self._published))]
        if sent is None:
            return None
        self._watched, self._heard = now, True
        return now.seconds_since(sent)

    def missed(self, now: Moment, patience_s: float) -> Literal["no", "never", "lost"]:
        """Whether our own is overdue: in this connection it never came back, or it did and does not any more."""
        if self._watched is None or now.seconds_since(self._watched) < patience_s:
            return "no"
        return "lost" if self._heard else "never"

    def seen(self, payload: bytes, now: Moment, *, retained: bool) -> bool:
        """A `status` that came back; True when another device speaks as this one.

        `retained`: it stood there when we connected. Before our first birth that may be our own run before.
        """
        if self._ours(payload):
            return False
        state, run = _said(payload)
        other = run not in (None, self._origin.run)
        if retained:  # our birth overwrites it anyway
            return other and self._born
        if self._published and (self._reborn is None or now.seconds_since(self._reborn) >= REBIRTH_S):
            self._reborn = now
            self._due_ns = 0  # what is not ours does not stay at the broker
        return other and state == "online"  # a will may come late from our own run before

    def _ours(self, payload: bytes) -> bool:
        return payload in self._published or bool(self._published and _same(payload, next(reversed(self._published))))


def _said(payload: bytes) -> tuple[object, object]:
    """Its state and the run that published it; None for what it does not say."""
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return None, None
    return (fields.get("state"), fields.get("run")) if isinstance(fields, dict) else (None, None)


def _same(payload: bytes, ours: bytes) -> bool:
    """The same content in other bytes: some brokers write JSON anew."""
    try:
        return bool(json.loads(payload) == json.loads(ours))
    except (ValueError, RecursionError):
        return False
