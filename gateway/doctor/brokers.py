"""Checks of the way to each broker: name, route, port, certificates, login, topics: each builds on the last.

A connection that the gateway has is not touched. Where it has none, the doctor logs in under a name of its own and
publishes one message below `command/ping`, which changes nothing.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from gateway.catalogue import N_, say
from gateway.configuration import config as configuration
from gateway.doctor.patient import Check, Patient, Seen, bad, doubtful, good
from gateway.machine import certificates
from gateway.moment import Moment
from gateway.sinks.link import Link
from gateway.sinks.outbox import REFUSED_FROM
from gateway.sinks.packets import Acked, Message, Publication
from gateway.sinks.tls import secured
from gateway.sinks.troubles import LinkLost, explained
from gateway.vocabulary import word

BROKERS = ("mqtt", "second")  # as the gateway names its connections to them
CONNECT_S = 3.0
PROOF_S = 3.0  # for one's own message to come back
WARN_DAYS, RED_DAYS = 60, 7  # before a certificate ends


def brokers_of(patient: Patient) -> Iterator[tuple[str, configuration.Mqtt]]:
    """By the names that the gateway gives its sinks."""
    first = patient.config.mqtt if patient.config is not None else None
    if first is not None:
        yield BROKERS[0], first
        if first.second is not None:
            yield BROKERS[1], first.second


def _configured(patient: Patient) -> Iterator[Seen]:
    if patient.config is not None and patient.config.mqtt is None:
        yield bad(say("no broker is configured"), say('add [mqtt] with host = "..."'))


def _route(patient: Patient) -> Iterator[Seen]:
    """A default route of IPv4, or any of IPv6, by the kernel's tables; not asked for where all brokers are here."""
    hosts = {broker.host for _, broker in brokers_of(patient)}
    if not hosts - {"localhost", "127.0.0.1", "::1"}:
        return
    lines = (patient.machine.text("/proc/net/route") or "").splitlines()[1:]
    six = (patient.machine.text("/proc/net/ipv6_route") or "").splitlines()
    up = [line for line in lines if line.split()[1:2] == ["00000000"]]
    up += [line for line in six if line.startswith("0" * 32 + " 00 ") and line.split()[-1] != "lo"]
    if up:
        yield good(say("there is a way out of this network"))
    else:
        remedy = say("plug the network cable in; is there an address? ip address; a fixed one: nmtui")
        yield bad(say("there is no default route: no cable, or no address from the network"), remedy)


def _names(patient: Patient) -> Iterator[Seen]:
    for name, broker in brokers_of(patient):
        try:
            socket.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            remedy = say("check host = in the file; ask the network's people for the name server, or give an address")
            yield bad(say("{broker}: the name {host} is not found", broker=name, host=broker.host), remedy)
        else:
            yield good(say("{broker}: {host} has an address", broker=name, host=broker.host))


def _ports(patient: Patient) -> Iterator[Seen]:
    for name, broker in brokers_of(patient):
        where = f"{broker.host}:{broker.port}"
        try:
            socket.create_connection((broker.host, broker.port), CONNECT_S).close()
        except (socket.gaierror, UnicodeError):
            continue  # said of its name
        except OSError as error:
            text = explained(error, where, patient.now).detail
            remedy = say("is the port right (8883 with TLS, 1883 without)? does a firewall let it through?")
            yield bad(f"{name}: {text}", remedy)
        else:
            yield good(say("{broker}: {where} is open", broker=name, where=where))


def _certificates(patient: Patient) -> Iterator[Seen]:
    """The server's, as our authorities judge it, and when it ends."""
    for name, broker in brokers_of(patient):
        if broker.tls is None:
            continue
        try:
            ends = _server_ends(broker)
        except (ssl.SSLError, ValueError) as error:
            if "CERTIFICATE_REQUIRED" in str(error) or not isinstance(error, ssl.SSLError):
                continue
            text = explained(error, f"{broker.host}:{broker.port}", patient.now).detail
            remedy = say("ask the bureau for its authority's certificate: tls = {example}", example='{ ca = "ca.pem" }')
            yield bad(f"{name}: {text}", remedy)
        except (OSError, UnicodeError):
            continue  # said of its port
        except LinkLost as lost:
            yield bad(f"{name}: {lost.detail}", _remedy(lost.state))
        else:
            yield from ending(say("{broker}: the broker's certificate", broker=name), ends, patient)


def _server_ends(broker: configuration.Mqtt) -> datetime | None:
    assert broker.tls is not None  # noqa: S101  for the type checker
    context = secured(broker.tls.ca, broker.tls.cert, broker.tls.key)
    return certificate_ends(broker.host, broker.port, context)


def certificate_ends(host: str, port: int, context: ssl.SSLContext) -> datetime | None:
    """Raises OSError, ssl.SSLError among them."""
    with (
        socket.create_connection((host, port), CONNECT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
    return None if certificate is None else x509.load_der_x509_certificate(certificate).not_valid_after_utc


def _own_certificates(patient: Patient) -> Iterator[Seen]:
    for name, files in (certificates.files(patient.config) if patient.config is not None else {}).items():
        for file in files:
            with contextlib.suppress(OSError):  # said of the configuration
                try:
                    found = x509.load_pem_x509_certificates(Path(file).read_bytes())
                except ValueError:
                    what = say("{broker}: {file} holds no certificate", broker=name, file=file)
                    yield bad(what, say("it must be PEM: -----BEGIN CERTIFICATE-----; ask for it once more"))
                    continue
                ends = min(each.not_valid_after_utc for each in found)
                yield from ending(f"{name}: {file}", ends, patient)


def ending(what: str, ends: datetime | None, patient: Patient) -> Iterator[Seen]:
    if ends is None:
        return
    left = (ends - datetime.fromtimestamp(patient.now.wall_ns / 1e9, ends.tzinfo)) // timedelta(days=1)
    day = ends.date().isoformat()
    remedy = say("have it renewed by who issued it, before {day}", day=day)
    if left < 0:
        yield bad(say("{what} ended on {day}", what=what, day=day), remedy)
    elif left < RED_DAYS:
        yield bad(say("{what} ends in {left} days, on {day}", what=what, left=left, day=day), remedy)
    elif left < WARN_DAYS:
        yield doubtful(say("{what} ends in {left} days, on {day}", what=what, left=left, day=day), remedy)
    else:
        yield good(say("{what} is good until {day}", what=what, day=day))


def _links(patient: Patient) -> Iterator[Seen]:
    """What the gateway says of its own connections."""
    for name, state in (patient.status or {}).get("brokers", {}).items():
        if name not in BROKERS:
            continue  # said of the database and of the platforms
        shown = say("{state}: {detail}", state=word(state["state"]), detail=state["detail"] or "-")
        if state["state"] == "connected":
            yield good(f"{name}: {shown}")
        else:
            yield bad(f"{name}: {shown}", _remedy(state["state"]))


def _remedy(state: str) -> str:
    match state:
        case "refused" | "connected":
            return say("ask the broker's people: user, password, and topics below exam/v1/VENUE for this venue")
        case "bad-certificate":
            return say("look at tls = in the file, and at the certificates' ends")
        case "bad-clock":
            return say("set the clock: timedatectl; connect to a time server")
        case _:
            return say("look at the network cable, at host and port (8883 with TLS, 1883 without), and at firewalls")


def _login(patient: Patient) -> Iterator[Seen]:
    """Only where no gateway is connected already: the same user, another client id."""
    for name, broker in brokers_of(patient) if not patient.runs else ():
        with contextlib.suppress(OSError, UnicodeError):  # said of its name and its port
            socket.create_connection((broker.host, broker.port), CONNECT_S).close()
            venue = patient.config.venue.id if patient.config is not None else ""
            yield from proven(name, broker, venue, patient.now)


def proven(name: str, broker: configuration.Mqtt, venue: str, now: Moment, root: str = "exam/v1") -> Iterator[Seen]:
    """Log in, publish, and hear one's own message: what a broker must let this venue do."""
    topic = f"{root}/{venue}/command/ping"
    try:
        link = Link(broker, f"doctor-{secrets.token_hex(6)}", None, now)
    except LinkLost as lost:
        yield bad(f"{name}: {lost.detail}", _remedy(lost.state))
        return
    try:
        code, heard = _spoken(link, topic)
    except LinkLost as lost:
        yield bad(f"{name}: {lost.detail}", _remedy("refused"))
        return
    finally:
        link.close(goodbye=True)
    if code is not None and code >= REFUSED_FROM:
        yield bad(say("{broker}: publishing to {topic} is not allowed", broker=name, topic=topic), _remedy("refused"))
    elif not heard:
        what = say("{broker}: one's own message on {topic} does not come back", broker=name, topic=topic)
        yield bad(what, _remedy("refused"))
    else:
        yield good(say("{broker}: logged in, published, and heard its own message", broker=name))


def _spoken(link: Link, topic: str) -> tuple[int | None, bool]:
    """The PUBACK's code, and whether the message came back."""
    payload = secrets.token_hex(8).encode()  # no command, so the gateway and other listeners leave it
    link.subscribe([topic])
    link.publish(Publication(topic, payload))
    code: int | None = None
    until = time.monotonic() + PROOF_S
    while time.monotonic() < until:
        for happening in link.wait(0.1):
            if isinstance(happening, Acked):
                code = happening.code
                if code >= REFUSED_FROM:
                    return code, False
            elif isinstance(happening, Message) and happening.payload == payload:
                return code, True
    return code, False


CHECKS = (
    Check("broker", N_("brokers"), N_("nobody outside hears of anything"), _configured),
    Check("route", N_("network"), N_("nothing leaves the venue; it is kept and sent later"), _route),
    Check("broker-name", N_("network"), N_("the broker cannot be reached; all is kept and sent later"), _names),
    Check("broker-port", N_("network"), N_("the broker cannot be reached; all is kept and sent later"), _ports),
    Check(
        "broker-certificate", N_("certificates"), N_("without trust there is no connection, on purpose"), _certificates
    ),
    Check(
        "own-certificate", N_("certificates"), N_("on the day after, no connection is made any more"), _own_certificates
    ),
    Check("link", N_("brokers"), N_("alarms wait here until the broker takes them"), _links),
    Check("broker-login", N_("brokers"), N_("the broker would not take what this venue says"), _login),
)
