"""What a database will never take, put aside in a file of lines of JSON: when, why, and the line itself.

    {"time": "2026-06-07T01:12:03.123+00:00", "reason": "field type conflict ...", "line": "noise,device=..."}

Bounded: a full file becomes `NAME.1`, and the one before that goes. The readings themselves stay in the record.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from gateway.moment import Moment

log = logging.getLogger(__name__)

MOST_BYTES = 1024 * 1024  # a file


class Quarantine:
    """Owned by one sink's thread. A card that refuses it is logged: nothing may hold up the other points."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, lines: Iterable[str], reason: str, now: Moment) -> None:
        head = {"time": now.text(), "reason": reason}
        text = "".join(json.dumps(head | {"line": line}, ensure_ascii=False) + "\n" for line in lines)
        try:
            if self._path.exists() and self._path.stat().st_size + len(text) > MOST_BYTES:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            log.warning("event=not-quarantined file=%s error=%r", self._path.name, str(error))
