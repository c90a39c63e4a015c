"""Certificates that end: told 60, 30 and 7 days before, and not by a clock that nobody has set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit_engine import VENUE as PLAIN
from kit_engine import Bench
from kit_mqtt import QuickClock, running, until
from kit_tls import Authority

from gateway.configuration.config import Config
from gateway.machine.certificates import CertificateWatch, files
from gateway.moment import NANO, ClockState, Moment
from gateway.values import CertificateEnds

VENUE = PLAIN + '\n[mqtt]\nhost = "broker.example"\n'
DAY_NS = 86_400 * NANO
MQTT = {"host": "broker.example", "tls": {"ca": "ca.pem", "cert": "venue.pem", "key": "venue.key"}}


def ends(bench: Bench, days: float, clock: ClockState = ClockState.SYNCHRONISED) -> None:
    now = Moment(bench.now.wall_ns, bench.now.mono_ns, clock)
    at_ns = now.wall_ns + round(days * DAY_NS)
    bench.engine.handle(CertificateEnds("mqtt", "venue.pem", "CN=zj-no1", at_ns, now))
    bench.wait(1.0)


STEPS = [
    # days left, one look after the other -> the transitions
    ((90, 61, 60), []),
    ((60, 59, 40), ["raised"]),
    ((59, 29, 29, 6, 5, 0.5, -0.5, -3), ["raised", "repeated", "repeated", "repeated"]),
    ((3, 2), ["raised"]),
    ((29, 400, 28), ["raised", "cleared", "repeated"]),
]


@pytest.mark.parametrize(("days", "transitions"), STEPS)
def test_each_step_is_told_once(tmp_path: Path, days: tuple[float, ...], transitions: list[str]) -> None:
    """C13: 60, 30 and 7 days before and at the end; a renewed one ends the alarm."""
    bench = Bench(tmp_path, VENUE)
    for left in days:
        ends(bench, left)

    assert transitions == bench.transitions("certificate-mqtt")


def test_a_restart_is_no_news(tmp_path: Path) -> None:
    """What was told before the restart is not told again; the next step is."""
    bench = Bench(tmp_path, VENUE)
    ends(bench, 20)
    bench.restart()
    ends(bench, 19)
    ends(bench, 6)

    assert ["raised", "repeated"] == bench.transitions("certificate-mqtt")


@pytest.mark.parametrize("clock", [ClockState.UNSYNCHRONISED, ClockState.FLOOR])
def test_a_clock_that_is_not_set_proves_nothing(tmp_path: Path, clock: ClockState) -> None:
    """C13: neither an alarm nor its end by a clock that may be years off."""
    bench = Bench(tmp_path, VENUE)
    ends(bench, 3, clock)
    before = bench.transitions("certificate-mqtt")
    ends(bench, 3)
    ends(bench, 400, clock)

    assert ([], ["raised"]) == (before, bench.transitions("certificate-mqtt"))


def test_people_read_which_file_and_which_day(tmp_path: Path) -> None:
    """In plain words, with the file, whose it is and the day."""
    bench = Bench(tmp_path, VENUE)
    ends(bench, 20.5)
    text = next(event for event in bench.out.events if event["alarm"] == "certificate-mqtt")["text"]["en"]

    assert "A certificate for mqtt ends: venue.pem (CN=zj-no1) ends on 2026-06-2" in text
    assert "in 20 days" in text


def test_the_earliest_end_of_our_files_is_found(tmp_path: Path) -> None:
    """Of the client's certificate and the authorities' the one that ends first; a file without one is passed over."""
    authority = Authority(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(authority.ca("ours").read_bytes() + authority.cert("good").read_bytes())
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    named = {"mqtt": (str(both), str(broken), str(tmp_path / "none")), "second": (str(authority.ca("ours")),)}
    told: list[Any] = []
    with running(CertificateWatch(named, QuickClock(), told.append).run):
        until(lambda: len(told) == 2)
    subjects = {each.sink: (each.file, each.subject) for each in told}

    assert {"mqtt": (str(both), "CN=good"), "second": (str(authority.ca("ours")), "CN=ours")} == subjects
    assert abs(told[0].ends_ns - told[0].at.wall_ns - DAY_NS) < 600 * NANO


def test_a_renewed_file_is_seen(tmp_path: Path) -> None:
    """Looked at again and again, so no restart is needed."""
    authority = Authority(tmp_path)
    file = tmp_path / "venue.pem"
    file.write_bytes(authority.cert("good").read_bytes())
    told: list[Any] = []
    with running(CertificateWatch({"mqtt": (str(file),)}, QuickClock(36_000), told.append).run):
        until(lambda: told)
        file.write_bytes(authority.ca("ours").read_bytes())
        until(lambda: told[-1].subject == "CN=ours")

    assert told[0].ends_ns < told[-1].ends_ns


FILES = [
    ({}, {}),
    ({"mqtt": {"host": "h"}}, {}),
    ({"mqtt": {"host": "h", "tls": {}}}, {}),
    ({"mqtt": MQTT}, {"mqtt": ("venue.pem", "ca.pem")}),
    ({"mqtt": MQTT | {"second": MQTT}}, {"mqtt": ("venue.pem", "ca.pem"), "second": ("venue.pem", "ca.pem")}),
    (
        {"influxdb": {"url": "https://x", "org": "o", "bucket": "b", "token_file": "t", "ca": "c"}},
        {"influxdb": ("c",)},
    ),
]


@pytest.mark.parametrize(("tables", "named"), FILES)
def test_which_files_are_watched(tables: dict[str, Any], named: dict[str, Any]) -> None:
    """Our own and those of pinned authorities, by sink; the system's authorities are the system's to renew."""
    config = Config.model_validate({"venue": {"id": "zj-no1", "name": "x"}} | tables)

    assert named == files(config)
