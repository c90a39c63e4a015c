"""An alarm as people are shown it in lists and answers."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from gateway.book import Page


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
        "text": page.evidence.what,
    }
