"""`setup --answers TABLE`: one configuration a row, for as many venues as there are.

A table's columns are keys of the configuration, as `check` names them: `venue.id`, `contact.leak-button.pin`,
`person[1].pin`. What all venues share stands in the tables of one common file, an ordinary configuration without the
venue. Nothing is written unless every row is good; each complaint names row and column.

The word `make` in a column of a person's PIN makes one: its hash goes into the configuration, the PIN into `pins.csv`.
"""

from __future__ import annotations

import copy
import csv
import io
import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.catalogue import say
from gateway.configuration.complaints import Location, Problem, field_at
from gateway.errors import Refused
from gateway.persons.people import pin_hash
from gateway.setup.draft import Draft

MAKE = "make"
PIN_DIGITS = 6
_PART = re.compile(r"([^.\[\]]+)(?:\[(\d+)\])?")
_SHOWN = 40  # complaints; the rest is counted


@dataclass(frozen=True, slots=True)
class Row:
    """`number` counts from 1 as a spreadsheet does, its head included; `cells` by column, empty ones left out."""

    number: int
    cells: Mapping[str, Any]


@dataclass(slots=True)
class Made:
    """The drafts of all rows, the PINs made for them, and what is wrong."""

    drafts: list[Draft] = field(default_factory=list)
    pins: list[tuple[str, str, str, str]] = field(default_factory=list)  # venue, person, name, PIN
    complaints: list[str] = field(default_factory=list)


def answers_main(table: Path, common: Path | None, folder: Path) -> int:
    """Writes one file for each venue into `folder`; 0, or 1 with every complaint and nothing written."""
    made = make(read_rows(table), read_common(common), folder)
    for complaint in made.complaints[:_SHOWN]:
        print(complaint)
    if len(made.complaints) > _SHOWN:
        print(say("and {count} more", count=len(made.complaints) - _SHOWN))
    if made.complaints:
        print(say("nothing was written; wrong answers: {count}", count=len(made.complaints)))
        return 1
    write(made, folder)
    print(say("{count} configurations are in {folder}", count=len(made.drafts), folder=folder))
    if made.pins:
        print(
            say(
                "{file} holds {count} PINs: hand them out, then destroy it",
                file=folder / "pins.csv",
                count=len(made.pins),
            )
        )
    return 0


def read_rows(file: Path) -> list[Row]:
    """CSV (comma, semicolon or tab; UTF-8 or GBK, as Excel saves it), or TOML with [[venue]]. Raises Refused."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Refused(say("{file} cannot be read: {why}", file=file, why=error.strerror)) from error
    text = _text(data, file)
    rows = _toml_rows(text, file) if file.suffix == ".toml" else _csv_rows(text, file)
    if not rows:
        raise Refused(say("{file} has no venue in it", file=file))
    return rows


def _text(data: bytes, file: Path) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused(say("{file} is neither UTF-8 nor GBK: save it as CSV UTF-8", file=file))


def _toml_rows(text: str, file: Path) -> list[Row]:
    try:
        tables = tomllib.loads(text).get("venue", [])
    except tomllib.TOMLDecodeError as error:
        raise Refused(say("{file} is no TOML: {why}", file=file, why=str(error))) from error
    if not isinstance(tables, list):
        raise Refused(say("write [[venue]] with double brackets above each venue of {file}", file=file))
    return [Row(number, dict(_flat(table))) for number, table in enumerate(tables, 1)]


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _csv_rows(text: str, file: Path) -> list[Row]:
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    separator = max(",;\t", key=head.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    if not rows:
        return []
    columns = [column.strip() for column in rows[0]]
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise Refused(say("{file}: the column {column} is there twice", file=file, column=", ".join(twice)))
    found = []
    for number, row in enumerate(rows[1:], 2):
        cells = {c: cell.strip() for c, cell in zip(columns, row, strict=False) if c and cell.strip()}
        if len(row) > len(columns) and any(cell.strip() for cell in row[len(columns) :]):
            raise Refused(say("{file}, row {row}: more cells than columns", file=file, row=number))
        if cells:
            found.append(Row(number, cells))
    return found


def read_common(file: Path | None) -> dict[str, Any]:
    """What all venues share. Raises Refused."""
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(say("{file} cannot be used: {why}", file=file, why=str(error))) from error


def make(rows: Sequence[Row], common: Mapping[str, Any], folder: Path) -> Made:
    made = Made()
    first_of: dict[str, int] = {}
    for row in rows:
        draft, wrong = _draft(row, common, folder, made)
        name = str(draft.get("venue", "id", otherwise=""))
        if name in first_of:
            text = say("{id} is the venue of row {other} too; each has an id of its own", id=name, other=first_of[name])
            wrong.append(_at(row, "venue.id", text))
        first_of.setdefault(name, row.number)
        wrong += [_complaint(row, problem) for problem in draft.check().problems if problem.severity == "error"]
        made.complaints += wrong
        made.drafts.append(draft)
    return made


def _draft(row: Row, common: Mapping[str, Any], folder: Path, made: Made) -> tuple[Draft, list[str]]:
    tables: dict[str, Any] = copy.deepcopy(dict(common))
    wrong: list[str] = []
    pins: list[tuple[int, str]] = []
    for column, cell in row.cells.items():
        try:
            at = place(column)
            value = typed(at, cell)
            if at[0] == "person" and at[-1] == "pin" and len(at) == 3:
                pins.append((int(at[1]), str(value)))
                value = ""
            put(tables, at, value)
        except ValueError as error:
            wrong.append(_at(row, column, str(error)))
    name = str(tables.get("venue", {}).get("id", f"row-{row.number}"))
    for number, pin in pins:
        person = tables["person"][number]
        clear = _new_pin() if pin == MAKE else pin
        if not (clear.isdecimal() and len(clear) >= 4):
            text = say("a PIN is at least 4 digits, or the word {word}", word=MAKE)
            wrong.append(_at(row, f"person[{number + 1}].pin", text))
        person["pin"] = pin_hash(clear)
        if pin == MAKE:
            made.pins.append((name, str(person.get("id", "")), str(person.get("name", "")), clear))
    return Draft(folder / f"{re.sub('[^a-z0-9-]', '_', name)}.toml", tables), wrong


def _new_pin() -> str:
    return "".join(secrets.choice("0123456789") for _ in range(PIN_DIGITS))


def place(column: str) -> Location:
    """`person[1].pin` as ("person", 0, "pin"). Raises ValueError for what is no key."""
    at: list[str | int] = []
    for part in column.split("."):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(say("this column is no key of the configuration, such as contact.leak-button.pin"))
        at.append(match[1])
        if match[2] is not None:
            at.append(int(match[2]) - 1)
    return tuple(at)


def typed(at: Location, cell: Any) -> Any:
    """A cell as its key wants it: text where text belongs, words where a list of words does, else as TOML writes it."""
    if not isinstance(cell, str):
        return cell
    annotation = field_at(at)
    if annotation is not None and _fits(annotation, cell):
        return cell
    words = re.split(r"[\s,;，；、]+", cell)
    if annotation is not None and not cell.startswith("[") and _fits(annotation, tuple(words)):
        return words
    try:
        return tomllib.loads(f"cell = {cell}")["cell"]
    except (tomllib.TOMLDecodeError, KeyError):
        return cell


def _fits(annotation: Any, value: object) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def put(tables: dict[str, Any], at: Location, value: Any) -> None:
    """Tables and arrays on the way are made; an array grows by one at a time. Raises ValueError."""
    here: Any = tables
    for part, following in pairwise(at):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(part, int):
            if part < 0 or part > len(here):
                raise ValueError(say("number the entries from 1 and leave none out"))
            if part == len(here):
                here.append(empty)
            here = here[part]
        else:
            here = here.setdefault(part, empty)
        if not isinstance(here, dict | list) or isinstance(following, int) != isinstance(here, list):
            raise ValueError(say("there is something else at {key} already", key=part))
    here[at[-1]] = value


def _complaint(row: Row, problem: Problem) -> str:
    """At the column that it is about; one that only follows from another column is said to be of that key."""
    text = say("{wrong}; right would be: {remedy}", wrong=problem.wrong, remedy=problem.remedy)
    key = problem.key
    column = next((column for column in row.cells if column == key), None)
    if column is None:
        column = next((column for column in row.cells if key.startswith(f"{column}.")), None)
    return _at(row, column or key, text, known=column is not None)


def _at(row: Row, column: str, text: str, *, known: bool = True) -> str:
    if known:
        return say("row {row}, column {column}: {text}", row=row.number, column=column, text=text)
    return say("row {row}, no column for {key}: {text}", row=row.number, key=column, text=text)


def write(made: Made, folder: Path) -> None:
    """Raises Refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if made.pins:
            _write_pins(made.pins, folder / "pins.csv")
    except OSError as error:
        raise Refused(say("{file} cannot be written: {why}", file=folder, why=error.strerror)) from error
    for draft in made.drafts:
        draft.save()


def _write_pins(pins: Iterable[tuple[str, str, str, str]], file: Path) -> None:
    """With a byte order mark, without which Excel shows Chinese wrongly; readable by its owner alone."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as table:
        os.fchmod(descriptor, 0o600)
        csv.writer(table).writerows([("venue", "person", "name", "PIN"), *pins])
