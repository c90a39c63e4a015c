"""People and stations: who can act, who receives, and whether their keys are whole."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator

from gateway.catalogue import N_
from gateway.configuration.complaints import Location, Problem, error, phrase, warning
from gateway.configuration.config import Config
from gateway.values import CUSTODY_KINDS


def people(config: Config) -> Iterator[Problem]:
    yield from _twice("person", [p.id for p in config.person])
    for number, person in enumerate(config.person):
        at: Location = ("person", number)
        if person.key is not None and not _is_key(person.key):
            yield _bad_key((*at, "key"))
        if person.pin is not None and not _is_pin(person.pin):
            yield error(
                (*at, "pin"),
                phrase(N_("this is no whole line for a PIN; something is missing or was changed")),
                phrase(N_("make the line with: venue-gateway person add")),
            )
        if person.may and person.pin is None and person.key is None:
            yield warning(
                at,
                phrase(N_("{name} may act but has neither PIN nor key, so cannot"), name=person.name),
                phrase(N_("make the lines with: venue-gateway person add")),
            )
    custody = [c for c in config.contact.values() if c.kind in CUSTODY_KINDS]
    if custody and not any("reset" in person.may and person.pin for person in config.person):
        yield warning(
            ("person",),
            phrase(N_("nobody can reset a leak, seal or tamper alarm, which stands until it is reset by hand")),
            phrase(N_('give a person a PIN and may = ["ack", "reset"]')),
        )
    openers = sum("open-window" in person.may and person.pin is not None for person in config.person)
    if any(c.kind == "seal" for c in custody) and openers < 2:
        yield warning(
            ("person",),
            phrase(
                N_("the paper room cannot be opened in order: that takes two persons who may open-window, with PINs")
            ),
            phrase(N_('give two persons a PIN and may = ["open-window"]')),
        )


def stations(config: Config) -> Iterator[Problem]:
    yield from _twice("station", [s.id for s in config.station])
    for number, station in enumerate(config.station):
        at: Location = ("station", number)
        if not _is_key(station.key):
            yield _bad_key((*at, "key"))
        if not station.streams:
            yield error(
                (*at, "streams"),
                phrase(N_("it receives nothing")),
                phrase(N_("write for example: {example}"), example='streams = ["custody", "gateway"]'),
            )
    custody = any(contact.kind in CUSTODY_KINDS for contact in config.contact.values())
    if custody and not any("custody" in station.streams for station in config.station):
        yield warning(
            ("station",),
            phrase(N_("no station receives the stream custody: no alarm of leak or seal will ever count as received")),
            phrase(N_("add a [[station]] with custody among its streams: venue-gateway station add")),
        )


def _twice(table: str, ids: Iterable[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, name in enumerate(ids):
        if name in seen:
            yield error(
                (table, number, "id"),
                phrase(N_("{name} is there twice"), name=name),
                phrase(N_("give each one an id of its own")),
            )
        seen.add(name)


def _is_key(text: str) -> bool:
    """`ed25519:` and the base64 of the 32 bytes of a public key."""
    try:
        return len(base64.b64decode(text.removeprefix("ed25519:"), validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def _is_pin(text: str) -> bool:
    """`scrypt:SALT:HASH`, both base64."""
    parts = text.split(":")[1:]
    try:
        return len(parts) == 2 and all(len(base64.b64decode(part, validate=True)) >= 8 for part in parts)
    except (binascii.Error, ValueError):
        return False


def _bad_key(at: Location) -> Problem:
    return error(
        at,
        phrase(N_("this is no whole public key: after ed25519: belong 44 letters and digits that end in =")),
        phrase(N_("copy the line once more as it was printed by: venue-gateway person add, or station add")),
    )
