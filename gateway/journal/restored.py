"""What `restore.py` leaves to the next start: the end of a restore that was cut off, and what the chain begins with."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.journal.files import sync_directory, write_durably

PENDING, RESTORED = "restore.pending", "restored.json"
_CLEARED = "cleared"  # in the folder of what was there: all of it is, and what comes may come
_STAYS = ("lock", "mode", "events.reserve", PENDING)


def finish(state: Path) -> bool:
    """Ends a restore that was cut off once everything was proven and on the card; True when there was one."""
    pending = state / PENDING
    if not pending.exists():
        return False
    plan = json.loads(pending.read_bytes())
    fresh, kept = state / plan["from"], state / plan["to"]
    if not (kept / _CLEARED).exists():
        kept.mkdir(mode=0o750, exist_ok=True)
        for path in [path for path in state.iterdir() if path.is_file() and path.name not in _STAYS]:
            path.rename(kept / path.name)
        sync_directory(state)
        write_durably(kept / _CLEARED, b"")
    for path in list(fresh.iterdir()) if fresh.exists() else ():
        path.rename(state / path.name)
    sync_directory(state)
    shutil.rmtree(fresh, ignore_errors=True)
    pending.unlink()
    sync_directory(state)
    return True


def note_of(state: Path) -> dict[str, Any] | None:
    """What the first event of the restored chain has to say; None when it was said, or nothing was restored."""
    try:
        found = json.loads((state / RESTORED).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def said(state: Path) -> None:
    """The event is on the card."""
    with suppress(OSError):  # then it is said again by the next start
        (state / RESTORED).replace(state / f"{RESTORED}.said")
