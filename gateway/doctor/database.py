"""Checks of the time-series database: its certificate, and whether it would take what this venue writes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.catalogue import N_, say
from gateway.configuration import config as configuration
from gateway.doctor.brokers import certificate_ends, ending
from gateway.doctor.patient import Check, Patient, Seen, bad, good
from gateway.sinks.tls import secured
from gateway.sinks.troubles import LinkLost
from gateway.vocabulary import word

NAME = "influxdb"


def _configured(patient: Patient) -> configuration.InfluxDb | None:
    return patient.config.influxdb if patient.config is not None else None


def _certificate(patient: Patient) -> Iterator[Seen]:
    """When the server's ends; whether it is to be trusted is said of the connection."""
    settings = _configured(patient)
    address = urlsplit(settings.url if settings is not None else "")
    if settings is None or address.scheme != "https" or address.hostname is None:
        return
    try:
        ends = certificate_ends(address.hostname, address.port or 443, secured(settings.ca))
    except (LinkLost, OSError, UnicodeError):
        return
    yield from ending(say("the certificate of {where}", where=address.netloc), ends, patient)


def _link(patient: Patient) -> Iterator[Seen]:
    """As the gateway has it. Without one that runs it is asked with our token, and no point is written."""
    settings = _configured(patient)
    if settings is None:
        return
    found = (patient.status or {}).get("brokers", {}).get(NAME)
    if found is None:
        yield _asked(settings, patient)
        return
    shown = say("{state}: {detail}", state=word(found["state"]), detail=found["detail"] or "-")
    yield good(shown) if found["state"] == "connected" else bad(shown, _remedy(found["state"]))


def _asked(settings: configuration.InfluxDb, patient: Patient) -> Seen:
    from gateway.sinks.influx_client import Database  # noqa: PLC0415  18 MiB that only this needs

    try:
        database = Database(settings, lambda: patient.now)
    except LinkLost as lost:
        return bad(lost.detail, _remedy(lost.state))
    try:
        database.greet()
    except LinkLost as lost:
        return bad(lost.detail, _remedy(lost.state))
    finally:
        database.close()
    return good(say("{url} would take what this venue writes into {bucket}", url=settings.url, bucket=settings.bucket))


def _remedy(state: str) -> str:
    match state:
        case "refused":
            return say("ask the database's people: organisation, bucket, and a token that may write into it")
        case "bad-certificate":
            return say(
                "ask the database's people for their authority's certificate: {example}", example='ca = "ca.pem"'
            )
        case "bad-clock":
            return say("set the clock: timedatectl; connect to a time server")
        case _:
            return say("look at url = in [influxdb], at the network cable, and at firewalls (8086 is usual)")


_KEPT = N_("what is measured is missing there; it is kept and sent later")
CHECKS = (
    Check(
        "database-certificate", N_("certificates"), N_("without trust there is no connection, on purpose"), _certificate
    ),
    Check("database", N_("database"), _KEPT, _link),
)
