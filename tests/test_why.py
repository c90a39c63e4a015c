"""`why` and `limits`: what people read about an alarm, its rule, its samples and the way of its messages."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_engine import STATION, receipt

from gateway.assembly import remember
from gateway.catalogue import choose
from gateway.journal.events import EventReader, EventWriter
from gateway.moment import SystemClock
from gateway.persons import local
from gateway.persons.why import limit_lines, why_lines
from gateway.values import Accepted, NotTaken
from tests.kit_engine import EARLY_NS, VENUE, Bench

ESCALATION = '\n[escalation]\nsteps = [{ after = "10s", to = "resend" }, { after = "60s", to = "siren" }]\n'


BOOK = 'rule_sets = ["gb3096-2008"]\n' + VENUE + STATION + ESCALATION


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, BOOK)
    bench.found_safe()
    bench.wait(1)
    return bench


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    yield choose(request.param)
    choose("en")


def why(bench: Bench, alarm: str) -> str:
    return "\n".join(why_lines(bench.ask("why", alarm=alarm)))


def test_a_rules_alarm(bench: Bench) -> None:
    """Rule, samples, holds, schedule and delivery are all there, in sentences."""
    bench.level(70.0, 20)
    raised = next(e for e in bench.out.made if e.alarm == "noise-in-session")
    bench.engine.handle(Accepted("mqtt", raised.number, bench.now))
    bench.store()
    bench.level(45.0, 12)
    text = why(bench, "noise-in-session")

    for words in (
        "noise-in-session: active and not acknowledged (high), revision 1",
        "equivalent level 45.0 dB(A), limit 55 dB(A) (north gate)",
        "seen to be over for",
        "rule: noise-in-session: gate-noise/laeq_10s over 55 dB(A)",
        "in force now: 语文, until 06-07 11:30:00",
        "counts after 5 s, is over after 5 s",
        "a rule of this venue's configuration",
        "valid samples 91%",
    ):
        assert words in text, text
    assert re.search(r"#\d+ raised r1: on the card, mqtt: 06-07 09:00:\d\d", text), text


def test_a_leak_alarm(bench: Bench) -> None:
    """Each hop of each event, what is escalated and what comes next, who has seen it."""
    bench.press()
    first = bench.out.made[0]
    bench.engine.handle(NotTaken("mqtt", first.number, 16, bench.now))
    bench.wait(15)
    before = why(bench, "leak-button")
    receipt(bench, first.hash)
    bench.act("ack", "leak-button", note="on my way")
    after = why(bench, "leak-button")

    for words in (
        "nobody listens",
        "NO RECEIPT YET",
        "not on the card yet",
        "escalated to: sending again",
        "next: the siren, in 4",
        "it latches",
    ):
        assert words in before, before
    assert "seen by li-wei at 06-07 09:00" in after
    assert ": on my way" in after
    assert "received at county: 06-07 09:00" in after


def test_what_is_put_aside(tmp_path: Path) -> None:
    """Who, why and until when."""
    bench = Bench(tmp_path, BOOK, start_ns=EARLY_NS)
    bench.act("shelve", "noise-in-session", note="mowing", for_s=600)
    bench.act("suppress", "gb3096-night-peak-gate-noise", note="works")

    assert "put aside by li-wei: mowing; until 06-07 08:10" in why(bench, "noise-in-session")


def test_a_limit_out_of_its_hours_and_a_silent_meter(bench: Bench) -> None:
    """Not in force is said with the hours in which it is; nothing known is said to be so."""
    names = [name for name in bench.engine.points.rules if "night" in name]
    text = why(bench, names[0])

    assert "not in force now; it is during: night" in text
    assert "nothing is known now" in why(bench, "noise-in-session")


def test_the_limits_in_force(bench: Bench) -> None:
    """Each limit with source, edition and mark of proof; of one device; an unknown name is refused."""
    every = bench.ask("limits")["limits"]
    text = "\n".join(limit_lines(every))
    device = bench.ask("limits", point="gate-noise")["limits"]
    nothing = bench.ask("limits", point="hall")

    assert every == device
    assert all(limit["in_force"] for limit in every)
    assert "a rule of this venue's configuration" in text
    assert re.search(r"GB 3096.*edition .*; for .*\[", text), text
    assert not nothing["ok"]
    assert ["no limit is in force now"] == list(limit_lines([]))


def test_the_days_of_a_rule(tmp_path: Path) -> None:
    """A rule of certain days says them, in force or not, also to the far side."""
    rule = '\n[rule.sundays]\npoint = "gate-noise/laf"\nabove = 50.0\nweekdays = ["sun"]\ndates = ["2026-06-08"]\n'
    bench = Bench(tmp_path, VENUE + rule)
    bench.wait(1)
    sunday = why(bench, "sundays")
    bench.wait(2 * 86400, 86400)
    tuesday = why(bench, "sundays")
    said = bench.out.retained["environment/meta"]["rules"]
    described = next(one for one in said if one["rule"] == "sundays")

    assert "in force now: always, only on Sunday, 2026-06-08, until 06-09 00:00:00" in sunday
    assert "not in force now; it is during: always, only on Sunday, 2026-06-08" in tuesday
    assert (["sun"], ["2026-06-08"]) == (described["weekdays"], described["dates"])


def test_what_was_received_before_a_restart(bench: Bench, tmp_path: Path) -> None:
    """What a station has signed for is not said to be without a receipt because the program began anew."""
    bench.press()
    receipt(bench, bench.out.made[0].hash)
    journal = EventWriter(tmp_path / "journal", SystemClock(), [].append)
    (tmp_path / "journal").mkdir()
    journal.open()
    stop = threading.Event()
    thread = threading.Thread(target=journal.run, args=(stop,))
    thread.start()
    for event in bench.out.made:
        journal.put(event, None)
    first = bench.out.made[0]
    journal.received(first.number, first.hash, "county-command", bench.now.wall_ns)
    stop.set()
    thread.join()
    bench.restart()
    with closing(EventReader(tmp_path / "journal")) as reader:
        remember(bench.engine.book, reader, bench.out.made[-1].number)
    lines = why(bench, "leak-button").splitlines()
    of_the_first = next(line for line in lines if f"#{first.number} raised" in line)

    assert "received at county-command: 06-07 09:00:0" in of_the_first
    assert "NO RECEIPT YET" not in of_the_first


def test_what_nobody_has_seen_stands_first(tmp_path: Path) -> None:
    """A list of alarms begins with what nobody has seen, the gravest first; what is put aside says by whom."""
    rule = '\n[rule.loud]\npoint = "gate-noise/laf"\nabove = 50.0\nseverity = "low"\n'
    bench = Bench(tmp_path, VENUE + rule, start_ns=EARLY_NS)
    bench.found_safe()
    bench.level(70.0, 3)
    bench.act("shelve", "loud", note="fireworks", for_s=600.0)
    bench.lines("door", True)
    bench.wait(1)
    bench.act("ack", "door")
    bench.press()
    listed = bench.ask("alarms")["alarms"]

    assert ["leak-button", "door", "loud"] == [alarm["alarm"] for alarm in listed]
    assert ("li-wei", "fireworks") == (listed[2]["hidden_by"], listed[2]["hidden_note"])
    assert "2026-06-07T08:10:03.000+08:00" == listed[2]["shelved_until"]


def test_every_line_speaks_both_languages(bench: Bench, language: str) -> None:
    """No field is left open, and none fails, in either language."""
    bench.level(70.0, 20)
    bench.press()
    bench.wait(12)
    bench.act("drill", "leak-button")
    lines = [*why(bench, "noise-in-session").splitlines(), *why(bench, "leak-button").splitlines()]
    lines += limit_lines(bench.ask("limits")["limits"])

    assert language in ("en", "zh")
    assert not [line for line in lines if re.search(r"\{\w", line)]


def test_the_list_of_alarms_keeps_names_whole_at_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name is typed after `ack`: it stands in one piece, on one line with its state and the person."""
    alarm = {
        "severity": "critical",
        "alarm": "paper-room-door",
        "state": "active_acknowledged",
        "since": "2026-06-07T09:00:00.1+08:00",
        "by": "wang-fang",
    }
    monkeypatch.setattr(local, "ask", lambda *_: {"ok": True, "alarms": [alarm, {**alarm, "alarm": "x", "by": None}]})

    assert 0 == local.alarms_main(SimpleNamespace(state=Path("/none"), json=False))
    assert [
        "severity  alarm            since           state                    seen or put aside by",
        "critical  paper-room-door  06-07 09:00:00  active and acknowledged  wang-fang",
        "critical  x                06-07 09:00:00  active and acknowledged",
    ] == capsys.readouterr().out.splitlines()


def test_when_a_broker_first_took_it(bench: Bench) -> None:
    """What is sent again until a receipt comes is shown with the time at which the broker first took it; of a broker
    that had refused it, when it did take it.
    """
    bench.press()
    number = bench.engine.book.pages["leak-button"].opening
    bench.engine.handle(NotTaken("second", number, 135, bench.now))
    told = []
    for _ in range(2):
        for sink in ("mqtt", "second"):
            bench.engine.handle(Accepted(sink, number, bench.now))
        sent = bench.engine.book.sent_as(number)
        assert sent is not None
        told.append(dict(sent.accepted))
        bench.wait(5)

    assert told[0] == told[1]
    assert {bench.now.after(-10).text(bench.engine.book.zone)} == set(told[0].values())


def test_status_has_words_for_every_code() -> None:
    """Stage and lamp are codes in the data; people read what they mean."""
    choose("en")

    assert [
        "stage of the exam  before the exam",
        "lamps              b  long, short: a drill",
    ] == list(local.status_lines({"stage": "before", "lamps": {"b": "drill"}}))
