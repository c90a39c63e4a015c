"""The twelve kinds of incident, a fixed list in every incident record, and what the sensors know of each.

The groups are those of emergency plans for national exams (security of papers, accidents, natural disasters, public
health, public order); the list of twelve is the project's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gateway.catalogue import say
from gateway.day.wording import INCIDENTS
from gateway.errors import Refused

# Kinds of alarms that speak of an incident. What is not here no sensor of ours can know.
SENSED: Mapping[str, frozenset[str]] = {
    "paper-leak": frozenset({"leak", "seal", "tamper"}),
    "fire": frozenset({"fire"}),
    "flood": frozenset({"flood"}),
    "public-health": frozenset({"body_temperature", "screening"}),
    "power-failure": frozenset({"power"}),
    "device-failure": frozenset({"device", "bus", "line", "pin"}),
    "network-attack": frozenset({"refused", "altered", "identity"}),
}


class Stands(NamedTuple):
    """An alarm that stands."""

    alarm: str
    kind: str


def prefilled(standing: Iterable[Stands]) -> dict[str, list[str] | None]:
    """Every kind: the alarms that speak of it; None where no sensor can know."""
    alarms = tuple(standing)
    return {
        incident: [each.alarm for each in alarms if each.kind in SENSED[incident]] if incident in SENSED else None
        for incident in INCIDENTS
    }


def chosen(given: str | None, sensed: Mapping[str, list[str] | None]) -> str:
    """The kind a person names; else the one that the sensors know. Raises Refused when that is none or several."""
    if given is not None:
        if given not in INCIDENTS:
            raise Refused(say("{given} is none of: {known}", given=repr(given), known=", ".join(INCIDENTS)))
        return given
    known = [incident for incident, alarms in sensed.items() if alarms]
    if len(known) != 1:
        raise Refused(say("name the kind of incident: {known}", known=", ".join(INCIDENTS)))
    return known[0]
