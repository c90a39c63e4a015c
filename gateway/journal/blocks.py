"""A block of readings as bytes: compressed JSON, a few seconds' worth in one row of the record. Pure.

    [1, wall_ms, mono_ms, [[device, wall - first, mono - first, clock, [[name, value, quality, reason], ...]], ...]]

Times are kept to the millisecond, also for whoever reads a block that is still in memory: a reading looks the same
from wherever it is read, so that sending it twice writes one point.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from drivers.base import Quality
from gateway.moment import ClockState, Moment
from gateway.values import Reading, Readings

FORM = 1
_MILLI = 1_000_000


def encode(block: Sequence[Readings]) -> bytes:
    """The bytes of at least one answer of a device."""
    first = block[0].readings[0].at
    wall_ms, mono_ms = first.wall_ns // _MILLI, first.mono_ns // _MILLI
    answers: list[list[Any]] = []
    for answer in block:
        for at, readings in groupby(answer.readings, key=lambda r: r.at):
            times = [at.wall_ns // _MILLI - wall_ms, at.mono_ns // _MILLI - mono_ms, at.clock.value]
            answers.append([answer.device, *times, [_values(answer.device, r) for r in readings]])
    text = json.dumps([FORM, wall_ms, mono_ms, answers], ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(text.encode(), 6)


def decode(data: bytes) -> list[Readings]:
    """The answers of a block. Raises ValueError when the bytes are no block of this form."""
    try:
        form, wall_ms, mono_ms, answers = json.loads(zlib.decompress(data))
        if form == FORM:
            return [_answer(answer, wall_ms, mono_ms) for answer in answers]
    except (zlib.error, ValueError, TypeError) as error:
        raise ValueError("not a block of readings") from error
    raise ValueError(f"a block of readings of form {form}, which is newer than this program")


def _values(device: str, reading: Reading) -> list[Any]:
    own = reading.point.removeprefix(f"{device}/")
    name = own if own != reading.point and not own.startswith("/") else f"/{reading.point}"
    values = [name, reading.value, reading.quality.value, reading.reason]
    return values if reading.reason is not None else values[:3]


def _answer(answer: list[Any], wall_ms: int, mono_ms: int) -> Readings:
    device, wall, mono, clock, values = answer
    at = Moment((wall_ms + wall) * _MILLI, (mono_ms + mono) * _MILLI, ClockState(clock))
    return Readings(device, tuple(_reading(device, at, *rest) for rest in values))


def _reading(
    device: str, at: Moment, name: str, value: float | None, quality: str, reason: str | None = None
) -> Reading:
    point = name[1:] if name.startswith("/") else f"{device}/{name}"
    return Reading(point, value, Quality(quality), at, reason)
