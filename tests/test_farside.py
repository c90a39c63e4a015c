"""What the demo shows is what came over the broker, with its validity, and it fits the terminal."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

import gateway.simulate
from drivers.base import Quality
from gateway import payloads
from gateway.configuration.config import Config
from gateway.moment import NANO, Moment
from gateway.payloads import Origin
from gateway.simulate import view
from gateway.simulate.farside import FarSide
from gateway.values import Reading, Readings
from gateway.vocabulary import word

ZONE = ZoneInfo("Asia/Shanghai")
ORIGIN = Origin("demo-no1", "run", ZONE, simulated=True)
VENUE = Path(gateway.simulate.__file__).parent / "venues" / "demo.toml"
NOW = datetime(2026, 6, 7, 9, 5, tzinfo=ZONE)
AT = 100.0


def config() -> Config:
    return Config.model_validate(tomllib.loads(VENUE.read_text("utf-8")))


def hear(far: FarSide, point: str, *values: float | None, quality: str = "good", reason: str | None = None) -> None:
    """A minute of readings, one a second, the last of them now."""
    begin = round((NOW - timedelta(seconds=len(values))).timestamp()) * NANO
    device = point.partition("/")[0]
    answers = [
        Readings(device, (Reading(point, value, Quality(quality), Moment(begin + i * NANO, i * NANO), reason),))
        for i, value in enumerate(values)
    ]
    for topic, payload in payloads.readings(ORIGIN, answers, historical=False):
        far.take(topic, payload, AT)


def event(id_: str, alarm: str, transition: str, **fields: object) -> bytes:
    time = NOW.isoformat(timespec="milliseconds")
    text = {"en": f"{alarm} {transition}", "zh": "x"}
    body: Mapping[str, object] = {"id": id_, "hash": f"hash-{id_}", "time": time, "alarm": alarm, "text": text}
    return json.dumps({**body, "stream": "custody", "transition": transition, **fields}).encode()


def drawn(
    far: FarSide, width: int = 80, *, linked: bool = True, at: float = AT, now: datetime = NOW, height: int = 40
) -> str:
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
    scene = view.Scene(
        config(), far, now, at, 10.0, linked, "A story.", {"leak-button": True}, sounding=True, height=height
    )
    with console.capture() as capture:
        console.print(view.picture(scene))
    return capture.get()


def row(picture: str, word: str) -> str:
    return next(line for line in picture.splitlines() if word in line)


def test_a_press_is_followed_through_its_four_steps() -> None:
    """Pressed, stored, received and acknowledged have their own times; a repeated message changes nothing (C8)."""
    far = FarSide()
    far.moved("leak-button", 10.0)
    far.take("custody/event", event("1", "leak-button", "raised"), 10.03)
    far.stored("hash-1", 10.012)
    for _ in range(3):
        far.take("receipt/county", b'{"hash": "hash-1"}', 10.06)
    far.take("custody/event", event("1", "leak-button", "raised"), 11.0)
    far.take("custody/event", event("2", "leak-button", "acknowledged", by="li-wei"), 14.0)
    (way,) = far.ways

    assert way.steps() == (
        ("pressed", 0.0),
        ("stored", pytest.approx(0.012)),
        ("received", pytest.approx(0.06)),
        ("acknowledged", pytest.approx(4.0)),
    )
    assert (way.station, way.by, len(far.lines)) == ("county", "li-wei", 2)


def test_each_press_has_its_own_way_and_one_answer_answers_all() -> None:
    """A second press needs its own receipt; an acknowledgement is of the alarm and counts for both."""
    far = FarSide()
    far.take("custody/event", event("1", "leak-button", "raised"), 1.0)
    far.take("custody/event", event("2", "leak-button", "repeated"), 2.0)
    far.take("receipt/county", b'{"hash": "hash-2"}', 3.0)
    far.take("custody/event", event("3", "leak-button", "acknowledged", by="li-wei"), 4.0)

    assert [None, 3.0] == [way.received for way in far.ways]
    assert [4.0, 4.0] == [way.acknowledged for way in far.ways]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (140, 60)])
def test_the_picture_fits_the_terminal(width: int, height: int) -> None:
    """No line is wider than the terminal, also with Chinese letters of two columns, and the tale is never cut off."""
    far = FarSide()
    far.take("status", b'{"state": "online"}', AT)
    hear(far, "gate-noise/laf", *[71.0] * 60)
    for number in range(9):
        far.take("custody/event", event(str(number), "leak-button", "repeated", text={"en": "长" * 90, "zh": ""}), AT)
    console = Console(width=width)
    lines = drawn(far, width, height=height).splitlines()

    assert max(console.measure(line).maximum for line in lines) <= width
    assert len(lines) < height
    assert "A story." in lines[-1]


def test_a_level_over_its_limit_is_judged_by_its_mean() -> None:
    """The energy mean of the last minute stands beside the limit; before the exam the limit is only announced."""
    far = FarSide()
    hear(far, "gate-noise/laf", *([50.0] * 30 + [70.0] * 30))

    assert "70.0 dB(A) 1 min 67.0, limit 55" in row(drawn(far), "gate-noise")
    assert "limit 55 in the exam" in row(drawn(far, now=NOW.replace(hour=8)), "gate-noise")


UNKNOWN = [
    ("suspect", 26.0, None, "26.0", "not yet confirmed"),
    ("invalid", 26.0, "warm-up", "--.-", "not valid: it is still warm"),
    ("missing", None, "Timeout", "--.-", f"not valid: {word('Timeout')}"),
]


@pytest.mark.parametrize(("quality", "value", "reason", "number", "words"), UNKNOWN)
def test_what_is_not_known_is_not_shown_as_a_number(
    quality: str, value: float | None, reason: str | None, number: str, words: str
) -> None:
    """An invalid or missing value has no number and no bar, and says why; a suspect one says so."""
    far = FarSide()
    hear(far, "hall-climate/temperature", value, quality=quality, reason=reason)
    line = row(drawn(far), "hall-climate")

    assert number in line
    assert words in line
    assert ("█" in line) == (number != "--.-")


def test_a_value_that_is_not_renewed_stops_being_known() -> None:
    """A device that fell silent is not shown with its last value, and one never heard says so."""
    far = FarSide()
    hear(far, "gate-noise/laf", *[71.0] * 60)
    silent = drawn(far, at=AT + 6.0)

    assert "71.0" not in silent
    assert "--.-" in row(silent, "gate-noise")
    assert "NOT KNOWN: no answer" in row(silent, "gate-noise")
    assert "not yet heard" in row(silent, "hall-noise")


def test_no_alarm_is_only_said_when_it_is_known() -> None:
    """Without a live word from the gateway, or without the broker, "none stands" is never shown."""
    far = FarSide()
    far.take("status", b'{"state": "online"}', AT, retained=True)
    nothing_live = drawn(far)
    far.take("status", b'{"state": "online"}', AT)

    assert "none stands" not in nothing_live
    assert "none stands" in drawn(far)
    assert "none stands" not in drawn(far, linked=False)
    assert "NO CONNECTION" in drawn(far, linked=False)


def test_alarms_stand_in_order_of_their_gravity() -> None:
    """The gravest alarm is first, a normal one is not listed, and a later state replaces an earlier."""
    far = FarSide()
    for name, severity, state in (
        ("dust", "medium", "active_unacknowledged"),
        ("leak-button", "critical", "active_unacknowledged"),
        ("noise", "high", "active_unacknowledged"),
        ("noise", "high", "normal"),
    ):
        body = json.dumps({"alarm": name, "severity": severity, "state": state, "since": NOW.isoformat()}).encode()
        far.take(f"environment/alarm/{name}", body, AT)

    assert ["leak-button", "dust"] == [alarm["alarm"] for alarm in far.standing()]
    assert word("active_unacknowledged") in row(drawn(far), word("critical"))


def test_a_kept_state_tells_what_was_missed_while_the_watcher_was_away() -> None:
    """C7: an event that went by is not drawn as if nothing had happened, and its copy later is no second press."""
    far = FarSide()
    life = {"received_by": ["county"], "acknowledged_by": "chen"}
    state = {"stream": "custody", "state": "active_acknowledged", "activation": "a1", "life": life}
    kept = json.dumps({**state, "severity": "critical", "event": {"hash": "hash-9"}}).encode()
    far.moved("leak-button", AT)
    far.take("custody/alarm/leak-button", kept, AT + 2, retained=True)
    far.take("custody/event", event("1", "leak-button", "raised", activation="a1"), AT + 3)

    (way,) = far.ways
    assert ("hash-1", AT, "county", "chen") == (way.hash, way.began, way.station, way.by)
    assert [("received", 2.0), ("acknowledged", 2.0)] == list(way.steps())[2:]
