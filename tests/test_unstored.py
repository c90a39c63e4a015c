"""Events that were sent and never stored: each is named, none twice, none that is in the record."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.alarm.unstored import Unstored
from gateway.journal.chain import Head


def last(run: str, seq: int, number: int) -> dict[str, Any]:
    return {"run": run, "seq": seq, "number": number, "hash": f"{run}-{seq}"}


# what the record ends with: custody at run-2 seq 3; 40 events in all, of which the last 10 are known by their hash
CASES: list[tuple[str, list[object], list[str | None]]] = [
    ("in the record", [last("run-2", 3, 40)], [None]),
    ("one", [last("run-2", 4, 41)], ["custody, run run-2, seq 4, hash run-2-4"]),
    ("several at once", [last("run-2", 6, 43)], ["custody, run run-2, seq 4-6, hash run-2-6"]),
    (
        "from several alarms, in the order of their numbers",
        [last("run-2", 4, 41), last("run-2", 6, 43)],
        ["custody, run run-2, seq 4, hash run-2-4", "custody, run run-2, seq 5-6, hash run-2-6"],
    ),
    (
        "the other way round",
        [last("run-2", 6, 43), last("run-2", 4, 41)],
        ["custody, run run-2, seq 4-6, hash run-2-6", "custody, run run-2, seq 4, hash run-2-4"],
    ),
    ("of a run of which nothing was stored", [last("run-3", 2, 42)], ["custody, run run-3, seq 1-2, hash run-3-2"]),
    ("of an older run, known by its hash", [last("run-1", 9, 35)], [None]),
    ("of an older run, lost then", [last("run-1", 8, 36)], ["custody, run run-1, seq 8, hash run-1-8"]),
    ("too old to be told", [last("run-0", 8, 30)], [None]),
    ("no event of that run", [None, {}, {"seq": "4"}, 7], [None] * 4),
]


@pytest.mark.parametrize(("states", "named"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_event_is_named(states: list[object], named: list[str | None]) -> None:
    """A9: what the states at the broker show to be missing is named from the record's end on, and only that."""
    unstored = Unstored({"custody": Head("run-2", 3, "h")}, 40, 10, lambda hash_: hash_ == "run-1-9")

    assert named == [unstored.named("custody", state) for state in states]


def test_an_empty_record() -> None:
    """A first run whose card took nothing: every event of each stream is named."""
    unstored = Unstored({}, 0, 1000, lambda _hash: False)

    assert "custody, run run-1, seq 1-3, hash run-1-3" == unstored.named("custody", last("run-1", 3, 5))
    assert "gateway, run run-1, seq 1-2, hash run-1-2" == unstored.named("gateway", last("run-1", 2, 4))
