"""Holds messages against `docs/asyncapi.yaml`: every message that a test sees ought to pass `problems`."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

FILE = Path(__file__).parent.parent / "docs" / "asyncapi.yaml"


@cache
def document() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@cache
def channels() -> list[tuple[re.Pattern[str], str]]:
    """A pattern for each channel's topics, and the name of its message."""
    found = []
    for name, channel in document()["channels"].items():
        address = channel["address"].replace("exam/", "exam(-sim)?/").replace("{stream}", _streams())
        found.append((re.compile(re.sub(r"\{\w+\}", "[^/]+", address)), name))
    return found


def _streams() -> str:
    return "(" + "|".join(document()["components"]["parameters"]["stream"]["enum"]) + ")"


@cache
def validator(message: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{message}", "components": document()["components"]}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def problems(topic: str, payload: bytes) -> list[str]:
    """What is wrong with a message, in words; nothing when it is as agreed."""
    name = next((name for pattern, name in channels() if pattern.fullmatch(topic)), None)
    if name is None:
        return [f"{topic}: no such channel"]
    try:
        message = json.loads(payload)
    except ValueError as error:
        return [f"{topic}: {error}"]
    found = [f"{topic}: {error.json_path}: {error.message}" for error in validator(name).iter_errors(message)]
    if name == "reading" and not found:
        lengths = {len(series[key]) for series in message["points"] for key in ("after_ms", "value", "quality")}
        found += [f"{topic}: lists of different lengths"] if any(_uneven(each) for each in message["points"]) else []
        found += [f"{topic}: an empty list"] if 0 in lengths else []
    return found


def _uneven(series: dict[str, Any]) -> bool:
    return len({len(value) for value in series.values() if isinstance(value, list)}) > 1
