"""`venue-gateway check` and `venue-gateway config sample | show | schema`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from datetime import date, time
from pathlib import Path
from typing import Any

from gateway.catalogue import N_, say
from gateway.codes import code
from gateway.configuration.complaints import Problem
from gateway.configuration.config import Config
from gateway.configuration.settings import Checked, check

DONE, UNUSABLE = 0, 78
_SEVERITIES = {"error": N_("error: {wrong}"), "warning": N_("warning: {wrong}")}
_SAMPLES = (  # where the example is in an installed package, and in a checkout
    Path(__file__).parent.parent / "samples" / "small-school.toml",
    Path(__file__).parent.parent.parent / "firmware_config" / "examples" / "small-school.toml",
)


def check_main(args: argparse.Namespace) -> int:
    """Prints every problem; 0 when there is no error, 78 otherwise."""
    checked = check(args.config)
    if args.json:
        print(json.dumps(_as_json(checked), ensure_ascii=False, indent=2))
    else:
        _print(checked.problems, sys.stdout)
        print(_verdict(checked, args.config))
    return DONE if checked.good else UNUSABLE


def config_main(args: argparse.Namespace) -> int:
    """`args.action` says which: sample, show (with `config`, `effective`, `json`) or schema."""
    if args.action == "sample":
        print(sample(), end="")
        return DONE
    if args.action == "schema":
        print(json.dumps(Config.model_json_schema(by_alias=True), ensure_ascii=False, indent=2))
        return DONE
    checked = check(args.config)
    if checked.config is None:
        _print(checked.problems, sys.stderr)
        return UNUSABLE
    shown = tables(checked.config, effective=args.effective)
    print(json.dumps(shown, ensure_ascii=False, indent=2, default=str) if args.json else toml(shown), end="\n")
    return DONE


def sample() -> str:
    """The commented example that `check` accepts."""
    return next(path for path in _SAMPLES if path.is_file()).read_text(encoding="utf-8")


def tables(config: Config, *, effective: bool) -> dict[str, Any]:
    """The configuration as tables again: with every default, or only what was given."""
    return config.model_dump(by_alias=True, exclude_none=True, exclude_unset=not effective)


def toml(table: dict[str, Any], name: str = "") -> str:
    """TOML of nested tables; what it gives, `tomllib` reads back as the same."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict) and not _are_tables(value)}
    text = "".join(f"{_key(key)} = {_value(value)}\n" for key, value in plain.items())
    for key, value in table.items():
        inner = f"{name}.{_key(key)}" if name else _key(key)
        if isinstance(value, dict):
            bare = bool(value) and all(isinstance(item, dict) for item in value.values())  # [contact] says nothing
            text += ("" if bare else f"\n[{inner}]\n") + toml(value, inner)
        elif _are_tables(value):
            text += "".join(f"\n[[{inner}]]\n{toml(item, inner)}" for item in value)
    return text


def _are_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, dict) for item in value)


def _key(key: str) -> str:
    return (
        key if key.replace("-", "").replace("_", "").isascii() and key.replace("-", "_").isidentifier() else _text(key)
    )


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case int() | float():
            return repr(value)
        case date() | time():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(_value(item) for item in value)}]"
        case dict():
            return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
        case _:
            raise TypeError(f"no TOML for {value!r}")


def _text(text: str) -> str:
    """JSON's escapes are TOML's, but for DEL and lone surrogates, which no file read as UTF-8 holds."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _print(problems: Iterable[Problem], where: Any) -> None:
    for problem in problems:
        line = say(N_(", line {line}"), line=problem.line) if problem.line else ""
        print(f"{problem.file}{line}  {problem.key}", file=where)
        print(
            f"  {say(_SEVERITIES[problem.severity], wrong=problem.wrong)}  [{code(problem.wrong.message)}]", file=where
        )
        print("  " + say("right would be: {remedy}", remedy=problem.remedy) + "\n", file=where)


def _verdict(checked: Checked, path: Path) -> str:
    errors = sum(problem.severity == "error" for problem in checked.problems)
    warnings = len(checked.problems) - errors
    if checked.good:
        return say(N_("{file} can be used; warnings: {warnings}"), file=path, warnings=warnings)
    return say(
        N_("{file} cannot be used; errors: {errors}, warnings: {warnings}"), file=path, errors=errors, warnings=warnings
    )


def _as_json(checked: Checked) -> dict[str, Any]:
    return {
        "usable": checked.good,
        "sha256": checked.sha256,
        "problems": [
            {
                "file": p.file,
                "line": p.line or None,
                "key": p.key,
                "severity": p.severity,
                "code": code(p.wrong.message),
                "wrong": str(p.wrong),
                "remedy": str(p.remedy),
            }
            for p in checked.problems
        ],
    }
