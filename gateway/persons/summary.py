"""An alarm as people are shown it in lists and answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `watch` orders what it was told and needs no book for that
    from gateway.alarm.book import Page

_RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3}


def summary(page: Page, zone: tzinfo) -> dict[str, Any]:
    alarm = page.alarm
    return {
        "alarm": page.definition.name,
        "kind": page.definition.kind,
        "severity": page.definition.severity,
        "state": alarm.shown.value,
        "condition": alarm.condition,
        "activation": alarm.activation,
        "revision": alarm.revision,
        "since": alarm.raised.text(zone) if alarm.raised is not None else "",
        "by": alarm.acknowledged_by,
        "received_by": list(alarm.received_by),
        "hidden_by": alarm.hidden_by,
        "hidden_note": alarm.hidden_note,
        "shelved_until": None if alarm.shelved_until is None else alarm.shelved_until.text(zone),
        "text": page.evidence.what,
    }


def unseen(alarm: Mapping[str, Any]) -> bool:
    """Of a summary: nobody has acknowledged it or put it aside."""
    return "unacknowledged" in alarm["state"]


def pressing(alarm: Mapping[str, Any]) -> tuple[bool, int, str]:
    """The order of summaries: what nobody has seen first, of these the gravest."""
    return not unseen(alarm), _RANK.get(alarm["severity"], len(_RANK)), alarm["alarm"]
