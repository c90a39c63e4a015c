"""Our own retained states: what the broker should hold, what is still to be sent, and whose a copy is that comes back.

Pure. A broker gives every message back to us, because we read our own branch. A copy that we did not send was made by
somebody else, and the engine is told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gateway.moment import Moment
from gateway.payloads import Below

ECHOES = 16  # publications of one topic whose copy may still be under way


@dataclass(slots=True)
class State:
    latest: bytes
    dirty: bool = True
    sent: deque[bytes] = field(default_factory=lambda: deque(maxlen=ECHOES))  # copies expected, in order
    held: bytes | None = None  # the last one that the broker is known to hold
    before: bytes | None = None  # the same as it was at connecting: brokers may say late what they held then


class Retained:
    """Owned by one pump's thread. Topics are below the root."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._dirty: dict[str, None] = {}  # topics in the order in which they changed
        self._awaited: dict[str, int] = {}  # topic: mono_ns of the PUBACK whose copy has not come back yet
        self._refused: set[str] = set()  # topics whose newest state the broker would not have, as far as is known

    def put(self, topic: str, payload: bytes) -> None:
        """The newest wins; an empty payload, which would delete the state at the broker, is refused."""
        if not payload:
            raise ValueError("a retained state is never empty")
        state = self._states.setdefault(topic, State(payload))
        state.latest, state.dirty = payload, True
        self._dirty[topic] = None

    def connected(self) -> None:
        """A new connection: everything is sent again. What was under way may or may not have reached the broker."""
        for state in self._states.values():
            state.dirty, state.before = True, state.held
        self._dirty = dict.fromkeys(self._states)
        self._awaited.clear()
        self._refused.clear()

    def again(self) -> None:
        """What was refused is tried once more: an access list may have been corrected while the connection stands."""
        refused, self._refused = self._refused, set()
        for topic in sorted(refused):
            self._states[topic].dirty = True
            self._dirty[topic] = None

    def next(self) -> Below | None:
        """The state to publish now, retained."""
        if not self._dirty:
            return None
        topic = next(iter(self._dirty))
        del self._dirty[topic]
        state = self._states[topic]
        state.dirty = False
        state.sent.append(state.latest)
        return Below(topic, state.latest)

    def acked(self, message: Below, now: Moment, *, taken: bool) -> None:
        """PUBACK. A refused one has no copy to wait for."""
        state = self._states[message.topic]
        if not taken:
            self._refused.add(message.topic)
        if taken:
            state.held = message.payload
            if message.payload in state.sent:
                self._awaited.setdefault(message.topic, now.mono_ns)
        elif message.payload in state.sent:
            state.sent.remove(message.payload)

    def unanswered(self, now: Moment, wait_ns: int) -> list[str]:
        """Topics of which an acknowledged state has not come back for so long; each is named once."""
        found = [topic for topic, acked_ns in self._awaited.items() if now.mono_ns - acked_ns >= wait_ns]
        for topic in found:
            del self._awaited[topic]
        self._refused.update(found)
        return found

    def known(self, topic: str) -> bool:
        """Whether the broker had taken this topic from us before this connection; else it may be of a run before."""
        state = self._states.get(topic)
        return state is not None and state.before is not None

    def is_ours(self, topic: str, payload: bytes, *, retained: bool) -> bool:
        """Whether what came back is what we sent.

        `retained`: the broker's stored state, on subscribing. It may be any that this run has under way or knows
        there. Otherwise it was published just now, and ours come back in the order in which they were sent.
        """
        state = self._states.get(topic)
        if state is None:
            return False
        if retained:
            return payload in (state.before, state.held) or payload in state.sent
        if payload not in state.sent:
            return False
        while state.sent.popleft() != payload:
            pass  # one that never came: refused without a word, or lost with the connection before
        state.held = payload
        self._awaited.pop(topic, None)
        return True
