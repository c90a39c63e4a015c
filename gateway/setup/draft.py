"""A configuration that is being made: plain tables, the whole of which is judged by the one validator (F11).

What was answered is kept beside the file to be, so that Ctrl-C, a lost ssh line or a power cut costs one answer.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.catalogue import say
from gateway.configuration import settings
from gateway.configuration.complaints import Location, Problem
from gateway.configuration.settings_cli import toml
from gateway.errors import Refused
from gateway.journal.files import write_durably

_TIME = "time:"  # how a time stands in the kept file, which is JSON


class Draft:
    """`tables` is what the file will hold; `done` the sections that were answered."""

    def __init__(self, path: Path, tables: dict[str, Any] | None = None, done: Sequence[str] = ()) -> None:
        self.path = path
        self.tables: dict[str, Any] = tables if tables is not None else {}
        self.done = list(done)

    @property
    def kept(self) -> Path:
        return kept_file(self.path)

    def get(self, *at: str | int, otherwise: Any = None) -> Any:
        found: Any = self.tables
        for part in at:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return otherwise
        return found

    def put(self, *at: str, value: Any) -> None:
        """The last part is the key; tables on the way are made."""
        table = self.tables
        for part in at[:-1]:
            table = table.setdefault(part, {})
        table[at[-1]] = value

    def drop(self, *at: str) -> None:
        table = self.get(*at[:-1]) if len(at) > 1 else self.tables
        if isinstance(table, dict):
            table.pop(at[-1], None)

    def text(self) -> str:
        """The file as it would be written."""
        head = say("# Made by venue-gateway setup. After every change: venue-gateway check {file}", file=self.path.name)
        return f"{head}\n{toml(self.tables)}"

    def check(self) -> settings.Checked:
        return settings.check_bytes(self.text().encode(), self.path)

    def problem(self, *at: str | int) -> Problem | None:
        """The first error at this place or below it."""
        place: Location = at
        errors = (p for p in self.check().problems if p.severity == "error")
        return next((p for p in errors if p.at[: len(place)] == place), None)

    def keep(self) -> None:
        """Raises Refused."""
        written = {"tables": self.tables, "done": self.done}
        try:
            write_durably(self.kept, json.dumps(written, ensure_ascii=False, default=_written).encode(), 0o600)
        except OSError as error:
            raise Refused(say("{file} cannot be written: {why}", file=self.kept, why=error.strerror)) from error

    def save(self) -> Path | None:
        """Writes the file when it is good, and gives where an older one went. Raises Refused, the old one untouched."""
        checked = self.check()
        if not checked.good:
            raise Refused("\n".join(str(p) for p in checked.problems if p.severity == "error"))
        before = None
        try:
            if self.path.exists():
                before = self.path.with_name(self.path.name + ".before")
                write_durably(before, self.path.read_bytes(), 0o640)
            owner = (self.path if self.path.exists() else self.path.parent).stat()
            write_durably(self.path, self.text().encode(), 0o640)
            with contextlib.suppress(PermissionError):  # made by root, it must stay readable for the service
                os.chown(self.path, -1, owner.st_gid)
            self.kept.unlink(missing_ok=True)
        except OSError as error:
            raise Refused(say("{file} cannot be written: {why}", file=self.path, why=error.strerror)) from error
        return before


def kept_file(path: Path) -> Path:
    """Where the answers are kept until the file is written."""
    return path.with_name(f".{path.name}.setup")


def recalled(path: Path) -> Draft | None:
    """What was answered before; None when nothing is kept, or it is damaged."""
    try:
        written = json.loads(kept_file(path).read_text(encoding="utf-8"))
        return Draft(path, _read(written["tables"]), written["done"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return _TIME + value.isoformat()
    raise TypeError(f"no JSON for {value!r}")


def _read(value: Any) -> Any:
    match value:
        case dict():
            return {key: _read(each) for key, each in value.items()}
        case list():
            return [_read(each) for each in value]
        case str() if value.startswith(_TIME):
            return datetime.fromisoformat(value.removeprefix(_TIME))
    return value
