"""Who knows whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("gateway", "drivers")
    for path in (ROOT / package).rglob("*.py")
}


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a file names anywhere, for the type checker and inside functions too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            whole = [f"{node.module}.{each.name}" for each in node.names]
            yield from (name if name in MODULES else node.module for name in whole if node.module in MODULES)


def test_no_module_knows_itself_by_way_of_others() -> None:
    """Imports of `gateway` and `drivers` make no circle, so that every part can be read and tested by itself."""
    graph = {name: {*imported(path)} - {name} for name, path in MODULES.items()}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" > ".join(error.args[1]))
    assert "gateway.venue" in graph["gateway.engine"]  # the graph is one of real imports


def test_drivers_know_no_gateway() -> None:
    """A driver turns bytes into measurements and knows nothing of the application round it."""
    above = {
        name
        for name, path in MODULES.items()
        if name.startswith("drivers") and any(each.startswith("gateway") for each in imported(path))
    }

    assert set() == above
