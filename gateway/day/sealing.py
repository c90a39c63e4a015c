"""After the exam the record is sealed: in each stream a last event that names what came before it.

What is written later follows the seal in the same chain, and shows. Sealed by itself once after the last session, when
custody was ended by name (without a [custody] table: an hour after the last session), or by `log seal-record`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from gateway.alarm.findings import Evidence, Finding
from gateway.alarm.wording import Text
from gateway.alarm.words import Definition, Given, Signal
from gateway.catalogue import both
from gateway.day.wording import SEALED
from gateway.journal.chain import Head
from gateway.moment import NANO, Moment
from gateway.values import STREAMS

KEEP = timedelta(days=183)  # recordings are kept six months after the exam (facts/alarms.md, 6); so is the record
AFTER_S = 3600.0


def page_of(stream: str) -> str:
    return f"record-{stream}"


class Sealing:
    """Owned by the engine's thread."""

    def __init__(self) -> None:
        self._sealed_s: float | None = None  # the end of the last session for which it is sealed

    def definitions(self) -> Iterator[tuple[Definition, Text]]:
        for stream in STREAMS:
            yield Definition(page_of(stream), "record", "low", stream), both(SEALED, until="-", by="-")

    def recall(self, memory: Mapping[str, Any]) -> None:
        sealed = memory.get("sealed")
        self._sealed_s = float(sealed) if isinstance(sealed, int | float) else None

    def due(self, last_s: float | None, now: Moment, *, custody: bool | None) -> bool:
        """Whether it is time. `custody`: papers are stored; None: nothing says when they are."""
        now_s = now.wall_ns / NANO
        if last_s is None or self._sealed_s == last_s or now_s < last_s:
            return False
        return custody is False or (custody is None and now_s >= last_s + AFTER_S)

    def seal(
        self, heads: Mapping[Any, Head], last_s: float | None, zone: tzinfo, now: Moment, given: Given
    ) -> Iterator[Finding]:
        """`heads`: the last event of each stream."""
        if given.by is None:
            self._sealed_s = last_s  # one by a person does not stand for the last one
        keep = now.local(zone) + KEEP
        for stream in STREAMS:
            head = heads.get(stream)
            last = None if head is None else {"run": head.run, "seq": head.seq, "hash": head.hash}
            details = {"last": last, "keep_until": f"{keep:%Y-%m-%d}", "exam_end": _text(last_s, zone)}
            what = both(SEALED, until=f"{keep:%Y-%m-%d}", by=given.by or "-")
            evidence = Evidence(what, reason="record-sealed", details=details)
            memory = {"sealed": self._sealed_s}
            yield Finding(page_of(stream), Signal.UPDATE, now, evidence, given, memory=memory)


def _text(second: float | None, zone: tzinfo) -> str | None:
    return None if second is None else datetime.fromtimestamp(second, tz=zone).isoformat()
