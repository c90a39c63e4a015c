"""Which events of the run before were sent and never stored, as far as the states that it left at a broker show.

Each state names its alarm's last event. `seq` has no gaps within a run and a stream, so every event between the last
one in the record and the one that is named was made too; whether each of them reached the broker cannot be told from
here. What was sent after the last state that the broker holds leaves no trace with us: the far side knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drivers.quantities import Stream
from gateway.journal.chain import Head


class Unstored:
    """`heads` and `number`: the record as this run found it. `known`: whether the record has the event of this hash;
    of events more than `recent` before the last it is not told.
    """

    def __init__(self, heads: Mapping[Stream, Head], number: int, recent: int, known: Callable[[str], bool]) -> None:
        self._heads: dict[str, Head] = {str(stream): head for stream, head in heads.items()}
        self._number, self._recent, self._known = number, recent, known
        self._told: dict[tuple[str, str], int] = {}  # (stream, run): up to this seq they have been named

    def named(self, stream: str, last: object) -> str | None:
        """The events that `last`, of a state that was left there, shows to be missing; None when there are none."""
        if not isinstance(last, dict):
            return None
        run, seq, number, hash_ = (last.get(key) for key in ("run", "seq", "number", "hash"))
        if (
            not isinstance(seq, int)
            or not isinstance(number, int)
            or self._stored(stream, run, seq, number, str(hash_))
        ):
            return None
        told = self._told.get((stream, str(run)), self._before(stream, run, seq, number))
        first = min(told + 1, seq)
        self._told[stream, str(run)] = max(told, seq)
        return f"{stream}, run {run}, seq {first if first == seq else f'{first}-{seq}'}, hash {hash_}"

    def _stored(self, stream: str, run: Any, seq: int, number: int, hash_: str) -> bool:
        head = self._heads.get(stream)
        if head is not None and head.run == run:
            return seq <= head.seq
        return self._known(hash_) or number <= self._number - self._recent

    def _before(self, stream: str, run: Any, seq: int, number: int) -> int:
        """The last seq of that run that the record has: none of a run that came after it, and of one that is older
        than the last one in the record nothing is sure but the event that is named.
        """
        head = self._heads.get(stream)
        if head is not None and head.run == run:
            return head.seq
        return 0 if number > self._number else seq - 1
