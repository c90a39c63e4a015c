"""The time lines of `test_scenarios.py` through the real engine: raw edges, the book, numbered and signed events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit_engine import Bench, Recorder
from kit_scenarios import FOLDER, FakeClock, Scenario, differences, load, play

from gateway.journal.chain import Identity
from gateway.moment import Moment
from gateway.values import Command, Edge, Readings, Tick

# One whole day is enough here; the pure core plays them all.
SCENARIOS = [
    path for path in sorted(FOLDER.glob("*.toml")) if path.stem not in ("exam-day-city", "noise-exam-days-area")
]
# Levels of (pin, pin_other) of a contact whose closed loop is low.
LINES = {"safe": (False, True), "active": (True, False), "cut": (True, True), "short": (False, False)}


class OnTheBench(Bench):
    """A `Subject` of scenarios: the real engine with its edges replaced."""

    def __init__(self, folder: Path, scenario: Scenario, now: Moment) -> None:
        self.path, self.config, self.now, self.kept = folder, scenario.config, now, ()
        self.identity = Identity.open(folder, now)
        self.out = Recorder()
        self.runs = 0
        self.last_sign: Moment | None = None
        self.engine = self._engine(0, {}, {})
        self.engine.start(now)
        self.down = False
        self.contacts = dict.fromkeys(self.config.contact, "safe")
        self._read_contacts()

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.out.events

    def readings(self, message: Readings) -> None:
        self._to(message.readings[0].at)
        self.engine.handle(message)

    def contact(self, name: str, state: str, at: Moment) -> None:
        self.contacts[name] = state
        if not self.down:
            self._to(at)
            self._edges(name, "edge")

    def command(self, command: Command) -> str | None:
        self._to(command.at)
        page = self.engine.book.pages.get(command.alarm or "")
        answers: list[dict[str, Any]] = []
        seen = (
            page.alarm.revision if page and command.verb == "reset" and command.revision is None else command.revision
        )
        self.engine.handle(
            Command(
                command.verb,
                command.by,
                command.at,
                alarm=command.alarm,
                revision=seen,
                note=command.note,
                arguments=command.arguments,
                witness=command.witness,
                reply=answers.append,
            )
        )
        return None if answers[0]["ok"] else str(answers[0]["error"])

    def receipt(self, station: str, alarm: str, opening: int | None, at: Moment) -> None:
        self._to(at)
        revision = self.engine.book.pages[alarm].alarm.opening if opening is None else opening
        found = [event for event in self.events if (event["alarm"], event["revision"]) == (alarm, revision)]
        self.engine.book.receive(found[-1]["hash"], station, at)

    def stop(self, at: Moment) -> None:
        self._to(at)
        self.down = True
        self.last_sign = at if self.out.in_session else self.last_sign

    def start(self, at: Moment) -> None:
        sent = self.engine.book.sent
        self.now, self.down = at, False
        if (sign := self.last_sign) is not None:  # as the card has it: by the wall clock alone
            self.last_sign = Moment(sign.wall_ns, at.mono_ns - (at.wall_ns - sign.wall_ns), sign.clock)
        self.restart()
        for hash_, one in sent.items():  # as the journal remembers them
            self.engine.book.remember(hash_, one)
        self._read_contacts()

    def tick(self, at: Moment) -> None:
        self._to(at)
        self.engine.handle(Tick(at))

    def _read_contacts(self) -> None:
        for name in self.contacts:
            self._edges(name, "start")

    def _edges(self, name: str, source: Any) -> None:
        lines = 1 if self.config.contact[name].pin_other is None else 2
        for line, level in enumerate(LINES[self.contacts[name]][:lines]):
            self.engine.handle(Edge(name, line, level, self.now, source))

    def _to(self, now: Moment) -> None:
        """What falls due before now, each at its own moment."""
        while (due := self.engine.due()) is not None and due <= now.mono_ns:
            self.engine.advance(Moment(now.wall_ns - (now.mono_ns - due), due, now.clock))
        self.now = now


@pytest.mark.parametrize("path", SCENARIOS, ids=[path.stem for path in SCENARIOS])
def test_scenario_through_the_engine(path: Path, tmp_path: Path) -> None:
    """The engine gives the events of the scenario (its title says what it pins, `covers` the catalogue's rows)."""
    scenario = load(path)
    bench = OnTheBench(tmp_path, scenario, FakeClock(scenario.start).at(0))
    wrong = play(scenario, bench)

    assert [] == [*wrong, *differences(scenario, bench.events)]
