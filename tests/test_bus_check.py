"""How much rest a bus needs between questions: found by asking it."""

import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drivers.errors import DeviceError
from gateway.cli import main
from gateway.configuration.config import Bus
from gateway.installer import bus_check
from gateway.installer.bus_check import Advice, Measuring
from gateway.sources.exchange import Exchange
from gateway.sources.link import Link
from tests.kit_bus import ScriptedBus, device


@pytest.fixture
def line(tmp_path: Path) -> Iterator[ScriptedBus]:
    with ScriptedBus(tmp_path / "port", units=[1, 2, 3, 4]) as bus:
        bus.registers = lambda *_: 583
        yield bus


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    rests = (0.06, 0.03, 0.015, 0.01, 0.005, 0.003)
    for name, value in {"QUESTIONS": 3, "OWN_REST_S": 0.03, "LATE_S": 0.03, "RESTS_S": rests}.items():
        monkeypatch.setattr(bus_check, name, value)


def advise(line: ScriptedBus, *units: int, silence_s: float = 0.0) -> Advice:
    link = Link(Bus(port=str(line.port), baud=115200))
    questions = [device(unit, timeout_s=0.2).driver.reads[0] for unit in units]
    try:
        return Measuring(Exchange(link, threading.Event()), questions, silence_s).advise(lambda _: None)
    finally:
        link.close()


def test_the_rest_that_a_bus_needs_is_found(tmp_path: Path) -> None:
    """B9: a bus that errs when questions follow too closely: doctor finds the border, and recommends more than it."""

    def work(needed_s: float) -> None:
        with ScriptedBus(tmp_path / f"port-{needed_s}", units=[1, 2, 3, 4]) as line:
            line.least_rest_s = needed_s
            advice = advise(line, 1, 2, 3, 4)

            assert 0.75 * needed_s <= advice.least_s <= 1.25 * needed_s
            assert needed_s < advice.recommended_s <= 2.5 * needed_s
            assert advice.steps[0].failed == 0
            assert any(step.share > 0.5 for step in advice.steps)

    with ThreadPoolExecutor() as threads:
        assert [None, None] == list(threads.map(work, (0.012, 0.024)))


def test_a_bus_that_needs_no_rest(line: ScriptedBus) -> None:
    """B9: on a good bus the shortest rest is good; the echo of the line is told (B4)."""
    for unit in (1, 2, 3, 4):
        line.does(unit, "echo")
    advice = advise(line, 1, 2, 3, 4)

    assert (advice.least_s, advice.recommended_s) == (0.003, 0.005)
    assert advice.echo is True
    assert advise(line, 1, 2, 3, 4, silence_s=0.0146).recommended_s == 0.015  # four characters at 2400 baud


def test_more_rest_does_not_help_a_bad_cable(line: ScriptedBus) -> None:
    """B9: errors at the longest rest too are no matter of rest, and nothing is recommended."""
    line.does(4, "bad-crc")
    advice = advise(line, 1, 2, 3)
    sick = itertools.cycle([False, True])
    line.registers = lambda unit, _: (unit == 2 and line.does(2, "bad-crc" if next(sick) else "ok"), 583)[1]
    bad = advise(line, 1, 2, 3)

    assert advice.least_s is not None
    assert (bad.least_s, bad.recommended_s, len(bad.steps)) == (None, None, 1)


def test_who_does_not_answer_is_left_out(line: ScriptedBus) -> None:
    """B9: dead devices are no errors of the line; when all are dead there is nothing to measure."""
    line.does(1, "silent")

    assert advise(line, 1, 2).least_s == 0.003
    with pytest.raises(DeviceError, match="no device of this bus answers"):
        advise(line, 1)


def test_doctor_says_what_to_write(
    line: ScriptedBus, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """B9: `doctor --bus` names the line to write; it is content when the configured rest is enough."""
    monkeypatch.setattr(bus_check, "RESTS_S", (0.05, 0.03, 0.01))
    monkeypatch.setattr(bus_check, "TRIES", 1)
    line.least_rest_s = 0.02
    config = tmp_path / "venue.toml"
    words = ["doctor", str(config), "--bus", "rs485", "--state", str(tmp_path / "none"), "--lang", "en"]

    def run(gap: str, units: tuple[int, ...], *more: str) -> int:
        devices = "".join(f'[device.n{n}]\ndriver = "renke_rs_zs"\nbus = "rs485"\naddress = {n}\n' for n in units)
        bus = f'[bus.rs485]\nport = "{line.port}"\nbaud = 115200\ngap = "{gap}"\n'
        config.write_text(f'[venue]\nid = "a"\nname = "A"\n{bus}{devices}')
        return main([*words, *more])

    codes = [run("5ms", (1, 2, 3, 9))]
    said = capsys.readouterr().out
    codes.append(run("50ms", (1, 2, 3), "--json"))

    assert codes == [1, 0]
    assert 'recommended: gap = "' in said
    assert "the configured 5 ms are too short" in said
    assert "1 of 4 devices do not answer" in said
    assert json.loads(capsys.readouterr().out)["recommended_s"] > 0.02
    assert main([*words[:3], "other", *words[4:]]) == 1
