"""Escalation: each step acts and is recorded; a broker that does not deliver is not waited for; the siren's pin."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gpiozero import OutputDevice
from gpiozero.pins.mock import MockFactory
from test_engine import STATION, receipt
from test_modem import FastClock, until
from test_outbox import accept, drain, made_outbox, press
from test_outbox import at as second

from gateway.alarms import Step
from gateway.sources.contacts import Contacts
from gateway.values import Accepted, NotTaken, PathState
from tests.kit_engine import VENUE, Bench

STEPS = """
[escalation]
steps = [
  { after = "10s", to = "resend" },
  { after = "30s", to = "second-broker" },
  { after = "60s", to = "modem" },
  { after = "90s", to = "siren" },
]
"""


TOML = VENUE + STATION + STEPS


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, TOML)
    bench.found_safe()
    bench.wait(1)
    return bench


def paths(bench: Bench) -> list[Any]:
    return [what.kind if name == "call" else (name, what) for name, what in bench.out.paths]


def escalated(bench: Bench) -> list[str]:
    return [e["reason"] for e in bench.out.events if e["transition"] == "escalated"]


def test_each_step_acts_in_its_time_and_is_an_event_that_says_where_to(bench: Bench) -> None:
    """C7: without a receipt: sent again, the second broker, a message, the siren; each is an event of custody."""
    bench.press()
    seen = []
    for seconds in (8, 3, 20, 30, 30):
        bench.wait(seconds)
        seen.append(len(bench.out.paths))

    assert [0, 1, 2, 3, 4] == seen
    assert [("hurry", None), ("hurry", "second"), "leak", ("siren", True)] == paths(bench)
    assert ["resend", "second-broker", "modem", "siren"] == escalated(bench)
    last = [e for e in bench.out.events if e["transition"] == "escalated"][-1]
    assert last["text"]["en"].startswith("No answer yet, escalated to the siren: Leak alarm")


def test_a_step_to_nowhere_is_recorded_and_does_nothing(bench: Bench) -> None:
    """A way that nobody knows (a record of a later version) ends no escalation and uses no other way."""
    page = bench.engine.book.pages["leak-button"]
    page.definition = replace(page.definition, escalation=(Step(1, "pigeon"), Step(2, "siren")))
    bench.press()
    bench.wait(3)

    assert ["pigeon", "siren"] == escalated(bench)
    assert [("siren", True)] == [one for one in paths(bench) if one[0] == "siren"]


def test_a_receipt_begins_the_steps_anew_and_an_acknowledgement_ends_them(bench: Bench) -> None:
    """From the raise until a receipt, then from the receipt until a person acknowledges."""
    bench.press()
    bench.wait(35)
    receipt(bench, next(e["hash"] for e in bench.out.events if e["transition"] == "raised"))
    bench.wait(35)
    bench.act("ack", "leak-button")
    bench.wait(300)

    assert ["resend", "second-broker", "resend", "second-broker"] == escalated(bench)


def test_the_siren_sounds_until_somebody_acknowledges(bench: Bench) -> None:
    """A receipt alone does not silence it, nor does the closing of the contact."""
    bench.press()
    bench.wait(95)
    receipt(bench, next(e["hash"] for e in bench.out.events if e["transition"] == "raised"))
    bench.wait(5)
    before = paths(bench).count(("siren", False))
    bench.act("ack", "leak-button")

    assert (0, ("siren", False)) == (before, paths(bench)[-1])


def test_two_alarms_one_siren(bench: Bench) -> None:
    """It is silent only when everything that came to it was acknowledged."""
    bench.press()
    bench.lines("door", True)
    bench.wait(95)
    bench.act("ack", "leak-button")
    one = ("siren", False) in paths(bench)
    bench.act("ack", "door")

    assert not one
    assert ("siren", False) == paths(bench)[-1]


def test_the_siren_goes_on_after_a_restart(bench: Bench) -> None:
    """What had come to the siren and nobody has answered still sounds."""
    bench.press()
    bench.wait(95)
    bench.out.paths.clear()
    bench.restart()
    bench.wait(1)

    assert ["leak", ("siren", True)] == paths(bench)


def test_the_message_is_sent_again_after_a_restart(bench: Bench) -> None:
    """Nobody knows whether the modem had it: twice is allowed, losing is not; once answered it is not sent any more."""
    bench.press()
    bench.wait(65)
    bench.out.paths.clear()
    bench.restart()
    again = paths(bench)
    bench.act("ack", "leak-button")
    bench.out.paths.clear()
    bench.restart()

    assert (["leak"], []) == (again, paths(bench))


def test_a_silent_button_never_drives_the_siren(tmp_path: Path) -> None:
    """Silent: no sound at the venue, for the button's own alarm and those of its line; every other path is taken."""
    bench = Bench(tmp_path, TOML.replace('kind = "leak"', 'kind = "leak"\nsilent = true'))
    bench.found_safe()
    bench.press()
    bench.lines("leak-button", True, True)
    bench.wait(120)

    assert ["siren", "siren"] == [to for to in escalated(bench) if to == "siren"]
    assert not [each for each in paths(bench) if each[0] == "siren"]
    assert "leak" in paths(bench)


@pytest.mark.parametrize("code", [16, 128, 151, None])
def test_a_broker_that_does_not_deliver_is_not_waited_for(bench: Bench, code: int | None) -> None:
    """C7: refused, or nobody listens: the second broker at once, the modem when that one does not deliver either."""
    bench.press()
    raised = next(e.number for e in bench.out.made if e.alarm == "leak-button")
    bench.engine.handle(NotTaken("mqtt", raised, code, bench.now))
    first = paths(bench)
    bench.engine.handle(NotTaken("mqtt", raised, code, bench.now))
    bench.engine.handle(NotTaken("second", raised, code, bench.now))
    bench.engine.handle(NotTaken("second", raised, code, bench.now))

    assert [("hurry", None), ("hurry", "second")] == first
    assert [*first, "leak"] == paths(bench)
    assert ["resend", "second-broker", "modem"] == escalated(bench)


@pytest.mark.parametrize("first", ["accepted", "under way"])
def test_a_second_broker_without_listeners_calls_nobody_while_the_first_may_deliver(bench: Bench, first: str) -> None:
    """No message goes out for a press whose receipt is on its way."""
    bench.press()
    number = bench.out.made[0].number
    if first == "accepted":
        bench.engine.handle(Accepted("mqtt", number, bench.now))
    bench.engine.handle(NotTaken("second", number, 16, bench.now))
    early = list(bench.out.paths)
    bench.engine.handle(NotTaken("mqtt", number, 16, bench.now))

    assert [] == early
    assert "leak" in paths(bench)


def test_what_was_received_or_answered_is_not_escalated_by_a_broker(bench: Bench) -> None:
    """A broker's late refusal changes nothing once a station has the event, or a person has answered."""
    bench.press()
    made = [e for e in bench.out.made if e.alarm == "leak-button"]
    receipt(bench, made[0].hash)
    bench.engine.handle(NotTaken("mqtt", made[0].number, 16, bench.now))
    bench.act("ack", "leak-button")
    for number in (made[0].number, bench.out.made[-1].number, 9999):
        bench.engine.handle(NotTaken("mqtt", number, 16, bench.now))

    assert [] == paths(bench)


def test_steps_without_another_path_are_left_to_their_time(tmp_path: Path) -> None:
    """Where there is neither second broker nor modem, a refusal brings nothing forward."""
    bench = Bench(tmp_path, VENUE + '\n[escalation]\nsteps = [{ after = "60s", to = "siren" }]\n')
    bench.found_safe()
    bench.press()
    bench.engine.handle(NotTaken("mqtt", bench.out.made[0].number, 16, bench.now))

    assert [] == paths(bench)


def test_a_path_that_fails_is_an_alarm(bench: Bench) -> None:
    """`path-modem` and `path-siren`, with the reason in words."""
    bench.engine.handle(PathState("modem", "the modem does not answer", bench.now))
    bench.engine.handle(PathState("modem", None, bench.now))

    assert ["raised", "cleared"] == bench.transitions("path-modem")
    assert "does not answer" in bench.out.events[0]["text"]["en"]


def test_a_new_press_begins_the_steps_anew(bench: Bench) -> None:
    """Each press needs its own receipt and its own escalation."""
    bench.press()
    bench.wait(35)
    bench.press()
    bench.wait(35)

    assert ["resend", "second-broker", "resend", "second-broker"] == escalated(bench)


# ---- the parts behind it -----------------------------------------------------------------------------------------


def test_hurry_sends_again_now() -> None:
    """What waits for its receipt, or was refused, does not wait for its time."""
    outbox = made_outbox()
    outbox.put(press(1))
    outbox.stored(1)
    accept(outbox, drain(outbox, second(0)), second(0))
    for now in (2, 6):
        accept(outbox, drain(outbox, second(now)), second(now))
    outbox.put(press(2))
    outbox.stored(2)
    accept(outbox, drain(outbox, second(7)), second(7), code=135)
    waiting = drain(outbox, second(8))
    outbox.hurry()

    assert [] == waiting
    assert [2, 1] == drain(outbox, second(8))


def test_the_siren_is_a_pin_that_is_claimed_and_driven() -> None:
    """On and off by the engine's word, off at the end; a pin that cannot be claimed is told and tried again."""
    factory = MockFactory()
    told: list[Any] = []
    contacts = Contacts({}, told.append, told.append, FastClock(), factory, siren_pin=24, simulate=True)
    stop = threading.Event()
    thread = threading.Thread(target=contacts.run, args=(stop,))
    thread.start()
    pin = factory.pin(24)
    contacts.wail(True)
    on = until(lambda: pin.state == 1)
    contacts.wail(False)
    off = until(lambda: pin.state == 0)
    stop.set()
    thread.join(2)

    assert (True, True, False) == (on, off, thread.is_alive())
    assert [None] == [state.error for state in told]
    factory.close()


def test_a_siren_whose_pin_is_taken_is_told_and_claimed_later() -> None:
    """A5: somebody else has the pin: told once as `path-siren`, and over when it is free."""
    factory = MockFactory()
    other = OutputDevice(24, pin_factory=factory)
    told: list[Any] = []
    contacts = Contacts({}, told.append, told.append, FastClock(), factory, siren_pin=24, simulate=True)
    contacts.wail(True)
    stop = threading.Event()
    thread = threading.Thread(target=contacts.run, args=(stop,))
    thread.start()
    failed = until(lambda: told)
    other.close()
    worked = until(lambda: told[-1].error is None and factory.pin(24).state == 1)
    stop.set()
    thread.join(2)

    assert (True, True) == (failed, worked)
    assert ["siren", "siren"] == [state.path for state in told]
    factory.close()
