"""What others can make happen as often as they like is told each time up to a measure, and then by its count.

So a stranger with a login fills neither the card nor the way of the alarms: the record says that it happens and how
often, not each time anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.moment import Moment

MOST, SPAN_S = 20, 60.0


@dataclass(slots=True)
class _Span:
    began: Moment
    told: int = 0
    kept_back: int = 0


class Sparing:
    """Pure: time is passed in. Of each name at most `MOST` in `SPAN_S` seconds, then one count when they are over."""

    def __init__(self) -> None:
        self._spans: dict[str, _Span] = {}

    def let(self, name: str, now: Moment) -> bool:
        """Whether this one is told by itself; else it is counted."""
        span = self._spans.setdefault(name, _Span(now))
        if span.told < MOST:
            span.told += 1
            return True
        span.kept_back += 1
        return False

    def over(self, now: Moment) -> Iterator[tuple[str, int]]:
        """How many of each name were kept back in a time that is over."""
        for name, span in list(self._spans.items()):
            if now.seconds_since(span.began) >= SPAN_S:
                del self._spans[name]
                if span.kept_back:
                    yield name, span.kept_back
