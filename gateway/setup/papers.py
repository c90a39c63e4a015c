"""Plans of papers to begin with, and what of them becomes the configuration's sessions and custody."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.configuration.config import Clock, Table

PAPERS_COME = timedelta(days=2)  # before the first paper, and the answer sheets leave within as many after the last
_FILE = Path(__file__).with_name("papers.toml")


class Title(Table):
    zh: str
    en: str


class Paper(Table):
    name: str
    day: Annotated[int, Field(ge=0, le=14)]
    start: Clock
    end: Clock
    listening: tuple[int, int] | None = None
    proof: Literal["secondary", "unverified"]


class Plan(Table):
    name: str
    title: Title
    papers: tuple[Paper, ...]


@cache
def plans() -> Mapping[str, Plan]:
    read = tomllib.loads(_FILE.read_text(encoding="utf-8"))["plan"]
    return {plan["name"]: Plan.model_validate(plan) for plan in read}


def doubtful(plan: str) -> frozenset[str]:
    """The papers of a plan whose times nothing vouches for; none of what is no plan."""
    found = plans().get(plan)
    return frozenset() if found is None else frozenset(p.name for p in found.papers if p.proof == "unverified")


def sessions(plan: Plan, first: date) -> list[dict[str, Any]]:
    """The plan's papers as `[[session]]` tables, the first day being `first`."""
    return [_session(paper, first + timedelta(days=paper.day)) for paper in plan.papers]


def _session(paper: Paper, day: date) -> dict[str, Any]:
    start = datetime.combine(day, paper.start)
    table: dict[str, Any] = {"name": paper.name, "start": start, "end": datetime.combine(day, paper.end)}
    if paper.listening is not None:
        begins, ends = (start + timedelta(minutes=minute) for minute in paper.listening)
        table["listening"] = [{"start": begins, "end": ends}]
    return table


def custody(papers: list[dict[str, Any]]) -> dict[str, Any]:
    """Two days round the papers, to be corrected by whoever knows when they come."""
    first, last = min(each["start"] for each in papers), max(each["end"] for each in papers)
    return {
        "start": datetime.combine(first.date() - PAPERS_COME, time(16)),
        "end": datetime.combine(last.date() + PAPERS_COME, time(18)),
    }
