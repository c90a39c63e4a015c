"""Sound levels: certificates and weather belong to devices there are; an expired certificate is told in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from drivers.base import Driver, quantity_of
from gateway.catalogue import N_
from gateway.configuration.complaints import Problem, meant, phrase, warning
from gateway.configuration.complaints import error as wrong_at
from gateway.configuration.config import Config
from gateway.environment.noise import is_noise

_WEATHER = {"wind_speed", "rain"}


def noise(config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    for name in config.certificate:
        driver = drivers.get(name)
        if name not in config.device:
            problem = phrase(N_("there is no device {name}"), name=name)
            yield wrong_at(("certificate", name), problem, meant(name, config.device))
        elif driver is not None and not any(is_noise(f"{name}/{point}") for point in driver.points):
            problem = phrase(N_("{name} measures no sound level"), name=name)
            yield wrong_at(("certificate", name), problem, phrase(N_("leave the table out")))
        elif driver is not None and not driver.evidence:
            problem = phrase(N_("{name} is no sound level meter by its driver: it stays indicative"), name=name)
            yield warning(("certificate", name), problem, phrase(N_("a certified meter is read by its own driver")))
        yield from _ends_before_the_exam(config, name)
    for i, name in enumerate(config.noise.weather or ()):
        driver = drivers.get(name)
        if name not in config.device:
            problem = phrase(N_("there is no device {name}"), name=name)
            yield wrong_at(("noise", "weather", i), problem, meant(name, config.device))
        elif driver is not None and not any(quantity_of(point) in _WEATHER for point in driver.points):
            problem = phrase(N_("{name} measures neither wind nor rain"), name=name)
            yield wrong_at(("noise", "weather", i), problem, phrase(N_("name a weather station")))


def _ends_before_the_exam(config: Config, name: str) -> Iterator[Problem]:
    until = config.certificate[name].until
    last: date | None = max((session.end.date() for session in config.session), default=None)
    if last is not None and until < last:
        problem = phrase(N_("the certificate of {name} ends on {until}, before the exam does"), name=name, until=until)
        remedy = phrase(N_("have it verified: from then on its results are indicative"))
        yield warning(("certificate", name, "until"), problem, remedy)
