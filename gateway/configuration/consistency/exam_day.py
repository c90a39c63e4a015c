"""Duties, airing and the zero report: whether what they name is there, and whether anybody can enter it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.catalogue import N_
from gateway.configuration.complaints import Problem, error, phrase, warning
from gateway.configuration.config import Config
from gateway.day.sealing import KEEP


def exam_day(config: Config) -> Iterator[Problem]:
    yield from _duties(config)
    for room, table in config.airing.items():
        if table.door is not None and table.door not in config.contact:
            yield error(
                ("airing", room, "door"),
                phrase(N_("there is no contact {name}"), name=table.door),
                phrase(N_("name one of the [contact] tables, or leave it out")),
            )
        device = (table.co2 or "").partition("/")[0]
        if table.co2 is not None and device not in config.device:
            yield error(
                ("airing", room, "co2"),
                phrase(N_("there is no device {name}"), name=device or "-"),
                phrase(N_("write device and quantity: {example}"), example='co2 = "room-air/co2"'),
            )
    for key in ("events_days", "minutes_days"):
        if config.session and getattr(config.record, key) < KEEP.days:
            yield error(
                ("record", key),
                phrase(N_("the record of an exam is kept for six months after it")),
                phrase(N_("write {days} or more, or leave it out"), days=KEEP.days),
            )
    if config.zero_report is not None and not any("custody" in station.streams for station in config.station):
        yield warning(
            ("zero_report",),
            phrase(N_("no station receives the stream custody: nobody will miss a report")),
            phrase(N_("add a [[station]] with custody among its streams: venue-gateway station add")),
        )


def _duties(config: Config) -> Iterator[Problem]:
    asked = () if config.custody is None else config.custody.duties
    for kind, table in config.duty.items():
        if kind not in asked:
            yield warning(
                ("duty", kind),
                phrase(N_("[custody] duties does not ask for it: these times mean nothing")),
                phrase(N_("add it there: {example}"), example=f'duties = ["{kind}"]'),
            )
        if table.every is not None and table.at:
            yield error(
                ("duty", kind),
                phrase(N_("every and at cannot both say when it is due")),
                phrase(N_("keep one of the two")),
            )
        tag = None if table.tag is None else config.contact.get(table.tag)
        if table.tag is not None and (tag is None or tag.kind != "patrol"):
            yield error(
                ("duty", kind, "tag"),
                phrase(N_("{name} is no contact of kind patrol"), name=table.tag),
                phrase(N_("give the contact kind = {example}"), example='"patrol"'),
            )
    writers = sum("log" in person.may and (person.pin or person.key) is not None for person in config.person)
    if asked and writers < 2:
        yield warning(
            ("custody", "duties"),
            phrase(N_("the duties take two persons who may log, with PIN or key: they could never be entered")),
            phrase(N_('give two persons a PIN and may = ["log"]')),
        )
