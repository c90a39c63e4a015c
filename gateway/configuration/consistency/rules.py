"""Rules: each needs a point that is measured, one limit, levels in the right order, and a time to be in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from drivers.base import Driver
from gateway import rule_sets
from gateway.catalogue import N_
from gateway.configuration.complaints import Location, Problem, error, meant, phrase, warning
from gateway.configuration.config import Config, Rule
from gateway.environment import statistics

LIMITS = ("above", "below", "stale_after", "flat_for")
_WHAT_TO_SAY = N_("say exactly one of: above, below, stale_after, flat_for")


def sets(config: Config) -> Iterator[Problem]:
    """Shipped sets of limits by name, each once."""
    for number, name in enumerate(config.rule_sets):
        at: Location = ("rule_sets", number)
        if name not in rule_sets.names():
            yield error(at, phrase(N_("there is no rule set {name}"), name=name), meant(name, rule_sets.names()))
        elif name in config.rule_sets[:number]:
            yield error(at, phrase(N_("{name} is there twice"), name=name), phrase(N_("remove one of the two")))


def rules(config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    """A point that is measured, one limit, levels in the right order, and a time at which it can be in force."""
    for name, rule in config.rule.items():
        at: Location = ("rule", name)
        for key in ("point", "minus"):
            point = getattr(rule, key)
            if point is not None:
                yield from measured((*at, key), point, config, drivers)
        yield from _limit(at, rule)
        yield from _patience(at, rule, config, drivers)
        yield from _when(at, rule, config)


def measured(at: Location, point: str, config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    device, slash, name = point.partition("/")
    if not slash or not name:
        yield error(
            at,
            phrase(N_("{point} is no point"), point=point),
            phrase(N_("a point is a device and what it measures: {example}"), example="gate-noise/laeq_1min"),
        )
    elif device not in config.device:
        wrong = phrase(N_("there is no [device.{name}]"), name=device)
        yield error(at, wrong, meant(device, config.device))
    elif device in drivers:
        points = drivers[device].points
        wanted = statistics.parse(name)
        if name not in points and (wanted is None or statistics.source(wanted, points) is None):
            wrong = phrase(
                N_("{device} ({driver}) has no {name}"), device=device, driver=drivers[device].name, name=name
            )
            yield error(at, wrong, meant(name, [*points, *_usual(points)]))


def _usual(measured: tuple[str, ...]) -> list[str]:
    """Statistics of these points that rules mostly use."""
    names = [f"{base}_{window}" for base in (*measured, "laeq") for window in ("1min", "10min", "1h")]
    return [n for n in names if (w := statistics.parse(n)) is not None and statistics.source(w, measured) is not None]


def _limit(at: Location, rule: Rule) -> Iterator[Problem]:
    given = [key for key in LIMITS if getattr(rule, key) is not None]
    if not given:
        yield error(at, phrase(N_("it has no limit, so it would never raise an alarm")), phrase(_WHAT_TO_SAY))
    elif len(given) > 1:
        wrong = phrase(N_("it has several limits: {given}"), given=", ".join(given))
        yield error(at, wrong, phrase(N_("say one, and make a rule of its own for each other one")))
    if rule.clear_below is not None and (rule.above is None or rule.clear_below > rule.above):
        yield error(
            (*at, "clear_below"),
            phrase(N_("clear_below belongs to above and must not be higher than it")),
            phrase(N_("usual is 2 lower: {example}"), example="above = 55.0, clear_below = 53.0"),
        )
    if rule.clear_above is not None and (rule.below is None or rule.clear_above < rule.below):
        yield error(
            (*at, "clear_above"),
            phrase(N_("clear_above belongs to below and must not be lower than it")),
            phrase(N_("usual is a little higher: {example}"), example="below = 18.0, clear_above = 18.5"),
        )
    parts = [key for key in ("share", "count") if getattr(rule, key) is not None]
    if len(parts) > 1 or bool(parts) != (rule.within is not None):
        yield error(
            (*at, "within"),
            phrase(N_("within needs either share or count beside it, and they need within")),
            phrase(N_("write for example: {example}"), example='within = "10m", share = 0.5'),
        )
    if (rule.minus is not None or parts) and rule.above is None and rule.below is None:
        yield error(
            at,
            phrase(N_("minus, share and count need a limit above or below")),
            phrase(N_("write for example: {example}"), example="above = 5.0"),
        )


def _patience(at: Location, rule: Rule, config: Config, drivers: Mapping[str, Driver]) -> Iterator[Problem]:
    """A point cannot be stale before its next value is due."""
    name = rule.point.partition("/")[0]
    if rule.stale_after is None or name not in drivers:
        return
    every_s = max(config.device[name].every or 0.0, drivers[name].every_s)
    if rule.stale_after <= every_s:
        yield error(
            (*at, "stale_after"),
            phrase(
                N_("{device} is read every {length} s, so it would be stale all the time"),
                device=name,
                length=f"{every_s:g}",
            ),
            phrase(N_("give at least three times as long")),
        )


def _when(at: Location, rule: Rule, config: Config) -> Iterator[Problem]:
    if not rule.during:
        yield error(
            (*at, "during"),
            phrase(N_("the list is empty, so the rule would never be in force")),
            phrase(N_("write for example: {example}"), example='during = ["session"]'),
        )
    there = {
        "session": bool(config.session),
        "listening": any(session.listening for session in config.session),
        "quiet": bool(config.quiet),
        "custody": config.custody is not None,
        "summer": bool(config.venue.summer_months),
        "winter": bool(config.venue.winter_months),
    }
    for number, when in enumerate(rule.during):
        if not there.get(when, True):
            yield warning(
                (*at, "during", number),
                phrase(N_("no {when} is given, so the rule is not in force then"), when=when),
                phrase(N_("add it: {example}"), example=_TABLES[when]),
            )


_TABLES = {
    "session": "[[session]]",
    "listening": "listening = [{ start = ..., end = ... }]",
    "quiet": "[[quiet]]",
    "custody": "[custody]",
    "summer": "summer_months = [6, 7, 8, 9]",
    "winter": "winter_months = [12, 1, 2]",
}
