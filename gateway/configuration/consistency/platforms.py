"""Platforms that speak HJ 212: numbers, factors, and the points that feed them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from drivers.base import Driver, quantity_of
from drivers.quantities import QUANTITIES
from gateway.catalogue import N_
from gateway.configuration.complaints import Location, Problem, error, meant, phrase, warning
from gateway.configuration.config import Config
from gateway.configuration.hj212 import Factor, Hj212
from gateway.hj212.editions import EDITIONS
from gateway.hj212.factors import FACTORS, converted


def platforms(config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    for name, platform in config.hj212.items():
        at: Location = ("hj212", name)
        edition = EDITIONS[platform.edition]
        if edition.mn.fullmatch(platform.mn) is None:
            yield error(
                (*at, "mn"),
                phrase(
                    N_("{mn} is no number of a station in the edition of {edition}"),
                    mn=platform.mn,
                    edition=edition.name,
                ),
                phrase(N_("the platform gives it: 14 letters and digits in 2005, 24 of 0-9 A-F in 2017")),
            )
        if not platform.answers:
            yield warning(
                (*at, "answers"),
                phrase(N_("what this platform loses behind its own machine is not sent again: nothing tells of it")),
                phrase(N_("leave it out, unless the platform's people say that they answer no data (9014)")),
            )
        for code, factor in platform.factors.items():
            yield from _factor((*at, "factors", code), code, factor, platform, drivers)


def _factor(at: Location, code: str, wish: Factor, platform: Hj212, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    factor = FACTORS.get(code)
    if factor is None:
        yield error(at, phrase(N_("there is no factor {code}"), code=code), meant(code, FACTORS))
        return
    if platform.edition == "2005" and wish.code is None:
        yield error(
            at,
            phrase(N_("the codes of 2005 are not those of 2017: this platform's own must be given")),
            phrase(N_("write for example: {example}"), example=f'{code} = {{ point = "{wish.point}", code = "B03" }}'),
        )
    device, _, point = wish.point.partition("/")
    known = drivers.get(device)
    if known is None or point not in known.points:
        yield error(
            at,
            phrase(N_("there is no point {point}"), point=wish.point),
            meant(wish.point, [f"{name}/{point}" for name, driver in drivers.items() for point in driver.points]),
        )
        return
    quantity = quantity_of(point)
    if quantity not in factor.quantities:
        yield error(
            at,
            phrase(N_("{point} is not what {code} is for"), point=wish.point, code=code),
            phrase(N_("a point of one of these: {quantities}"), quantities=", ".join(factor.quantities)),
        )
        return
    try:
        converted(1.0, QUANTITIES[quantity].unit, wish.unit or factor.unit, factor.molar)
    except ValueError:
        yield error(
            at,
            phrase(N_("{unit} cannot be made of {own}"), unit=wish.unit, own=QUANTITIES[quantity].unit),
            phrase(N_("one of these: {units}"), units=", ".join(factor.units)),
        )
