"""The sheet of an acceptance: what was found, the record's hash, places for signatures; one page that prints."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.accept.walk import Step
from gateway.catalogue import say
from gateway.journal.chain import canonical


def digest(plan: Mapping[str, Any], steps: Sequence[Step]) -> str:
    """SHA-256 of what the sheet says; it stands on the sheet and in the signed event."""
    said = [{"name": one.name, "ok": one.ok, "said": one.said, "at": one.at} for one in steps]
    content = {"venue": plan["venue"], "configuration": plan["configuration"], "steps": said}
    return hashlib.sha256(canonical(content)).hexdigest()


def sheet(plan: Mapping[str, Any], steps: Sequence[Step], by: str, sha256: str, event: Mapping[str, Any]) -> str:
    """The page in the chosen language."""
    from gateway.pages import render  # noqa: PLC0415  the template engine is for pages alone

    bad = [one for one in steps if one.ok is False]
    left = [one for one in steps if one.ok is None]
    verdict = say("NOT in order: {count}", count=len(bad)) if bad else say("everything that was tried is in order")
    return render(
        "accept.html",
        plan=plan,
        steps=steps,
        by=by,
        sha256=sha256,
        event=event,
        verdict=verdict,
        good=not bad,
        left=left,
        one_pin=[name for name, contact in plan["contacts"].items() if contact["one_pin"]],
    )
