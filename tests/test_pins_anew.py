"""A reload claims the pins anew: what lamps and siren show, and what was wrong with them, is true on the new ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory
from kit_mqtt import until
from kit_process import venue
from test_contacts_source import BUTTON, Bench, running

from gateway.app import App
from gateway.configuration import settings
from gateway.contacts.lamp import LampStep
from gateway.moment import SystemClock
from gateway.simulate.simulation import Simulation
from gateway.values import PathState

SIREN = """
[siren]
pin = 20

[escalation]
steps = [{ after = "0.1s", to = "siren" }]
"""


@pytest.fixture
def running_app(tmp_path: Path) -> Iterator[tuple[App, Simulation, Path]]:
    path = tmp_path / "venue.toml"
    path.write_text(venue(1) + SIREN)
    loaded = settings.load(path, tmp_path)
    simulation = Simulation(loaded.config, SystemClock())
    app = App(loaded.config, tmp_path / "state", simulation=simulation, clock=SystemClock(), loaded=loaded)
    app.start()
    yield app, simulation, path
    app.stop()


def test_the_siren_goes_on_over_a_reload_that_moves_it(running_app: tuple[App, Simulation, Path]) -> None:
    """The pins were released and claimed by another owner: an alarm that nobody has answered still wails, and the
    lamps show it.
    """
    app, simulation, path = running_app
    pins = simulation.pin_factory
    until(lambda: "leak-button" in app.engine.lamps.steps(), 10, "the contacts at rest")
    simulation.act("leak-button", ["press"])
    until(lambda: pins.pin(20).state == 1, 10, "the siren")
    path.write_text(venue(1) + SIREN.replace("20", "21"))
    before = app.out.contacts
    app.reload()
    until(lambda: pins.pin(21).state == 1, 10, "the siren on its new pin")

    assert app.out.contacts is not before
    assert app.out.contacts is not None

    post = app.out.contacts._posts["leak-button"]
    until(lambda: post.sound and post.step is not LampStep.SAFE, 10, "the lamp on its new pin")


def test_a_lamp_for_a_contact_that_left_is_no_trouble() -> None:
    """What the engine says while a reload takes a contact away never stops the others' lines."""
    factory = MockFactory()
    with running(Bench({"leak-button": BUTTON}, factory)) as bench:
        bench.until(lambda: bool(bench.edges))
        bench.contacts.show("gone", LampStep.PRESSED, True)
        before = bench.contacts.turns
        bench.until(lambda: bench.contacts.turns > before + 3)
        factory.pin(27).drive_low()
        bench.until(lambda: bench.edges[-1].level is False)
    factory.close()


def test_pins_that_work_say_so_at_first() -> None:
    """A fault that a run or a configuration before had told is over when its pin can be claimed."""
    factory = MockFactory()
    bench = Bench({"leak-button": BUTTON}, factory, siren_pin=24)
    with running(bench):
        bench.until(lambda: len(bench.all_told) == 2)
    factory.close()

    assert [None, None] == [told.error for told in bench.all_told]
    assert ["siren"] == [told.path for told in bench.all_told if isinstance(told, PathState)]
