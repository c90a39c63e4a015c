"""Entrances: each needs a thermometer's own points, and levels in the right order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from drivers.base import Driver, quantity_of
from drivers.quantities import QUANTITIES
from gateway.catalogue import N_
from gateway.configuration.complaints import Location, Problem, error, phrase, warning
from gateway.configuration.config import Config
from gateway.configuration.consistency.rules import measured
from gateway.configuration.screening import Screening


def screening(config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    yield from _own_thermometers(config)
    for name, table in config.screening.items():
        at: Location = ("screening", name)
        for key in ("point", "ambient", "blackbody"):
            if (point := getattr(table, key)) is not None:
                yield from _thermometer((*at, key), point, config, drivers)
        yield from _one_device(at, table)
        yield from _levels(at, table)
        yield from _times(at, table)
        if table.expected is not None and not config.session:
            wrong = phrase(N_("nobody can tell whether these people come in time: there is no [[session]]"))
            yield warning((*at, "expected"), wrong, phrase(N_("add the sessions, or leave out expected")))


def _thermometer(at: Location, point: str, config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    problems = list(measured(at, point, config, drivers))
    yield from problems
    quantity = quantity_of(point.rpartition("/")[2])
    if not problems and (quantity is None or QUANTITIES[quantity].stream != "screening"):
        yield error(
            at,
            phrase(N_("{point} is no temperature of an entry thermometer"), point=point),
            phrase(N_("write for example: {example}"), example='point = "gate-a/object_temperature"'),
        )


def _own_thermometers(config: Config) -> Iterator[Problem]:
    """Persons and counts carry the thermometer's name, so that two entrances on one could not be told apart."""
    taken: dict[str, str] = {}
    for name, table in config.screening.items():
        device = _device(table.point)
        if device in taken:
            yield error(
                ("screening", name, "point"),
                phrase(N_("{device} is the thermometer of {other} already"), device=device, other=taken[device]),
                phrase(N_("each entrance needs a thermometer of its own")),
            )
        taken.setdefault(device, name)


def _one_device(at: Location, table: Screening) -> Iterator[Problem]:
    for key in ("ambient", "blackbody"):
        point = getattr(table, key)
        if point is not None and _device(point) != _device(table.point):
            wrong = phrase(N_("{point} is not of the thermometer {device}"), point=point, device=_device(table.point))
            yield error((*at, key), wrong, phrase(N_("name a point of the same device, or leave out {key}"), key=key))


def _device(point: str) -> str:
    return point.partition("/")[0]


def _times(at: Location, table: Screening) -> Iterator[Problem]:
    if table.second_within <= table.rest:
        yield error(
            (*at, "second_within"),
            phrase(N_("the second measurement would be overdue before the rest is over")),
            phrase(N_("usual is: {example}"), example='rest = "10m", second_within = "30m"'),
        )


def _levels(at: Location, table: Screening) -> Iterator[Problem]:
    if not table.plausible_from < table.threshold - table.error < table.threshold + table.error < table.plausible_to:
        yield error(
            (*at, "threshold"),
            phrase(N_("the threshold and its error do not lie within what is plausible")),
            phrase(N_("usual is: {example}"), example="plausible_from = 34.0, threshold = 37.3, plausible_to = 43.0"),
        )
    if (table.blackbody is None) != (table.blackbody_temperature is None):
        yield error(
            (*at, "blackbody"),
            phrase(N_("blackbody and blackbody_temperature belong together")),
            phrase(N_("give both, or none of them")),
        )
