"""Why a far side cannot be reached or will not have us: a state, and words that a person can act on."""

from __future__ import annotations

import socket
import ssl
from typing import Literal

from paho.mqtt.reasoncodes import ReasonCode

from gateway.catalogue import say
from gateway.moment import ClockState, Moment

# OpenSSL's X509_V_ERR_...
NOT_YET_VALID, EXPIRED = 9, 10
UNKNOWN_AUTHORITY = frozenset(
    {18, 19, 20, 21}
)  # self-signed, self-signed in the chain, no issuer, no signature to check
OTHER_NAME = frozenset({62, 64})  # of a host, of an address

State = Literal["refused", "unreachable", "bad-certificate", "bad-clock"]


class LinkLost(Exception):
    """The link is not to be used any more. `state` is one of `values.SinkState`; the text is for people.

    `rest_s`: how long the far side asks to be left alone, in real seconds.
    """

    def __init__(self, state: State, detail: str, rest_s: float = 0.0) -> None:
        super().__init__(detail)
        self.state = state
        self.detail = detail
        self.rest_s = rest_s


class TakenOver(LinkLost):
    """Somebody else connected with our client id, and the broker ended our connection for it."""


class LinesRefused(Exception):
    """A database will never take one or more of these lines. `dropped`: how many, where it says so."""

    def __init__(self, reason: str, dropped: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.dropped = dropped


REFUSALS = frozenset({132, 133, 134, 135, 138, 140, 142})


def refused(code: ReasonCode, where: str) -> LinkLost:
    """CONNACK and DISCONNECT reasons of MQTT 5, table 2-6; paho gives those of 3.1.1 in the same numbers."""
    match code.value:
        case 134:
            text = say("{where} does not accept this user name and password", where=where)
        case 135 | 138 | 140:
            text = say("{where} does not allow this gateway in (not authorised)", where=where)
        case 132:
            text = other_version(where)
        case 142:
            text = say("another device uses this gateway's client id at {where}", where=where)
            return TakenOver("refused", text)
        case 133:
            text = say("{where} does not accept this gateway's client id", where=where)
        case _:
            return LinkLost("unreachable", say("{where} cannot serve us now ({why})", where=where, why=code))
    return LinkLost("refused", text)


def other_version(where: str) -> str:
    return say('{where} does not speak this MQTT version; set version = "3.1.1" or "5"', where=where)


def explained(error: OSError | UnicodeError, where: str, now: Moment) -> LinkLost:
    match error:
        case ssl.SSLCertVerificationError():
            return _untrusted(error, where, now)
        case ssl.SSLError():
            text = say(
                "no secure connection with {where}: {why}", where=where, why=getattr(error, "reason", None) or error
            )
            return LinkLost("bad-certificate", text)
        case socket.gaierror() | UnicodeError():
            return LinkLost("unreachable", say("the name in {where} is not found", where=where))
        case ConnectionRefusedError():
            return LinkLost("unreachable", say("no broker is listening at {where}", where=where))
        case TimeoutError():
            return LinkLost("unreachable", say("{where} does not answer", where=where))
        case _:
            return LinkLost("unreachable", say("no way to {where}: {why}", where=where, why=error.strerror or error))


def _untrusted(error: ssl.SSLCertVerificationError, where: str, now: Moment) -> LinkLost:
    why, code = {"where": where, "why": error.verify_message}, error.verify_code
    if code == NOT_YET_VALID or (code == EXPIRED and now.clock is not ClockState.SYNCHRONISED):
        text = say("the certificate of {where} is not valid at our time, {time}", where=where, time=now.text())
        return LinkLost("bad-clock", f"{text}: {error.verify_message}")
    if code == EXPIRED:
        text = say("the certificate of {where} has expired: it has to be renewed there", where=where)
    elif code in UNKNOWN_AUTHORITY:
        text = say(
            "the certificate of {where} comes from an authority that we do not know ({why}): is ca right?", **why
        )
    elif code in OTHER_NAME:
        text = say("the certificate of {where} is made out for another name ({why})", **why)
    else:
        text = say("the certificate of {where} is not to be trusted: {why}", **why)
    return LinkLost("bad-certificate", text)
