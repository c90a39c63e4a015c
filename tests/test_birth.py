"""What a pump says of its connection, what proves its readings over 3.1.1, and words for what went wrong."""

from __future__ import annotations

import json
import socket
import ssl
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from gateway.moment import NANO, ClockState, Moment
from gateway.payloads import Origin
from gateway.sinks.birth import EVERY_S, REBIRTH_S, Birth
from gateway.sinks.echoes import Echoes
from gateway.sinks.telemetry import Parcel, Range
from gateway.sinks.troubles import explained, refused

NOW = Moment(1_780_800_000 * NANO, 1_000 * NANO)
ORIGIN = Origin("zj-no1", "9f2c61d0a4e81b37", ZoneInfo("Asia/Shanghai"))


def test_birth_is_due_at_once_and_every_30_s() -> None:
    """Live events may go first for a second; each refresh has a nonce of its own, and two are valid."""
    birth = Birth(ORIGIN)
    birth.connecting(NOW)

    assert (True, False) == (birth.due(NOW), birth.overdue(NOW))
    assert birth.overdue(NOW.after(1))

    nonces = []
    for turn in range(4):
        now = NOW.after(turn * EVERY_S)
        nonces.append(json.loads(birth.make(now))["nonce"])

        assert not birth.due(now.after(EVERY_S - 0.1))
        assert birth.due(now.after(EVERY_S))
    assert 4 == len(set(nonces))
    assert tuple(nonces[-2:]) == birth.nonces


def test_what_is_said_of_the_gateway_is_said_at_once() -> None:
    """A change of the details makes a birth due; the same again does not."""
    birth = Birth(ORIGIN)
    birth.connecting(NOW)
    birth.make(NOW)
    birth.describe({"fallback": True})

    assert birth.due(NOW)
    assert json.loads(birth.make(NOW))["fallback"] is True

    birth.describe({"fallback": True})

    assert not birth.due(NOW)


def test_a_status_that_is_not_ours_is_overwritten() -> None:
    """C11: an old will, a forgery, an emptied topic; our own, also written anew, is left; not faster than 5 s."""
    birth = Birth(ORIGIN)
    old = birth.connecting(NOW)
    birth.seen(old, NOW, retained=False)
    birth.connecting(NOW)
    own = birth.make(NOW)
    for payload in (own, json.dumps(json.loads(own), indent=1).encode()):
        assert not birth.seen(payload, NOW, retained=False)

        assert not birth.due(NOW)
    later = NOW
    for payload in (old, b"", b"[" * 5000):
        assert not birth.seen(payload, later, retained=False)

        assert birth.due(later)

        birth.make(later)
        birth.seen(payload, later.after(REBIRTH_S - 0.1), retained=False)

        assert not birth.due(later.after(REBIRTH_S - 0.1))

        later = later.after(REBIRTH_S)


def test_another_device_is_told_from_our_own_run_before() -> None:
    """C12: a status of another run is a copied card; what stood there before our first birth is our own past."""
    other = Birth(Origin("zj-no1", "0" * 16, ORIGIN.zone))
    will = other.connecting(NOW)
    foreign = other.make(NOW)
    birth = Birth(ORIGIN)
    own_will = birth.connecting(NOW)

    assert not birth.seen(foreign, NOW, retained=True)

    birth.make(NOW)

    assert not birth.seen(will, NOW, retained=False)
    assert birth.seen(foreign, NOW, retained=False)

    birth.connecting(NOW)

    assert birth.seen(will, NOW, retained=True)
    assert not birth.seen(own_will, NOW, retained=True)
    assert not birth.seen(b"[]", NOW, retained=True)


def parcel() -> Parcel:
    from collections import deque

    return Parcel(Range(0, 1), historical=False, waiting=deque())


def test_readings_are_proven_once_a_stream() -> None:
    """A copy of what was sent proves its stream, and what was acknowledged in it; a foreign one proves nothing."""
    echoes, first, other = Echoes(5), parcel(), parcel()
    echoes.connected(["gateway"])
    echoes.sent("gateway", b"g")
    echoes.sent("environment", b"1")
    echoes.sent("screening", b"2")
    echoes.acked("environment", first, NOW)
    echoes.acked("screening", other, NOW)

    assert echoes.proven("gateway")
    assert echoes.came_back(b"g") is None
    assert echoes.came_back(b"foreign") is None
    assert ("environment", [first]) == echoes.came_back(b"1")
    assert echoes.came_back(b"1") is None
    assert echoes.proven("environment")
    assert [] == echoes.overdue(NOW.after(4.9))
    assert [("screening", other)] == echoes.overdue(NOW.after(5))
    assert [] == echoes.overdue(NOW.after(5))


CONNACK = [
    (134, "refused", "user name and password"),
    (135, "refused", "not authorised"),
    (138, "refused", "not authorised"),
    (132, "refused", "version"),
    (133, "refused", "client id"),
    (136, "unreachable", "cannot serve"),
    (137, "unreachable", "cannot serve"),
]


@pytest.mark.parametrize(("code", "state", "words"), CONNACK)
def test_a_broker_that_says_no(code: int, state: str, words: str) -> None:
    """C14: a refusal is told from a fault, by its reason code."""
    lost = refused(ReasonCode(PacketTypes.CONNACK, identifier=code), "b:1")

    assert (state, True) == (lost.state, words in lost.detail)


def bad_certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("x")
    error.verify_code, error.verify_message = code, "why"
    return error


@pytest.mark.parametrize(
    ("error", "clock", "state", "words"),
    [
        (bad_certificate(9), ClockState.SYNCHRONISED, "bad-clock", "not valid at our time"),
        (bad_certificate(10), ClockState.SYNCHRONISED, "bad-certificate", "has expired"),
        (bad_certificate(10), ClockState.FLOOR, "bad-clock", "not valid at our time"),
        (bad_certificate(20), ClockState.SYNCHRONISED, "bad-certificate", "an authority that we do not know (why)"),
        (bad_certificate(62), ClockState.SYNCHRONISED, "bad-certificate", "made out for another name (why)"),
        (bad_certificate(26), ClockState.SYNCHRONISED, "bad-certificate", "not to be trusted: why"),
        (ssl.SSLError(1, "wrong version number"), ClockState.SYNCHRONISED, "bad-certificate", "no secure connection"),
        (socket.gaierror(-2, "?"), ClockState.SYNCHRONISED, "unreachable", "name in b:1 is not found"),
        (UnicodeError("label too long"), ClockState.SYNCHRONISED, "unreachable", "name in b:1 is not found"),
        (ConnectionRefusedError(), ClockState.SYNCHRONISED, "unreachable", "no broker is listening"),
        (TimeoutError(), ClockState.SYNCHRONISED, "unreachable", "does not answer"),
        (OSError(101, "Network is unreachable"), ClockState.SYNCHRONISED, "unreachable", "no way to b:1: Network"),
    ],
)
def test_a_way_that_fails_is_explained(error: Any, clock: ClockState, state: str, words: str) -> None:
    """C13: certificate, clock, name, port, route: each has its own words and its own state."""
    lost = explained(error, "b:1", Moment(NOW.wall_ns, NOW.mono_ns, clock))

    assert (state, True) == (lost.state, words in lost.detail)
