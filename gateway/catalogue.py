"""People's messages in Chinese and English, from one catalogue (`gateway/locale/zh.po`).

The code holds the English text with `{name}` fields; `make messages` collects it into the catalogue, where the Chinese
is written. The catalogue is read as it is: a compiled copy could be stale.
"""

from __future__ import annotations

import json
import locale
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("zh", "en")
_LOCALE = Path(__file__).parent / "locale"
_chosen = "en"


def choose(language: str | None = None) -> str:
    """Choose the language of `say`: the one given, else by LC_ALL, LC_MESSAGES, LANG; English when neither fits."""
    global _chosen  # noqa: PLW0603  one language a process, chosen once at its start
    wanted = language or next((os.environ[k] for k in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(k)), "")
    _chosen = "zh" if locale.normalize(wanted).lower().startswith("zh") else "en"
    return _chosen


def chosen() -> str:
    """The language of `say`."""
    return _chosen


class Said(str):
    """A sentence that remembers what it was made of, so that it can be said in the other language too."""

    __slots__ = ("message", "values")

    message: str
    values: dict[str, object]


def say(message: str, /, **values: object) -> str:
    """The message in the chosen language, with its fields filled in."""
    said = Said(_in(_chosen, message, values))
    said.message, said.values = message, values
    return said


def both(message: str, /, **values: object) -> dict[str, str]:
    """The message in every language, as events carry it."""
    return {language: _in(language, message, values) for language in LANGUAGES}


def sentence(error: Exception) -> str:
    """What an exception says; `str(error)` would forget what `say` remembers."""
    return error.args[0] if error.args and isinstance(error.args[0], Said) else str(error)


def again(said: object) -> dict[str, str]:
    """What `say` made, or an exception of it, in every language; anything else as it is."""
    text = said.args[0] if isinstance(said, Exception) and said.args else said
    return both(text.message, **text.values) if isinstance(text, Said) else dict.fromkeys(LANGUAGES, str(text))


def spoken(answer: Any, language: str) -> Any:
    """A tree of dictionaries and lists, with whatever `say` made in it said in this language."""
    match answer:
        case Said():
            return _in(language, answer.message, answer.values)
        case dict():
            return {key: spoken(value, language) for key, value in answer.items()}
        case list() | tuple():
            return [spoken(value, language) for value in answer]
    return answer


def N_(message: str, /) -> str:  # noqa: N802  gettext's usual name for "translated later"
    return message


def _in(language: str, message: str, values: dict[str, object]) -> str:
    text = message if language == "en" else _translations(language).get(message, message)
    return text.format(**{name: _word(language, value) for name, value in values.items()}) if values else text


def _word(language: str, value: object) -> object:
    """A value that is itself in every language (of `both` or `say`) speaks the one asked for."""
    if isinstance(value, Said):
        return _in(language, value.message, value.values)
    return value[language] if isinstance(value, dict) and language in value else value


@cache
def _translations(language: str) -> Mapping[str, str]:
    """Message and translation; a PO file's quoted lines are JSON's, and several of them in a row are one text."""
    try:
        text = (_LOCALE / f"{language}.po").read_text("utf-8")
    except (OSError, UnicodeDecodeError):  # a failing card costs the Chinese of an alarm, never the alarm
        return {}
    pairs = re.findall(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"(?:\n|\Z))+)', text, re.MULTILINE)
    return {_unquoted(message): _unquoted(said) for message, said in pairs if _unquoted(said) and _unquoted(message)}


def _unquoted(lines: str) -> str:
    return "".join(json.loads(line) for line in lines.splitlines())
