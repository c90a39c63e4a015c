"""A TOML file as people and power cuts leave it: every way in which it cannot be read has a sentence of its own."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.catalogue import N_
from gateway.configuration.complaints import ARRAYS, Location, Phrase, Problem, error, phrase, warning

LARGEST_BYTES = 1 << 20
_UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_WIDE = re.compile("[“”‘’，＝：；【】（）［］｛｝　。．＂＇]")  # what a Chinese keyboard puts where TOML needs ASCII
_AT_LINE = re.compile(r"\(at line (\d+),")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")
_SAVE = N_("save it as UTF-8; in Windows Notepad: Save as, encoding UTF-8")


class Unreadable(Exception):
    """The file gives no table at all."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Parsed:
    table: dict[str, Any]
    text: str
    warnings: tuple[Problem, ...]


def read(path: Path) -> bytes:
    """The file's bytes. Raises Unreadable; never waits, whatever the name stands for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable(error((), phrase(N_("this is no file")), phrase(N_("give the name of the TOML file"))))
            data = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as trouble:
        raise Unreadable(_not_opened(path, trouble)) from trouble
    if len(data) > LARGEST_BYTES:
        wrong = phrase(N_("the file is larger than {size} KiB"), size=LARGEST_BYTES >> 10)
        raise Unreadable(error((), wrong, phrase(N_("give the configuration, not some other file"))))
    return data


def _not_opened(path: Path, trouble: Exception) -> Problem:
    match trouble:
        case FileNotFoundError():
            return error((), phrase(N_("there is no such file")), phrase(N_("check the name: {file}"), file=path))
        case IsADirectoryError():
            return error((), phrase(N_("this is no file")), phrase(N_("give the name of the TOML file")))
        case PermissionError():
            wrong = phrase(N_("the file may not be read by this user"))
            return error(
                (), wrong, phrase(N_("begin the command with sudo; for the service: chgrp venue-gateway and chmod g+r"))
            )
        case _:
            wrong = phrase(N_("the file cannot be read ({cause})"), cause=str(trouble))
            return error((), wrong, phrase(N_("check the card and the name")))


def parse(data: bytes) -> Parsed:
    """The table in the bytes. Raises Unreadable with the line, where there is one."""
    text, warnings = _decoded(data)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as trouble:
        raise Unreadable(_not_toml(text, trouble)) from trouble
    if not table:
        wrong = phrase(N_("there is nothing in the file"))
        raise Unreadable(error((), wrong, phrase(N_("begin with: venue-gateway config sample > venue.toml"))))
    return Parsed(table, text, warnings)


def _decoded(data: bytes) -> tuple[str, tuple[Problem, ...]]:
    if data.startswith(_UTF16_MARKS):
        raise Unreadable(error((), phrase(N_("the file is saved as UTF-16 (Unicode)")), Phrase(_SAVE)))
    if b"\0" in data:
        wrong = phrase(N_("the file holds zero bytes, as after a power cut while it was written"))
        raise Unreadable(error((), wrong, phrase(N_("bring it back from your copy"))))
    warnings: tuple[Problem, ...] = ()
    if data.startswith(_UTF8_MARK):
        data = data.removeprefix(_UTF8_MARK)
        warnings = (warning((), phrase(N_("the file begins with a byte order mark")), Phrase(_SAVE)),)
    try:
        return data.decode(), warnings
    except UnicodeDecodeError as trouble:
        line = data[: trouble.start].count(b"\n") + 1
        message = N_("the letters are not UTF-8 but GBK") if _is_gbk(data) else N_("the letters are not UTF-8")
        raise Unreadable(Problem("", (), Phrase(message), Phrase(_SAVE), line=line)) from trouble


def _is_gbk(data: bytes) -> bool:
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


_SENTENCES = (  # how a complaint of tomllib begins, and what it means to the person at the keyboard
    ("Cannot declare", N_("this table is there already"), N_("give it another name, or put its lines into the first")),
    ("Cannot overwrite", N_("this key is there already"), N_("remove one of the two lines")),
    ("Cannot mutate", N_("this table was closed further up"), N_("put its lines into the one place")),
    ("Expected '='", N_("there is no = after the key"), N_('a line is: key = value, such as name = "..."')),
    (
        "Invalid value",
        N_("what stands after = is not understood"),
        N_("text stands in quotes, numbers and times do not"),
    ),
    ("Invalid date", N_("there is no such day or time"), N_("write for example: 2026-06-07T09:00:00")),
    ("Unterminated", N_("a text is not closed"), N_("put a quote at its end")),
    ("Illegal character '\\n'", N_("a text is not closed"), N_("put a quote at its end")),
    ("Unclosed", N_("a list or table is not closed"), N_("put the closing bracket")),
)


def _not_toml(text: str, trouble: Exception) -> Problem:
    message = str(trouble)
    found = _AT_LINE.search(message)
    lines = text.splitlines()
    line = int(found[1]) if found else len(lines)
    wide = _WIDE.search(lines[line - 1].partition("#")[0]) if 0 < line <= len(lines) else None
    if wide is not None:
        wrong = phrase(N_("the sign {sign} is of a Chinese keyboard"), sign=wide[0])
        return Problem("", (), wrong, phrase(N_("type it again with the keyboard set to English")), line=line)
    for begins, wrong_text, remedy_text in _SENTENCES:
        if message.startswith(begins):
            return Problem("", (), Phrase(wrong_text), Phrase(remedy_text), line=line)
    wrong = phrase(N_("the line is not understood"))
    remedy = phrase(N_("compare it with: venue-gateway config sample"))
    return Problem("", (), wrong, remedy, line=line)


def line_of(text: str, at: Location) -> int:
    """The line, from 1, on which a place of the table stands, or the nearest table round it; 0 when none is found."""
    best, best_length = 0, 0
    table: Location = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            names = _names(header[2])
            if header[1] == "[[" and names[0] in ARRAYS:
                counts[names[0]] = counts.get(names[0], -1) + 1
            table = (names[0], counts[names[0]], *names[1:]) if names[0] in counts else tuple(names)
            place = table
        elif key := _KEY.match(line):
            place = (*table, *_names(key[1]))
        else:
            continue
        if best_length < len(place) and place == at[: len(place)]:
            best, best_length = number, len(place)
    return best


def _names(dotted: str) -> list[str]:
    return [name.strip().strip("\"'") for name in dotted.split(".")]
