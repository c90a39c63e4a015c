"""The pages of the documents that are made from the code: `python docs/make_reference.py` (make reference).

errors.md: every sentence of an error, by its code, and every check of the doctor. reference/commands.md: each command
with its options. reference/configuration.md: each key with its type and default. reference/topics.md: every topic.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from gateway import catalogue
from gateway.catalogue import choose
from gateway.cli import build_parser
from gateway.codes import GENERAL, code
from gateway.configuration.config import Config
from gateway.doctor.registry import CHECKS

ROOT = Path(__file__).parent.parent
_CODE = ROOT / "gateway"
_MAKES = ("say", "phrase", "N_", "both")
_RAISES = (
    *("Refused", "Unavailable", "ConfigError", "PortError", "LinkLost", "PinTrouble", "Unreadable"),
    *("error", "warning"),  # of `complaints`
)
# Families by where the sentence stands: title, and what to do first.
FAMILIES: dict[str, tuple[tuple[str, ...], str]] = {
    "Configuration": (
        ("settings", "complaints", "consistency", "toml_file", "config", "pruning", "last_good", "rule_sets"),
        "`venue-gateway check venue.toml` names every problem at once; meanwhile the last good file is in force.",
    ),
    "First set-up": (("setup",), "Nothing is written until everything is right ([setup](setup.md))."),
    "Ports and instruments": (
        ("sources", "survey_cli", "bus_check", "lending", "devices_cli", "known_units"),
        "`venue-gateway doctor venue.toml` looks at ports and lines ([installing devices](installing-devices.md)).",
    ),
    "Brokers and databases": (
        ("sinks", "hj212", "influx"),
        "What is not taken waits in the record. `venue-gateway doctor venue.toml` tries name, port, trust and login.",
    ),
    "People and commands": (
        ("people", "control", "acts", "deeds", "local", "signing", "alarm_refusals", "day", "alarms", "answers"),
        "Nothing was changed. `venue-gateway alarms` shows what stands, and the configuration's `may` who may do what.",
    ),
    "The record": (("journal", "report", "minutes"), "The record is never rewritten ([record](record.md))."),
    "The station": (("station",), "The far side ([station](station.md))."),
    "Simulation": (("simulate",), "A simulated venue only ([simulator](simulator.md))."),
    "The program": ((), "If it stays, send `venue-gateway doctor venue.toml --bundle support.tar.gz` to support."),
}


def main() -> int:
    folder = ROOT / "docs"
    for name, text in pages().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> dict[str, str]:
    """Every page by its name below docs/."""
    choose("en")
    return {
        "errors.md": errors_page(),
        "reference/commands.md": commands_page(),
        "reference/configuration.md": configuration_page(),
        "reference/topics.md": topics_page(),
    }


# ---- errors -----------------------------------------------------------------------------------------------------


@cache
def messages() -> dict[str, str]:
    """The sentences of every module that raises an error for people, each with the module it stands in."""
    found: dict[str, str] = {}
    for path in sorted(_CODE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not any(_calls(node, _RAISES) for node in ast.walk(tree)):
            continue
        for node in ast.walk(tree):
            if _calls(node, _MAKES) and node.args and isinstance(node.args[0], ast.Constant):
                found.setdefault(str(node.args[0].value), path.relative_to(_CODE).with_suffix("").as_posix())
    return found


def _calls(node: ast.AST, names: tuple[str, ...]) -> Any:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def family(module: str) -> str:
    first = module.split("/", maxsplit=1)[0]
    return next(
        (name for name, (parts, _) in FAMILIES.items() if first in parts or f"{first}_cli" in parts), "The program"
    )


def errors_page() -> str:
    lines = [
        "# Errors and findings by their codes",
        "",
        "Made from the code by `make reference`. A message ends in its code, such as `[E-7K3QX]`: look for it here.",
        "Below each heading stands what to do first. The sentences themselves say what would be right.",
        "",
        "## Where no sentence of ours is at hand",
        "",
        "| code | means |",
        "|---|---|",
        f"| `{GENERAL[_named('ConfigError')]}` | the configuration cannot be used: `venue-gateway check` says why |",
        f"| `{GENERAL[_named('Refused')]}` | it will not be done so; the words are another program's |",
        f"| `{GENERAL[_named('Unavailable')]}` | the other side cannot do it now; try again |",
        "",
        "## The doctor's checks",
        "",
        "| check | about | why it matters |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{check.name}` | {check.title} {_zh(check.title)} | {check.why} {_zh(check.why)} |" for check in CHECKS
    ]
    by_family: dict[str, list[tuple[str, str]]] = {}
    for message, module in messages().items():
        by_family.setdefault(family(module), []).append((code(message), message))
    for name, (_, first) in FAMILIES.items():
        lines += ["", f"## {name}", "", first, "", "| code | message | |", "|---|---|---|"]
        lines += [f"| `{c}` | {_cell(m)} | {_cell(_zh(m))} |" for c, m in sorted(by_family.get(name, []))]
    return "\n".join(lines) + "\n"


def _named(name: str) -> type[Exception]:
    return next(kind for kind in GENERAL if kind.__name__ == name)


def _zh(message: str) -> str:
    return catalogue._translations("zh").get(message, "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# ---- the command line -------------------------------------------------------------------------------------------


def commands_page() -> str:
    lines = [
        "# Every command and option",
        "",
        "Made from the code by `make reference`; `venue-gateway COMMAND --help` says the same.",
        "",
    ]
    for name, parser in _parsers(build_parser(), ""):
        lines += [f"## venue-gateway {name}", "", parser.description or "", ""]
        rows = [row for action in parser._actions if (row := _option(action)) is not None]
        if rows:
            lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _parsers(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if name and not below:
        yield name, parser
    for action in below:
        for word, each in action.choices.items():
            yield from _parsers(each, f"{name} {word}".strip())


def _option(action: argparse.Action) -> str | None:
    if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return None
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest).upper()
    value = ""
    if action.option_strings and action.nargs != 0:
        value = f" {action.metavar or '|'.join(map(str, action.choices or ())) or action.dest.upper()}"
    text = str(action.help or "").split(" (default:")[0] if "%(default)" in str(action.help) else str(action.help or "")
    return f"| `{_cell(name + value)}` | {_cell(text)} |"


# ---- the configuration ------------------------------------------------------------------------------------------


def configuration_page() -> str:
    schema = Config.model_json_schema(by_alias=True)
    known = schema["$defs"]
    lines = [
        "# Every key of the configuration",
        "",
        "Made from the code by `make reference`. [configuration.md](../configuration.md) explains.",
        "",
    ]
    for key, value in schema["properties"].items():
        name, table = _table_of(value, known)
        if table is None:
            lines += [f"## {key}", "", f"`{key}`: {_type(value, known)}", ""]
            continue
        head = {"array": f"[[{key}]]", "map": f"[{key}.NAME]", "one": f"[{key}]"}[name]
        lines += [f"## {head}", "", *_rows(table, known)]
    return "\n".join(lines)


def _table_of(value: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """How a table is written, and its schema; None for a plain value."""
    for each in (value, *value.get("anyOf", ())):
        if "$ref" in each:
            return "one", known[each["$ref"].rpartition("/")[2]]
        if "$ref" in each.get("items", {}):
            return "array", known[each["items"]["$ref"].rpartition("/")[2]]
        if "$ref" in (
            each.get("additionalProperties") or {} if isinstance(each.get("additionalProperties"), dict) else {}
        ):
            return "map", known[each["additionalProperties"]["$ref"].rpartition("/")[2]]
    return "", None


def _rows(table: Mapping[str, Any], known: Mapping[str, Any], before: str = "") -> list[str]:
    lines = [] if before else ["| key | type | default |", "|---|---|---|"]
    for key, value in table.get("properties", {}).items():
        how, inner = _table_of(value, known)
        if inner is not None and how == "one" and inner is not table and "properties" in inner:
            lines += _rows(inner, known, f"{before}{key}.")
            continue
        default = "must be given" if key in table.get("required", ()) else f"`{_shown(value.get('default'))}`"
        lines.append(f"| `{before}{key}` | {_cell(_type(value, known))} | {_cell(default)} |")
    return lines if before else [*lines, ""]


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
    return str(value)


def _type(value: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if "$ref" in value:
        return _type(known[value["$ref"].rpartition("/")[2]], known)
    if "anyOf" in value:
        return " or ".join(_type(each, known) for each in value["anyOf"] if each.get("type") != "null")
    if "enum" in value or "const" in value:
        return ", ".join(f'"{each}"' for each in value.get("enum", [value.get("const")]))
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}), known)}" if value.get("items") else "list"
    bounds = [
        f"from {value['minimum']:g}" if "minimum" in value else "",
        f"to {value['maximum']:g}" if "maximum" in value else "",
    ]
    kind = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "object": "table",
    }
    if value.get("examples") == ["20ms", "5s", "10m"]:
        return "duration"
    if value.get("format") == "date-time":
        return "time"
    return " ".join(filter(None, (kind.get(str(value.get("type")), "value"), *bounds)))


# ---- topics -----------------------------------------------------------------------------------------------------


def topics_page() -> str:
    """From docs/asyncapi.yaml, against which every message is tested."""
    described = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))
    lines = [
        "# Every topic",
        "",
        "Made from [asyncapi.yaml](../asyncapi.yaml) by `make reference`. The root is `exam/v1/{venue}`.",
        "",
    ]
    lines += ["| topic | what |", "|---|---|"]
    for channel in described["channels"].values():
        text = str(channel.get("description") or channel.get("summary") or channel.get("title") or "")
        lines.append(f"| `{channel['address']}` | {_cell(' '.join(text.split()))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
