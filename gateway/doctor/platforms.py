"""Checks of the platforms that speak HJ 212: password, port, and whether they answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from gateway.catalogue import N_, say
from gateway.doctor.patient import Check, Patient, Seen, bad, doubtful, good
from gateway.hj212.segment import PASSWORD
from gateway.vocabulary import word

CONNECT_S = 3.0


def _passwords(patient: Patient) -> Iterator[Seen]:
    for name, platform in (patient.config.hj212 if patient.config is not None else {}).items():
        try:
            password = Path(platform.password_file).read_text().strip()
        except (OSError, UnicodeDecodeError):
            what = say("{platform}: the file with its password cannot be read", platform=name)
            yield bad(what, say("write what the platform gave you into {file}", file=platform.password_file))
            continue
        if PASSWORD.fullmatch(password) is not None:
            yield good(say("{platform}: its password is there", platform=name))
        else:
            what = say("{platform}: a password of HJ 212 has 1 to 6 characters", platform=name)
            yield bad(what, say("write what the platform gave you into {file}", file=platform.password_file))


def _answering(patient: Patient) -> Iterator[Seen]:
    """As the gateway has it; without one that runs, whether the port is open. Nothing is sent."""
    links = (patient.status or {}).get("brokers", {})
    for name, platform in (patient.config.hj212 if patient.config is not None else {}).items():
        state = links.get(f"hj212-{name}")
        where = f"{platform.host}:{platform.port}"
        if state is not None and state["state"] == "connected":
            yield good(say("{platform}: {where} answers", platform=name, where=where))
            continue
        remedy = say("ask the bureau: is this address right, is the number {mn} registered there?", mn=platform.mn)
        try:
            socket.create_connection((platform.host, platform.port), CONNECT_S).close()
        except (OSError, UnicodeError):
            yield bad(say("{platform}: {where} cannot be reached", platform=name, where=where), remedy)
            continue
        if state is None:
            yield good(
                say(
                    "{platform}: {where} is open; whether it answers shows when the gateway runs",
                    platform=name,
                    where=where,
                )
            )
        else:
            detail = say("{state}: {detail}", state=word(state["state"]), detail=state["detail"] or "-")
            yield bad(
                say(
                    "{platform}: {where} is open, and gives no answer ({detail})",
                    platform=name,
                    where=where,
                    detail=detail,
                ),
                remedy,
            )


def _clear_text(patient: Patient) -> Iterator[Seen]:
    for name, platform in (patient.config.hj212 if patient.config is not None else {}).items():
        if platform.may_set and "password" in platform.may_set:
            what = say("{platform} may set its password from afar, and HJ 212 encrypts nothing", platform=name)
            yield doubtful(what, say("take password out of may_set, or use the bureau's private network"))


_KEPT = N_("the bureau misses this venue's values; they are kept and sent later")
CHECKS = (
    Check("hj212-password", N_("platforms"), _KEPT, _passwords),
    Check("hj212-link", N_("platforms"), _KEPT, _answering),
    Check("hj212-clear", N_("platforms"), N_("who listens on the line could set what the platform may"), _clear_text),
)
