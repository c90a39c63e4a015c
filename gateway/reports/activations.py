"""The alarms of a time, out of events: each activation with who received it, who acknowledged it, and its end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Activation:
    """Times are seconds since 1970. `raised_s` is that of the raise, however long ago it was."""

    first: Mapping[str, Any]
    raised_s: float
    openings: int = 1
    received: list[tuple[str, float]] = field(default_factory=list)
    acknowledged: list[tuple[str, float, str | None]] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)  # the sentences of who put it aside
    over_s: float | None = None  # when the condition ended, seen last
    ended_s: float | None = None  # when nothing was left to do: back to normal


def activations(events: Iterable[tuple[float, Mapping[str, Any]]], start_s: float, end_s: float) -> list[Activation]:
    """Those that stood at any moment from `start_s` to `end_s`, by their raise; `events`: the record from its begin."""
    found: dict[str, Activation] = {}
    for at_s, event in events:
        key = event.get("activation")
        if at_s >= end_s:
            break
        if key is None or event["transition"] == "updated":
            continue
        if key not in found:
            found[key] = Activation(event, at_s)
        else:
            _went_on(found[key], at_s, event)
        found[key].ended_s = at_s if event["state"] == "normal" else None
    return [each for each in found.values() if each.ended_s is None or each.ended_s >= start_s]


def _went_on(each: Activation, at_s: float, event: Mapping[str, Any]) -> None:
    by = str(event.get("by") or "-")
    match event["transition"]:
        case "repeated":
            each.openings += 1
            each.over_s = None
        case "cleared":
            each.over_s = at_s
        case "received":
            each.received.append((by, at_s))
        case "acknowledged":
            each.acknowledged.append((by, at_s, event.get("note")))
        case "shelved" | "suppressed" | "removed":
            each.hidden.append(event["text"])
