"""What comes in at the local sockets: whoever may act may type anything, and the engine goes on."""

from __future__ import annotations

import json
import math
import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.moment import SystemClock
from gateway.persons.control import Control, Doorman
from tests.kit_engine import Bench


class Anybody(Doorman):
    """Every PIN is right: it is what comes after it that is asked about here."""

    def admit(self, verb: str, by: str, pin: str) -> None:
        pass


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.found_safe()
    bench.press()
    return bench


def asked(bench: Bench, request: bytes, *, acting: bool = True) -> dict[str, Any]:
    """The answer to one line at a socket, by the real engine."""
    control = Control(bench.path, Anybody({}, SystemClock()), bench.engine.handle, SystemClock())
    here, there = socket.socketpair()
    with here, there:
        here.sendall(request + b"\n")
        control.serve(there, acting=acting)
        answer: dict[str, Any] = json.loads(here.makefile("rb").readline())
        return answer


BAD: list[Any] = [math.nan, math.inf, 10**400, ["x"], {"x": 1}, "\ud800"]
VERBS = ["ack", "reset", "shelve", "open-window", "calibrate", "log", "drill", "retire"]
FIELDS = ["alarm", "activation", "revision", "note", "for_s", "level", "kind", "name", "until"]


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_that_is_typed_ends_the_engine(bench: Bench, verb: str) -> None:
    """C15: numbers that are none, lists, halves of characters: each is refused in words, and the alarm stands."""
    good = {"verb": verb, "by": "li-wei", "alarm": "leak-button", "note": "seen", "name": "gate-noise"}
    answers = [asked(bench, json.dumps(good | {field: bad}).encode()) for field in FIELDS for bad in BAD]

    assert {False} == {answer["ok"] for answer in answers}
    assert all(answer["error"] for answer in answers)
    assert "latched_unacknowledged" == bench.state("leak-button")


def test_a_note_of_another_encoding(bench: Bench) -> None:
    """A note typed at a GBK terminal reaches the program as bytes that are no UTF-8: that is said."""
    note = "已核实".encode("gbk").decode("utf-8", "surrogateescape")
    request = {"verb": "ack", "by": "li-wei", "alarm": "leak-button", "note": note}
    answer = asked(bench, json.dumps(request).encode())

    assert "a text is not UTF-8: set the terminal to UTF-8 and say it again" == answer["error"]


@pytest.mark.parametrize("request_", [b"", b"[]", b"7", b'"x"', b"{", b'{"verb": "why", "alarm": "\\ud800"}', b"\xff"])
def test_questions_that_are_none(bench: Bench, request_: bytes) -> None:
    """Whoever may read may ask anything: it is refused in words."""
    answer = asked(bench, request_, acting=False)

    assert not answer["ok"]
    assert answer["error"]
