"""What is wrong with a configuration, in words that the person who wrote it can act on.

A `Problem` keeps its messages and their values apart, so that it can be said in any language later.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from gateway.catalogue import LANGUAGES, N_, both, say
from gateway.configuration.config import Config

Location = tuple[str | int, ...]  # ("session", 1, "start"), ("contact", "leak-button", "pin")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A catalogue message and its values."""

    message: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return say(self.message, **self.values)

    def both(self) -> dict[str, str]:
        said = {}
        for language in LANGUAGES:
            values = {k: v.both()[language] if isinstance(v, Phrase) else v for k, v in self.values.items()}
            said[language] = both(self.message, **values)[language]
        return said


def phrase(message: str, /, **values: object) -> Phrase:
    return Phrase(message, values)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong at one place. `line` counts from 1; 0 where no line can be named."""

    file: str
    at: Location
    wrong: Phrase
    remedy: Phrase
    severity: Literal["error", "warning"] = "error"
    line: int = 0
    # Something round the file is wrong (a certificate is missing), not the file: no reason to refuse it for ever.
    outside: bool = False

    @property
    def key(self) -> str:
        """`contact.leak-button.pin`; arrays count from 1, as people do: `session[2].start`."""
        text = ""
        for part in self.at:
            text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
        return text.removeprefix(".")

    def __str__(self) -> str:
        where = ":".join(filter(None, (self.file, str(self.line or ""))))
        return ": ".join(filter(None, (where, self.key, f"{self.wrong}; {self.remedy}")))


def error(at: Location, wrong: Phrase, remedy: Phrase) -> Problem:
    return Problem("", at, wrong, remedy)


def warning(at: Location, wrong: Phrase, remedy: Phrase) -> Problem:
    return Problem("", at, wrong, remedy, "warning")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    found = difflib.get_close_matches(name.lower(), list(known), 1, cutoff=0.6)
    return found[0] if found else None


def meant(name: str, known: Iterable[str]) -> Phrase:
    """A remedy for an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    near = nearest(name, known)
    if near is not None:
        return phrase(N_("did you mean {near}?"), near=near)
    if not known:
        return phrase(N_("there is none yet; remove the line, or add what it names"))
    return phrase(N_("known are: {known}"), known=", ".join(known))


EXAMPLES = {  # what a right line looks like, by the last key
    "id": 'id = "zj-no1"',
    "name": 'name = "湛江市第一中学考点"',
    "start": "start = 2026-06-07T09:00:00",
    "end": "end = 2026-06-07T11:30:00",
    "from": 'from = "12:00"',
    "to": 'to = "14:30"',
    "pin": "pin = 17",
    "pin_other": "pin_other = 18",
    "lamp_pin": "lamp_pin = 22",
    "buzzer_pin": "buzzer_pin = 23",
    "driver": 'driver = "renke_rs_zs"',
    "port": 'port = "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0"',
    "mqtt.port": "port = 8883",
    "bus": 'bus = "rs485"',
    "address": "address = 1",
    "point": 'point = "gate-noise/laeq_1min"',
    "above": "above = 55.0",
    "below": "below = 18.0",
    "during": 'during = ["session"]',
    "streams": 'streams = ["custody", "gateway"]',
    "may": 'may = ["ack", "reset"]',
    "host": 'host = "broker.example"',
    "steps": 'steps = [{ after = "60s", to = "siren" }]',
    "url": 'url = "http://influx.example:8086"',
    "duties": 'duties = ["patrol", "daily-report"]',
    "listening": "listening = [{ start = 2026-06-08T15:00:00, end = 2026-06-08T15:25:00 }]",
    "rule_sets": 'rule_sets = ["gb3096-2008"]',
    "latitude": "latitude = 21.27",
    "longitude": "longitude = 110.36",
}
ARRAYS = ("session", "quiet", "person", "station")  # written [[session]], once for each
SECRETS = {  # keys that would put a secret into the file, and what stands in their place
    "password": "password_file",
    "token": "token_file",
    "secret": "password_file",
    "passwd": "password_file",
    "username": "user",
}
_KINDS = {
    "string_type": N_("text in quotes"),
    "int_type": N_("a whole number"),
    "float_type": N_("a number"),
    "bool_type": N_("true or false"),
    "datetime_type": N_("a date with a time, without quotes"),
    "tuple_type": N_("a list in square brackets"),
    "dict_type": N_("a table"),
    "model_type": N_("a table"),
    "model_attributes_type": N_("a table"),
    "finite_number": N_("a number"),
}
_BOUNDS = {
    "greater_than_equal": ("ge", N_("it must be at least {bound}")),
    "greater_than": ("gt", N_("it must be more than {bound}")),
    "less_than_equal": ("le", N_("it must be at most {bound}")),
    "less_than": ("lt", N_("it must be less than {bound}")),
}


def shape_problems(details: Iterable[ErrorDetails]) -> list[Problem]:
    """Complaints of pydantic about single keys, in plain words; a key that is only misspelt is not missing as well."""
    found = []
    misspelt = set()
    for detail in details:
        at = tuple(part for part in detail["loc"] if part != "[key]")
        wrong, remedy = _words(at, detail)
        found.append((detail["type"], error(at, wrong, remedy)))
        if detail["type"] == "extra_forbidden" and "near" in remedy.values:
            misspelt.add((*at[:-1], remedy.values["near"]))
    return [problem for kind, problem in found if kind != "missing" or problem.at not in misspelt]


def _words(at: Location, detail: ErrorDetails) -> tuple[Phrase, Phrase]:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    last = str(at[-1]) if at else ""
    if kind == "extra_forbidden":
        return _unknown_key(at)
    if kind == "missing":
        parent = Problem("", at[:-1], Phrase(""), Phrase("")).key or N_("the file")
        return phrase(N_("{key} is missing in {table}"), key=last, table=parent), _like(last)
    if kind == "value_error":
        return phrase(N_("{given} is not understood"), given=_shown(given)), Phrase(str(context["error"]))
    if kind == "literal_error":
        choices = [word or number for word, number in re.findall(r"'([^']*)'|(\d+)", context["expected"])]
        if not isinstance(given, str) and str(given) in choices and f"'{given}'" in context["expected"]:
            wrong = phrase(N_("{given} is no text in quotes"), given=_shown(given))
            return wrong, phrase(N_("write for example: {example}"), example=f'{last} = "{given}"')
        return phrase(N_("{given} is none of the possible words"), given=_shown(given)), meant(str(given), choices)
    if kind in _BOUNDS:
        name, message = _BOUNDS[kind]
        return phrase(N_("{given} is out of range"), given=_shown(given)), phrase(message, bound=context[name])
    if kind == "string_pattern_mismatch":
        return _misspelt(last, given)
    if kind == "string_too_short":
        return phrase(N_("it is empty")), _like(last)
    return _wrong_type(at, kind, given)


def _wrong_type(at: Location, kind: str, given: object) -> tuple[Phrase, Phrase]:
    last = str(at[-1]) if at else ""
    if len(at) == 1 and last in ARRAYS:
        return (
            phrase(N_("[{key}] has single brackets, but there may be several"), key=last),
            phrase(N_("write [[{key}]] with double brackets above each one"), key=last),
        )
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return (
            phrase(N_("{given} stands where a table belongs"), given=_shown(given)),
            phrase(N_("begin a table with a line such as {example}"), example=_header(at)),
        )
    wanted = _KINDS.get(kind)
    if wanted is None:
        return phrase(N_("{given} cannot be used here"), given=_shown(given)), _like(last)
    return (
        phrase(N_("{given} is {kind}"), given=_shown(given), kind=_kind_of(given)),
        _like(
            "mqtt.port" if at[0] == "mqtt" and last == "port" else last,
            phrase(N_("it must be {kind}"), kind=Phrase(wanted)),
        ),
    )


def _unknown_key(at: Location) -> tuple[Phrase, Phrase]:
    key = str(at[-1])
    wrong = phrase(N_("there is no key {key} here"), key=key)
    known = list(keys_at(at[:-1]))
    if key in SECRETS and SECRETS[key] in known:
        message = N_("secrets never stand in this file: write it into a file of its own and give {key} = its name")
        return wrong, phrase(message, key=SECRETS[key])
    return wrong, meant(key, known)


def _misspelt(last: str, given: object) -> tuple[Phrase, Phrase]:
    if last == "pin" and isinstance(given, str):
        return (
            phrase(N_("a person's PIN never stands in this file in plain")),
            phrase(N_("make the line with: venue-gateway person add")),
        )
    if last == "key":
        return (
            phrase(N_("{given} is no public key"), given=_shown(given)),
            phrase(N_("make the line with: venue-gateway person add, or station add")),
        )
    return (
        phrase(N_("{given} cannot be a name"), given=_shown(given)),
        phrase(N_("names have small letters a-z, digits and hyphens, at most 48, and begin with a letter or digit")),
    )


def keys_at(at: Location) -> Iterable[str]:
    """The keys that the table at a place may have, as they are written."""
    model = _model_at(at)
    return [info.alias or name for name, info in model.model_fields.items()] if model is not None else []


def required_at(at: Location) -> bool:
    """Whether the key at this place must be there."""
    model = _model_at(at[:-1])
    fields = {} if model is None else {info.alias or name: info for name, info in model.model_fields.items()}
    return bool(at) and at[-1] in fields and fields[str(at[-1])].is_required()


def field_at(at: Location) -> Any:
    """The type of the key at this place; None where any key may stand, or none."""
    model = _model_at(at[:-1])
    fields = {} if model is None else {info.alias or name: info for name, info in model.model_fields.items()}
    info = fields.get(str(at[-1])) if at else None
    return None if info is None else Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _model_at(at: Location) -> type[BaseModel] | None:
    model: type[BaseModel] | None = Config
    inside = False  # a dict of tables or an array: the next part is a name or an index
    for part in at:
        if inside:
            inside = False
            continue
        fields = {} if model is None else {info.alias or name: info for name, info in model.model_fields.items()}
        info = fields.get(str(part))
        model, inside = (None, False) if info is None else _table_in(info.annotation)
    return None if inside else model


def _table_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The table that a field holds, and whether it holds several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    several = getattr(annotation, "__origin__", None) in (tuple, dict)
    for part in get_args(annotation):
        found, _ = _table_in(part)
        if found is not None:
            return found, several
    return None, False


def _like(last: str, otherwise: Phrase | None = None) -> Phrase:
    if last in EXAMPLES:
        return phrase(N_("write for example: {example}"), example=EXAMPLES[last])
    return otherwise or phrase(N_("add a line {key} = ..."), key=last)


def _header(at: Location) -> str:
    names = [part for part in at if isinstance(part, str)]
    if names and names[0] in ARRAYS:
        return f"[[{names[0]}]]"
    if names and names[0] in ("contact", "device", "bus", "rule") and len(names) == 1:
        names.append("name")
    return f"[{'.'.join(names)}]"


def _kind_of(value: object) -> Phrase:
    match value:
        case bool():
            return Phrase(N_("true or false"))
        case str():
            return Phrase(N_("text in quotes"))
        case int():
            return Phrase(N_("a whole number"))
        case float():
            return Phrase(N_("a number"))
        case date() | time():
            return Phrase(N_("a date or time"))
        case list() | tuple():
            return Phrase(N_("a list in square brackets"))
        case dict():
            return Phrase(N_("a table"))
        case _:
            return Phrase(N_("something else"))


def _shown(value: object) -> str:
    """A value as it may stand in a message: short, and on one line."""
    text = repr(value) if isinstance(value, str | bool | int | float) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    return text if len(text) <= 60 else text[:57] + "..."
