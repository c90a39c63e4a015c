"""Shipped sets of limits, each with its source, edition and how far it was verified; and all rules of a venue.

A set is a TOML file beside this one, chosen by name in `rule_sets`. It is expanded to one rule for each device that
has the quantity: `gb3096-night-peak-gate-noise`. A limit is only ever compared with the mean that it names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from gateway.board import Instrument
from gateway.configuration import config as configuration
from gateway.configuration.config import Config, Duration, Table, When
from gateway.days import Days
from gateway.environment.statistics import parse, source
from gateway.rules import Origin, Proof, Rule, kind_of
from gateway.values import Severity

_FOLDER = Path(__file__).parent
Area = Literal["0", "1", "2", "3", "4a", "4b"]


class Title(Table):
    zh: str
    en: str


class Limit(Table):
    """One limit of a set; exactly one of `above`, `above_by_area` and `below`."""

    id: str
    statistic: str
    above: float | None = None
    above_by_area: dict[Area, float] | None = None
    below: float | None = None
    clear_margin: float | None = None  # clears only so far within the limit
    decimals: int | None = None
    as_written: str | None = None
    during: tuple[When, ...] = ("always",)
    only: tuple[When, ...] = ()
    unless: tuple[When, ...] = ()
    whole_window: bool = False
    margin_before: Duration = 0.0
    margin_after: Duration = 0.0
    raise_after: Duration = 0.0
    where: Literal["indoors", "outdoors", "anywhere"] = "anywhere"
    severity: Severity = "medium"
    proof: Proof | None = None
    mean: str
    title: Title


class RuleSet(Table):
    name: str
    short: str
    title: Title
    source: str
    edition: str
    proof: Proof
    indicative: bool = False
    notes: tuple[str, ...] = ()
    limit: tuple[Limit, ...] = Field(min_length=1)


def names() -> list[str]:
    """The sets that are shipped."""
    return sorted(file.stem for file in _FOLDER.glob("*.toml"))


@lru_cache
def load(name: str) -> RuleSet:
    """KeyError when there is no such set."""
    if name not in names():
        raise KeyError(name)
    return RuleSet.model_validate(tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8")))


def build(config: Config, instruments: Mapping[str, Instrument]) -> tuple[Rule, ...]:
    """Every rule of a venue: its own, and the chosen sets expanded to its devices, without those it has overridden."""
    own = {name: from_config(name, rule, config) for name, rule in config.rule.items()}
    shipped = (rule for chosen in config.rule_sets for rule in expand(load(chosen), config, instruments))
    return (*own.values(), *(rule for rule in shipped if rule.name not in own))


def from_config(name: str, rule: configuration.Rule, config: Config) -> Rule:
    """A rule of the configuration. KeyError when its point is of no known quantity."""
    kind, stream = kind_of(rule.point)
    device = config.device.get(rule.point.partition("/")[0])
    return Rule(
        name=name,
        point=rule.point,
        kind=kind,
        stream=stream,
        place=device.place if device is not None else "",
        severity=rule.severity,
        above=rule.above,
        below=rule.below,
        clear_below=rule.clear_below,
        clear_above=rule.clear_above,
        minus=rule.minus,
        within_s=rule.within,
        share=rule.share,
        count=rule.count,
        stale_after_s=rule.stale_after,
        flat_for_s=rule.flat_for,
        min_valid=rule.min_valid,
        during=rule.during,
        days=Days(weekdays=rule.weekdays, dates=rule.dates),
        margin_before_s=rule.margin_before,
        margin_after_s=rule.margin_after,
        raise_after_s=rule.raise_after,
        clear_after_s=rule.clear_after,
        repeat_after_s=rule.repeat_after,
        title_zh=rule.text_zh,
        title_en=rule.text_en,
    )


def expand(rule_set: RuleSet, config: Config, instruments: Mapping[str, Instrument]) -> Iterator[Rule]:
    """The set's limits as rules of the devices that can give what they are defined for."""
    for limit in rule_set.limit:
        wanted = parse(limit.statistic)
        for name, instrument in instruments.items():
            device = config.device.get(name)
            indoors = device.indoors if device is not None else None
            elsewhere = {"indoors": indoors is False, "outdoors": indoors is True, "anywhere": False}[limit.where]
            if wanted is not None and not elsewhere and source(wanted, instrument.points) is not None:
                place = device.place if device is not None else ""
                yield from _of_device(rule_set, limit, config, f"{name}/{limit.statistic}", place)


def _of_device(rule_set: RuleSet, limit: Limit, config: Config, point: str, place: str) -> Iterator[Rule]:
    """One rule; two where the sound area on exam days is another than the map's."""
    if limit.above_by_area is None:
        yield _rule(rule_set, limit, point, place, limit.above)
        return
    levels = limit.above_by_area
    area, exam_area = config.venue.sound_area, config.venue.sound_area_exam_days
    ordinary = _rule(rule_set, limit, point, place, levels[area], area=area)
    if exam_area is None or exam_area == area:
        yield ordinary
        return
    exam = _rule(rule_set, limit, point, place, levels[exam_area], area=exam_area)
    yield replace(ordinary, unless=(*limit.unless, "exam-day"))
    yield replace(exam, name=f"{exam.name}-exam-day", only=(*limit.only, "exam-day"))


def _rule(
    rule_set: RuleSet, limit: Limit, point: str, place: str, above: float | None, *, area: str | None = None
) -> Rule:
    kind, stream = kind_of(point)
    margin = limit.clear_margin
    return Rule(
        name=f"{rule_set.short}-{limit.id}-{point.partition('/')[0]}",
        point=point,
        kind=kind,
        stream=stream,
        place=place,
        severity=limit.severity,
        above=above,
        below=limit.below,
        clear_below=None if margin is None or above is None else above - margin,
        clear_above=None if margin is None or limit.below is None else limit.below + margin,
        decimals=limit.decimals,
        during=limit.during,
        only=limit.only,
        unless=limit.unless,
        whole_window=limit.whole_window,
        margin_before_s=limit.margin_before,
        margin_after_s=limit.margin_after,
        raise_after_s=limit.raise_after,
        title_zh=limit.title.zh,
        title_en=limit.title.en,
        origin=Origin(
            set=rule_set.name,
            source=rule_set.source,
            edition=rule_set.edition,
            proof=limit.proof or rule_set.proof,
            mean=limit.mean,
            indicative=rule_set.indicative,
            area=area,
            as_written=limit.as_written,
        ),
    )
