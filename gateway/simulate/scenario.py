"""Scenarios: what happens in a simulated venue, and when. TOML, read strictly; actions as `sim` takes them.

    title = { en = "...", zh = "..." }
    start = 2026-06-07T08:57:00           # the venue's clock at the beginning; `at` counts from here
    speed = 10                            # unless the command line says otherwise

    [[step]]
    at   = "09:01:30"                     # or after = "40s", since the step before
    tell = { en = "...", zh = "..." }     # a line of the story, for whoever watches
    do   = ["gate-noise 71 over 20s"]

Shipped ones lie in `gateway/simulate/scenarios`.
"""

from __future__ import annotations

import shlex
import threading
import time as real_time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from gateway.catalogue import say
from gateway.configuration.config import Duration, Table
from gateway.errors import ConfigError, Refused
from gateway.moment import Clock
from gateway.simulate.actions import parse

SHIPPED = Path(__file__).parent / "scenarios"


def _clock_time(text: object) -> time:
    try:
        return time.fromisoformat(str(text))
    except ValueError as error:
        raise ValueError('a time of day is written "09:12:30"') from error


class Text(Table):
    en: str
    zh: str


class Step(Table):
    at: Annotated[time, BeforeValidator(_clock_time)] | None = None
    after: Duration | None = None
    tell: Text | None = None
    do: tuple[str, ...] = ()
    picture: bool = False  # `demo --record` takes its picture here

    @model_validator(mode="after")
    def _once(self) -> Step:
        if (self.at is None) == (self.after is None):
            raise ValueError('a step has either at = "09:12:30" or after = "40s"')
        for words in self.do:
            name, action = split(words)
            try:
                parse(action)
            except Refused as error:
                raise ValueError(f"{name}: {error}") from error
        return self


class Scenario(Table):
    title: Text
    start: datetime | None = None
    speed: float = Field(default=1.0, gt=0, le=1000)
    step: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Scenario:
        if self.start is not None and self.start.tzinfo is not None:
            raise ValueError("start is the venue's local time, without an offset")
        self.timeline()
        return self

    def timeline(self) -> tuple[Timed, ...]:
        """The steps with their seconds from the beginning."""
        found: list[Timed] = []
        offset_s = 0.0
        for number, step in enumerate(self.step, 1):
            if step.after is not None:
                offset_s += step.after
            elif self.start is None or step.at is None:
                raise ValueError(f"step {number} has a time of day, so the scenario needs a start")
            else:
                when = datetime.combine(self.start, step.at)
                if (when - self.start).total_seconds() < offset_s:
                    raise ValueError(f"step {number} is at {step.at}, which is before the step before it")
                offset_s = (when - self.start) / timedelta(seconds=1)
            found.append(Timed(offset_s, step))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Timed:
    offset_s: float
    step: Step


def split(words: str) -> tuple[str, list[str]]:
    """`"gate-noise fault silent"` as the name and the words of the action."""
    name, *action = shlex.split(words) or [""]
    return name, action


def load(name: str | Path) -> Scenario:
    """A scenario file, or a shipped one by name. Raises ConfigError with every problem, each with its place."""
    path = Path(name)
    if path.suffix != ".toml":
        path = SHIPPED / f"{name}.toml"
        if not path.is_file():
            raise ConfigError(_no_such(str(name)))
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(say("{file}: {error}", file=path, error=error.strerror)) from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise ConfigError(say("{file} is no TOML file: {error}", file=path, error=error)) from error
    try:
        return Scenario.model_validate(table)
    except ValidationError as error:
        lines = [f"{path}: {_place(problem['loc'])}: {_wrong(problem)}" for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def shipped() -> list[str]:
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


class Player:
    """Plays a scenario: calls `reached` for each step and `act` for each of its actions, at their times."""

    def __init__(
        self,
        scenario: Scenario,
        clock: Clock,
        act: Callable[[str, list[str]], str],
        reached: Callable[[Step], None] = lambda _step: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._timeline = scenario.timeline()
        self._clock = clock
        self._act, self._reached, self._ended = act, reached, ended
        self._began = real_time.monotonic()
        self._next = 0

    def run(self, stop: threading.Event) -> None:
        while self._next < len(self._timeline):
            timed = self._timeline[self._next]
            due = self._began + self._clock.pause(timed.offset_s)
            if stop.wait(max(due - real_time.monotonic(), 0.0)):
                return
            self._next += 1  # first: a step that fails is not played again
            self._reached(timed.step)
            for words in timed.step.do:
                self._act(*split(words))
        self._ended()
        stop.wait()


def _place(location: tuple[int | str, ...]) -> str:
    """("step", 2, "at") as people count: step 3, at."""
    parts = [f" {part + 1}" if isinstance(part, int) else f", {part}" for part in location]
    return "".join(parts).removeprefix(", ") or say("the whole file")


def _wrong(problem: Any) -> str:
    match problem["type"]:
        case "extra_forbidden":
            return say("this key is not known here")
        case "missing":
            return say("this key is missing")
        case _:
            return str(problem["msg"]).removeprefix("Value error, ")


def _no_such(name: str) -> str:
    known = shipped()
    near = get_close_matches(name, known, 1)
    if near:
        return say("there is no scenario {name}; did you mean {near}?", name=name, near=near[0])
    return say("there is no scenario {name}; there is: {known}", name=name, known=", ".join(known))
