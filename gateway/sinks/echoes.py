"""Proof of readings over MQTT 3.1.1, where a refused publish looks like success: one's own message must come back.

Pure. Once a connection and stream; from then on a PUBACK is proof enough.
"""

from __future__ import annotations

from collections.abc import Iterable

from drivers.quantities import Stream
from gateway.moment import NANO, Moment
from gateway.sinks.telemetry import Parcel


class Echoes:
    """Owned by one pump's thread."""

    def __init__(self, wait_s: float) -> None:
        self._wait_ns = round(wait_s * NANO)
        self._proven: set[Stream] = set()
        self._sent: dict[bytes, Stream] = {}  # while their stream is unproven
        self._acked: list[tuple[Stream, Parcel, int]] = []

    def connected(self, proven: Iterable[Stream]) -> None:
        self._proven = set(proven)
        self._sent.clear()
        self._acked.clear()

    def proven(self, stream: Stream) -> bool:
        return stream in self._proven

    def sent(self, stream: Stream, payload: bytes) -> None:
        if stream not in self._proven:
            self._sent[payload] = stream

    def acked(self, stream: Stream, parcel: Parcel, now: Moment) -> None:
        """PUBACK in an unproven stream: it counts when the proof comes."""
        self._acked.append((stream, parcel, now.mono_ns))

    def came_back(self, payload: bytes) -> tuple[Stream, list[Parcel]] | None:
        """The stream that this copy proves, with what was acknowledged in it; None when it proves nothing new."""
        stream = self._sent.get(payload)
        if stream is None:
            return None
        self._proven.add(stream)
        self._sent = {key: other for key, other in self._sent.items() if other != stream}
        parcels = [parcel for other, parcel, _ in self._acked if other == stream]
        self._acked = [each for each in self._acked if each[0] != stream]
        return stream, parcels

    def overdue(self, now: Moment) -> list[tuple[Stream, Parcel]]:
        """What was acknowledged and did not come back in time: it was not taken."""
        late = [each for each in self._acked if now.mono_ns - each[2] >= self._wait_ns]
        self._acked = [each for each in self._acked if now.mono_ns - each[2] < self._wait_ns]
        return [(stream, parcel) for stream, parcel, _ in late]
