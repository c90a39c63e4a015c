"""The live page of the venue: what is past its limit is seen, what is stale is grey, a quiet second costs nothing."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit_mqtt import free_port
from kit_process import Gateway, bus, meter, venue
from kit_terminal import Person
from rich.cells import cell_len

from gateway.catalogue import choose
from gateway.watch.main import coloured
from gateway.watch.screen import Screen
from gateway.watch.view import Snapshot, facts, page

STATUS: dict[str, Any] = {
    "venue": "zj-no1",
    "simulated": False,
    "time": "2026-06-07T09:12:03.123+08:00",
    "clock": "synchronised",
    "phase": ["session"],
    "session": "语文",
    "contacts": {"leak-button": "active", "paper-room-door": "safe"},
    "seals": {"paper-room-door": "sealed"},
    "lamps": {"leak-button": "not-delivered"},
    "devices": {"gate": "ok", "hall": "silent for 60 s (no answer)"},
    "brokers": {"mqtt": {"state": "connected", "detail": ""}, "second": {"state": "unreachable", "detail": "no way"}},
    "storage": {"events": "ok"},
}
LEAK = {
    "alarm": "leak-button",
    "severity": "critical",
    "state": "active_unacknowledged",
    "since": "2026-06-07T09:11:00.000+08:00",
    "text": {"zh": "泄密报警：按钮被按下", "en": "Leak alarm: the button was pressed"},
}
SEEN = {**LEAK, "alarm": "hall-warm", "severity": "low", "state": "active_acknowledged"}


def point(name: str, value: float | None, unit: str = "dB(A)", **more: Any) -> dict[str, Any]:
    return {"point": name, "value": value, "unit": unit, "quality": "good", "reason": None, "silent_s": 0.5} | more


def limit(name: str, above: float) -> dict[str, Any]:
    return {"point": name, "above": above, "below": None}


def snapshot(**changes: Any) -> Snapshot:
    points = (
        point("gate/laf", 71.3),
        point("gate/laeq_1min", 58.4),
        point("hall/co2", 640, "ppm"),
        point("hall/old", 20.0, silent_s=60.0),
        point("hall/none", None, quality="missing", reason="warm-up"),
    )
    limits = (limit("gate/laeq_1min", 55.0), limit("hall/co2", 1000))
    return Snapshot(**{"status": STATUS, "alarms": (SEEN, LEAK), "points": points, "limits": limits} | changes)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    choose("en")
    yield
    choose("en")


def text(seen: Snapshot, width: int = 80, height: int = 60) -> list[str]:
    return [line.plain for line in page(seen, width, height)]


def test_the_page_shows_what_matters_first() -> None:
    """Alarms before contacts before values; not acknowledged before acknowledged, past its limit before the rest."""
    lines = text(snapshot())
    order = ["leak-button: active and not", "hall-warm", "lamp: NOT delivered", "second: unreachable", "gate/laeq_1min"]
    places = [next(n for n, line in enumerate(lines) if words in line) for words in order]

    assert sorted(places) == places
    assert "of them not acknowledged: 1" in "".join(lines)
    assert "语文" in lines[1]
    assert next(n for n, line in enumerate(lines) if "gate/laf" in line) > places[-1]


def test_what_is_stale_says_its_age_and_is_grey() -> None:
    """E4: a value without new samples never looks current; one that is unknown is a dash."""
    lines = page(snapshot(), 80, 60)
    old = next(line for line in lines if "hall/old" in line.plain)
    none = next(line for line in lines if "hall/none" in line.plain)

    assert "60 s old" in old.plain
    assert "dim" == str(old.style)
    assert re.search(r"hall/none +-  ", none.plain)


@pytest.mark.parametrize(
    ("value", "quality", "reason", "shown"),
    [
        (72.1, "suspect", "warm-up", "72.1 %  it is still warming up"),
        (None, "missing", "no good sample", "-  no good sample"),
        (None, "missing", "stale", "-  600 s old, no value for so…"),
    ],
)
def test_only_what_stopped_has_an_age(value: float | None, quality: str, reason: str, shown: str) -> None:
    """A value that comes every second was shown as old as the last good one; an average as old as its window."""
    point = {"point": "gymnasium-climate/temperature_10min", "value": value, "unit": "%"}
    seen = snapshot(points=[{**point, "quality": quality, "reason": reason, "silent_s": 600.0}], limits=[])
    line = next(line.plain for line in page(seen, 80, 60) if "/temperature" in line.plain)

    assert line.endswith(shown)
    assert "gymnasium-climate/temperature_10min " in line


def test_when_the_gateway_is_silent_everything_is_grey() -> None:
    """G4: a page that is no longer fed does not look calm."""
    lines = page(snapshot(trouble="no gateway answers", silent_s=12.0), 80, 60)
    greens = [
        line
        for line in lines
        for span in line.spans
        if "green" in str(span.style) and "dim" not in str(line.spans[-1].style)
    ]

    assert "! no gateway answers" == lines[0].plain
    assert "12 s old" in lines[1].plain
    assert [] == greens
    assert ["! nobody"] == text(Snapshot(trouble="nobody"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("height", [10, 24, 60])
def test_nothing_is_wider_or_longer_than_the_terminal(width: int, height: int, language: str) -> None:
    """In both languages, Chinese taking two columns a sign; in a small one values go before alarms do."""
    choose(language)
    many = tuple({**LEAK, "alarm": f"alarm-{n}"} for n in range(30))
    lines = text(snapshot(alarms=many), width, height)

    assert height >= len(lines)
    assert width >= max(map(cell_len, lines))
    assert any("alarm-0" in line for line in lines)
    assert any("leak-button" in line for line in lines)


def test_only_changed_lines_are_written_again() -> None:
    """A slow line carries what changed and nothing else; lines that are gone are wiped."""
    out = io.StringIO()
    with Screen(out) as screen:
        screen.paint(["one", "two", "three"])
        out.truncate(0), out.seek(0)
        screen.paint(["one", "two", "three"])
        same = out.getvalue()
        screen.paint(["one", "TWO"])
        changed = out.getvalue()

    assert "" == same
    assert "\x1b[2;1HTWO\x1b[0m\x1b[K\x1b[3;1H\x1b[0m\x1b[K" == changed
    assert out.getvalue().endswith("\x1b[?25h\x1b[?1049l")


def test_a_line_keeps_its_colours_and_its_width() -> None:
    """What goes to the terminal is one line, whatever stands in it."""
    line = page(snapshot(), 80, 60)[4]

    assert "\x1b[" in coloured(line, 80)
    assert "\n" not in coloured(line, 80)


def test_lines_tell_changes_and_not_values() -> None:
    """`--plain` says states; a silence that grows older is no news."""
    one, two = (
        facts(snapshot()),
        facts(snapshot(status=STATUS | {"devices": {"gate": "ok", "hall": "silent for 61 s"}})),
    )

    assert one == two
    assert "leak-button: lamp: NOT delivered" in one.values()
    assert not any("71.3" in each for each in one.values())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    toml = venue(free_port(), bus(), meter("gate-noise", 1))
    with Gateway(tmp_path_factory.mktemp("venue"), toml) as gateway:
        gateway.start()
        yield gateway


@pytest.mark.parametrize(("language", "columns", "words"), [("en", 80, "lamp: "), ("zh", 120, "触点")])
def test_a_person_watches(gateway: Gateway, language: str, columns: int, words: str) -> None:
    """On a real terminal, over the local socket: the venue, its contacts, its meter; Ctrl-C ends it, and well."""
    with Person("watch", "--state", gateway.state, "--lang", language, columns=columns) as person:
        person.sees("zj-no1")
        person.sees("leak-button")
        person.sees("gate-noise/laf")
        person.presses(b"\x03")
        code = person.ends()

    assert 0 == code
    assert words in person.said
    assert "\x1b[?1049l" in person.said


def test_lines_for_a_terminal_that_cannot_be_painted(gateway: Gateway, tmp_path: Path) -> None:
    """`--plain`: a press is a line; a gateway that is not there is a line too."""
    with Person("watch", "--plain", "--state", gateway.state, "--lang", "en") as person:
        person.sees("the gateway answers")
        gateway.sim("leak-button", "press")
        person.sees("leak-button: ")
        person.sees("critical")
        person.presses(b"\x03")
        code = person.ends()
    with Person("watch", "--plain", "--state", tmp_path, "--lang", "en") as person:
        person.sees("no gateway answers")
        person.presses(b"\x03")
        person.ends()

    assert 0 == code


def test_a_mean_of_a_moment_is_not_shown_as_well() -> None:
    """E6: a statistic with too few samples says so, and stands beside no limit."""
    seen = snapshot(points=(point("gate/laeq_10min", 46.2, valid=0.01),), limits=(limit("gate/laeq_10min", 55.0),))
    (line,) = [line for line in text(seen) if "laeq_10min" in line]

    assert "only 1% of its samples" in line
    assert "55" not in line
