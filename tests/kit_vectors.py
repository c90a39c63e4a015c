"""Vectors as the suite, the fuzzer and the benchmark read them: `tests/vectors/README.md` says what a case holds."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from drivers import library
from drivers.base import Driver

FOLDER = Path(__file__).parent / "vectors"
KEYS = {"name", "source", "address", "options", "request", "start", "reply", "reply_text", "expect", "raises"}
ORIGINS = ("capture", "manual", "constructed")


@dataclass(frozen=True)
class Case:
    driver: str
    name: str
    source: str
    replies: tuple[bytes, ...]
    given: dict[str, Any]  # the table as it stands in the file

    @property
    def origin(self) -> str:
        return self.source.split(":")[0].split()[0]

    def device(self) -> Driver:
        driver = library.find(self.driver)
        if "address" not in self.given and "options" not in self.given:
            return driver
        assert driver.at is not None, f"{self.driver} has no options"
        return driver.at(self.given.get("address"), self.given.get("options", {}))

    def __str__(self) -> str:
        return f"{self.driver}: {self.name}"


@cache
def cases(driver: str) -> tuple[Case, ...]:
    """The cases of one driver; none when it has no file."""
    return read_cases(driver, FOLDER / f"{driver}.toml")


def read_cases(driver: str, path: Path) -> tuple[Case, ...]:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["case"] if path.is_file() else []
    found = []
    for table in tables:
        assert table.keys() <= KEYS, f"{path.name}: unknown keys {table.keys() - KEYS}"
        assert ("expect" in table) != ("raises" in table), f"{path.name}: {table['name']}: expect or raises"
        assert table["source"].startswith(ORIGINS), f"{path.name}: {table['name']}: source says where bytes come from"
        replies = [bytes.fromhex(text) for text in table.get("reply", ())]
        replies += [text.encode() for text in table.get("reply_text", ())]
        found.append(Case(driver, table["name"], table["source"], tuple(replies), table))
    return tuple(found)


def all_cases() -> list[Case]:
    return [case for name in library.names() for case in cases(name)]
