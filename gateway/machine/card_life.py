"""What this run has written to the card, as the kernel counts it: a card dies of being written to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.moment import Moment

KIBI, MEBI, DAY_S = 1024, 1024 * 1024, 86_400.0
LEAST_S = 3600.0  # a start writes much at once; what is seen of fewer seconds says nothing of a day


def written_bytes(place: Path = Path("/proc/self/io")) -> int | None:
    """Pages of this process that went to a block device, checkpoints included; None where the kernel does not say."""
    try:
        fields = dict(line.split(": ") for line in place.read_text().splitlines())
        return int(fields["write_bytes"])
    except (OSError, KeyError, ValueError):
        return None


def card_life(started: Moment, now: Moment, written: int | None, commits: int, readings: int) -> dict[str, Any]:
    """Since the start; nothing before an hour of it is over. `commits`: each is one sync of a log; `readings`: those on
    the card.
    """
    seconds = now.seconds_since(started)
    if seconds < LEAST_S:
        return {}
    found: dict[str, Any] = {"commits_a_minute": round(commits * 60 / seconds, 1)}
    if written is not None:
        found["mib_a_day"] = round(written / MEBI * DAY_S / seconds, 1)
        if readings:
            found["kib_for_1000_readings"] = round(written / KIBI / readings * 1000, 1)
    return found
