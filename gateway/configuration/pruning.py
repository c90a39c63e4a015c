"""What is left of a configuration when the wrong places are taken out: so that one bad line does not stop a button."""

from __future__ import annotations

import copy
import re
from typing import Any

from gateway.configuration.complaints import Location, required_at

UNNAMED = {"id": "unnamed-venue", "name": "?"}
_GONE = object()  # stands where an item of an array was, so that the others keep their numbers


class Pruned:
    """A table from which places can be dropped. `table` is what is left; places are named as in the file."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._tree = copy.deepcopy(raw)

    def table(self) -> dict[str, Any]:
        left: dict[str, Any] = _without_gone(self._tree)
        return left

    def original(self, at: Location) -> Location:
        """Where a place of `table()` is in the file: items of arrays have moved up."""
        node: Any = self._tree
        place: Location = ()
        for part in at:
            if part == "[key]":  # pydantic's word for "the name itself"
                break
            found = part
            if isinstance(part, int) and isinstance(node, list):
                found = [index for index, item in enumerate(node) if item is not _GONE][part]
            place = (*place, found)
            node = _inside(node, found)
        return place

    def drop(self, at: Location) -> None:
        """Takes the place out, or what cannot be without it. The venue alone is never taken out: it gets a name."""
        if len(at) > 1 and not self.has(at[:-1]):
            return  # what it was in is out already
        while at and (required_at(at) or not self.has(at)):
            if at[0] == "venue" and len(at) <= 2:
                self._name_venue(at)
                return
            at = at[:-1]
        if not at:
            return
        parent: Any = self._tree
        for part in at[:-1]:
            parent = parent[part]
        last: Any = at[-1]
        if isinstance(last, int):
            parent[last] = _GONE
        else:
            del parent[last]

    def keep_only(self, tables: tuple[str, ...]) -> None:
        self._tree = {name: table for name, table in self._tree.items() if name in tables}

    def put(self, at: tuple[str, str, str], value: object) -> None:
        """Sets one key of a table that is there."""
        self._tree[at[0]][at[1]][at[2]] = value

    def rename(self, table: str, name: str) -> None:
        """Gives an entry of a table a name that can be one, and that no other entry has."""
        entries = self._tree[table]
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or table
        new = next(n for n in (plain, *(f"{plain}-{i}" for i in range(2, len(entries) + 9))) if n not in entries)
        self._tree[table] = {new if key == name else key: entry for key, entry in entries.items()}

    def has(self, at: Location) -> bool:
        """Whether the place is in the file and not yet taken out."""
        node: Any = self._tree
        for part in at:
            node = _inside(node, part)
        return node is not _GONE

    def _name_venue(self, at: Location) -> None:
        venue = self._tree.get("venue")
        if len(at) == 2 and isinstance(venue, dict) and at[1] in UNNAMED:
            venue[at[1]] = UNNAMED[str(at[1])]
        else:
            self._tree["venue"] = dict(UNNAMED)


def _inside(node: Any, part: str | int) -> Any:
    if isinstance(node, dict):
        return node.get(part, _GONE)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return _GONE


def _without_gone(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_gone(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_gone(item) for item in node if item is not _GONE]
    return node
