"""The last good configuration, kept so that neither a torn write nor a bad sector can make it a wrong one.

    last-good.toml      a line "# sha256 <hex of what follows>", then the file, byte for byte
    last-good.1.toml    the one before

Each is replaced whole, the one before first: at every instant at least one of the two is good.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from gateway.journal.files import write_durably

NAMES = _NOW, _BEFORE = "last-good.toml", "last-good.1.toml"
_MARK = b"# sha256 "


def keep(state: Path, data: bytes) -> None:
    """Keeps `data` as the last good one; nothing is written when it already is. Raises OSError."""
    now = _whole(state / _NOW)
    if now == data:
        return
    state.mkdir(parents=True, exist_ok=True)
    if now is not None:  # a damaged one never takes the place of the one before
        write_durably(state / _BEFORE, _marked(now), 0o600)
    write_durably(state / _NOW, _marked(data), 0o600)


def recall(state: Path) -> list[bytes]:
    """The whole ones, newest first; nothing that was damaged is ever among them."""
    found = (_whole(state / name) for name in (_NOW, _BEFORE))
    return [data for data in found if data is not None]


def _marked(data: bytes) -> bytes:
    return _MARK + hashlib.sha256(data).hexdigest().encode() + b"\n" + data


def _whole(path: Path) -> bytes | None:
    try:
        written = path.read_bytes()
    except OSError:
        return None
    data = written.partition(b"\n")[2]
    return data if written == _marked(data) else None
