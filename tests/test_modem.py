"""The telephone path: short messages by AT commands, to a modem on a pseudo-terminal; and the bytes of a message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kit_alarms import ZONE, at
from kit_modem import FakeModem, text_of

from gateway.configuration import config
from gateway.moment import NANO, Moment
from gateway.sinks import modem as modem_module
from gateway.sinks.modem import Modem, compose
from gateway.sinks.sms import MOST_UNITS, fit, submit
from gateway.values import Notice, PathState

LEAK = Notice("leak-button", "leak", at(0))


class FastClock:
    """Goes a hundred times as fast as the real one."""

    speed = 100.0

    def __init__(self) -> None:
        self._start = time.monotonic_ns()

    def now(self) -> Moment:
        passed = round((time.monotonic_ns() - self._start) * self.speed)
        return Moment(at(0).wall_ns + passed, NANO + passed)

    def pause(self, seconds: float) -> float:
        return seconds / self.speed


@contextmanager
def running(
    port: str, *, numbers: tuple[str, ...] = ("+8613800138000",), pin_file: str | None = None, language: Any = "zh"
) -> Iterator[tuple[Modem, list[PathState]]]:
    told: list[Any] = []
    settings = config.Modem(port=port, numbers=numbers, pin_file=pin_file, language=language)
    modem = Modem(settings, "zj-no1", ZONE, FastClock(), told.append, answer_s=0.4)
    stop = threading.Event()
    thread = threading.Thread(target=modem.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield modem, told
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


def until(holds: Callable[[], object], limit_s: float = 8.0) -> bool:
    deadline = time.monotonic() + limit_s
    while not holds() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return bool(holds())


# ---- the message -------------------------------------------------------------------------------------------------


def test_the_bytes_of_a_message() -> None:
    """Each field as TS 23.040 has it: +85291234567 is 0B 91 5892214365F7, 泄密 is 6CC4 5BC6 in UCS2."""
    assert (18, "00" + "1100" + "0B915892214365F7" + "0008A7" + "04" + "6CC45BC6") == submit("+85291234567", "泄密")
    assert submit("110", "A")[1] == "00" + "1100" + "038111F0" + "0008A7" + "02" + "0041"


def test_the_length_leaves_out_the_service_centre() -> None:
    """AT+CMGS counts the bytes after the first one."""
    length, pdu = submit("+8613800138000", "x" * 10)

    assert length == len(pdu) // 2 - 1


@pytest.mark.parametrize(
    ("text", "fitted"), [("密" * 70, "密" * 70), ("密" * 71, "密" * 69 + "…"), ("😀" * 36, "😀" * 34 + "…")]
)
def test_a_long_text_is_cut_where_it_shows(text: str, fitted: str) -> None:
    """Seventy UTF-16 units go into one message; a character of two units is never halved."""
    assert fitted == fit(text)
    assert len(fit(text).encode("utf-16-be")) <= 2 * MOST_UNITS


COMPOSED = [
    ([LEAK], "zj-no1: leak alarm, 06-07 09:00. Call at once."),
    ([Notice("door", "seal", at(60)), LEAK, LEAK], "zj-no1: leak alarm (+1), 06-07 09:00. Call at once."),
    ([Notice("noise", "noise", None)], "zj-no1: alarm, -. Call at once."),
    ([Notice("leak-button", "leak", at(0), drill=True)], "DRILL, zj-no1: leak alarm, 06-07 09:00. Call at once."),
    (
        [Notice("a", "leak", at(0), drill=True), Notice("door", "seal", at(0))],
        "zj-no1: seal alarm, 06-07 09:00. Call at once.",
    ),
]


@pytest.mark.parametrize(("notices", "text"), COMPOSED)
def test_what_is_said(notices: list[Notice], text: str) -> None:
    """Venue, kind, time, call; the gravest is named and others counted; a real one never hides behind a drill."""
    said = compose(notices, "zj-no1", ZONE)

    assert text == said["en"]
    assert "06-07 09:00" in said["zh"] or notices[0].raised is None
    assert len(said["zh"]) <= MOST_UNITS


# ---- the modem ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("echo", [True, False])
def test_a_notice_is_sent_to_every_number(echo: bool) -> None:
    """With and without echo, with stray lines between: each number gets the message once, and the path works."""
    with FakeModem(echo=echo) as fake, running(fake.port, numbers=("+8613800138000", "110")) as (modem, told):
        modem.call(LEAK)

        assert until(lambda: len(fake.sent) == 2)
        assert until(lambda: told)
        threading.Event().wait(0.3)
        assert [None] == [state.error for state in told]
        assert 2 == len(fake.sent)
    assert ["0D91683108108300F0", "038111F0"] == [
        pdu[6 : 6 + n] for (_, pdu), n in zip(fake.sent, (18, 8), strict=True)
    ]
    assert all(length == len(pdu) // 2 - 1 for length, pdu in fake.sent)
    assert {compose([LEAK], "zj-no1", ZONE)["zh"]} == {text_of(pdu) for _, pdu in fake.sent}


def test_a_slow_prompt_is_waited_for() -> None:
    """Some modems think before they ask for the text."""
    with FakeModem(prompt_s=0.25) as fake, running(fake.port) as (modem, _):
        modem.call(LEAK)

        assert until(lambda: fake.sent)


def test_a_prompt_that_never_comes_leaves_the_modem_usable() -> None:
    """A message that was begun is abandoned with ESC; the next try works."""
    with FakeModem(prompt_s=0.7) as fake, running(fake.port) as (modem, told):
        modem.call(LEAK)
        failed = until(lambda: any(state.error for state in told))
        fake.prompt_s = 0.0

        assert failed
        assert until(lambda: fake.sent)
        assert until(lambda: told[-1].error is None)


TROUBLES = [
    ({"AT": ""}, "does not answer"),
    ({"AT+CMGS": "ERROR"}, "answers ERROR"),
    ({"AT+CMGS": "+CMS ERROR: 500"}, "answers +CMS ERROR: 500"),
    ({"AT+CPIN?": "+CME ERROR: 10"}, "answers +CME ERROR: 10"),
    ({"AT+CPIN?": "+CPIN: SIM PUK\r\n\r\nOK"}, "asks for SIM PUK"),
    ({"AT+CREG?": "+CREG: 0,3\r\n\r\nOK"}, "does not take the SIM (registration 3)"),
    ({"AT+CMGS": "OK"}, "does not answer"),
]


@pytest.mark.parametrize(("says", "words"), TROUBLES)
def test_trouble_is_told_in_words_and_nothing_counts_as_sent(says: dict[str, str], words: str) -> None:
    """C7: a path that fails is an alarm; the message goes out when the modem works again."""
    with FakeModem(says=dict(says)) as fake, running(fake.port) as (modem, told):
        modem.call(LEAK)

        assert until(lambda: any(words in (state.error or "") for state in told)), told
        assert [] == fake.sent
        fake.says.clear()
        assert until(lambda: fake.sent)
        assert until(lambda: told[-1].error is None)


@pytest.mark.parametrize("result", [b"\r\nOK\r\n", b"\r\n+CMS ERROR: 38\r\n", b""])
def test_only_a_reference_with_ok_counts_as_sent(monkeypatch: pytest.MonkeyPatch, result: bytes) -> None:
    """A bare OK, an error of the network or silence after the text: it is sent again."""
    monkeypatch.setattr(modem_module, "NETWORK_S", 0.4)
    with FakeModem(result=result) as fake, running(fake.port) as (modem, told):
        modem.call(LEAK)
        assert until(lambda: any(state.error for state in told))
        fake.result = b"\r\n+CMGS: 8\r\n\r\nOK\r\n"
        assert until(lambda: told[-1].error is None)

    assert 2 <= len(fake.sent)


def test_the_network_is_waited_for() -> None:
    """A modem that is still looking for its network is asked again, and sends when it is registered; roaming too."""
    with FakeModem(registration=["0,2", "0,5"]) as fake, running(fake.port) as (modem, _):
        modem.call(LEAK)
        assert until(lambda: fake.sent)


def test_the_end_of_the_program_waits_for_no_modem() -> None:
    """While it waits for a network or an answer, `stop` ends it at once (`running` asserts that it has ended)."""
    with FakeModem(registration=["0,2"]) as fake, running(fake.port) as (modem, _):
        modem.call(LEAK)
        assert until(lambda: "AT+CREG?" in fake.asked)
    with FakeModem(says={"AT+CMGF": ""}) as fake, running(fake.port) as (modem, _):
        modem.call(LEAK)
        assert until(lambda: "AT+CMGF=0" in fake.asked)


def test_one_number_that_fails_keeps_nothing_from_the_others() -> None:
    """The others get it once; the failing one is tried again, and a later notice is not held up by it."""
    with FakeModem(refuse=("11F0",)) as fake, running(fake.port, numbers=("110", "+8613800138000")) as (modem, told):
        modem.call(LEAK)
        assert until(lambda: fake.sent)
        assert until(lambda: any("CMS ERROR: 28" in (state.error or "") for state in told))
        modem.call(Notice("door", "seal", at(0)))
        assert until(lambda: len(fake.sent) == 2)
        fake.refuse = ()
        assert until(lambda: len(fake.sent) == 3)

    assert 2 == sum("683108108300F0" in pdu for _, pdu in fake.sent)


def test_the_pin_is_told_once(tmp_path: Path) -> None:
    """The SIM's PIN comes from its file; a wrong one is never tried again, or the card would lock itself."""
    (tmp_path / "pin").write_text("4711\n")
    with FakeModem(pin="4711") as fake, running(fake.port, pin_file=str(tmp_path / "pin")) as (modem, _):
        modem.call(LEAK)
        assert until(lambda: fake.sent)
    with FakeModem(pin="0815") as fake, running(fake.port, pin_file=str(tmp_path / "pin")) as (modem, told):
        modem.call(LEAK)
        assert until(lambda: told)
        threading.Event().wait(0.8)  # 80 s of the fast clock: four more tries, had there been any

    assert "not tried again" in str(told[-1].error)
    assert 1 == sum(line.startswith("AT+CPIN=") for line in fake.asked)


def test_without_a_pin_file_a_locked_sim_is_told() -> None:
    """What the SIM asks for is named."""
    with FakeModem(pin="4711") as fake, running(fake.port) as (_, told):
        assert until(lambda: told)

    assert "asks for SIM PIN" in str(told[0].error)


def test_many_notices_are_few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A7: messages are limited, never held back for ever: what had to wait comes together."""
    monkeypatch.setattr(modem_module, "BURST", 2)
    monkeypatch.setattr(modem_module, "REFILL_S", 100.0)  # a second of the fast clock
    with FakeModem() as fake, running(fake.port, language="en") as (modem, _):
        for number in range(20):
            modem.call(Notice(f"door-{number}", "seal", at(0)))
            threading.Event().wait(0.05)
        assert until(lambda: "(+" in text_of(fake.sent[-1][1]))

    assert 2 <= len(fake.sent) <= 5


def test_no_port_is_told_and_tried_again(tmp_path: Path) -> None:
    """A modem that is plugged in later works without a restart."""
    link = tmp_path / "modem"
    with FakeModem() as fake, running(str(link)) as (modem, told):
        modem.call(LEAK)
        assert until(lambda: any("no port" in (state.error or "") for state in told))
        link.symlink_to(fake.port)
        assert until(lambda: fake.sent)
        assert until(lambda: told[-1].error is None)


def test_a_dead_modem_is_found_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at again and again, with nothing to send."""
    monkeypatch.setattr(modem_module, "LOOK_EVERY_S", 60.0)
    with FakeModem() as fake, running(fake.port) as (_, told):
        assert until(lambda: told)
        fake.says["AT"] = ""
        assert until(lambda: told[-1].error is not None, 12.0)

    assert [] == fake.sent
