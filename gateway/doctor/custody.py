"""Checks of what guards the papers: people, stations, times, ways out."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.catalogue import N_, say
from gateway.doctor.patient import Check, Patient, Seen, bad, doubtful, good
from gateway.values import CUSTODY_KINDS


def _guarded(patient: Patient) -> bool:
    tables = patient.config
    return tables is not None and any(contact.kind in CUSTODY_KINDS for contact in tables.contact.values())


def _guard(patient: Patient) -> Iterator[Seen]:
    if patient.config is None:
        return
    kinds = {contact.kind for contact in patient.config.contact.values()}
    for kind, what in (("leak", N_("no leak button is configured")), ("seal", N_("no paper room door is configured"))):
        if kind not in kinds:
            yield doubtful(say(what), say("if the venue has one, add it: venue-gateway config sample shows how"))


def _station(patient: Patient) -> Iterator[Seen]:
    if patient.config is None or not _guarded(patient):
        return
    if any("custody" in station.streams for station in patient.config.station):
        yield good(say("a station receives the stream custody"))
    else:
        yield bad(
            say("no station receives the stream custody"), say("make one on the far side: venue-gateway station add")
        )


def _reset(patient: Patient) -> Iterator[Seen]:
    if patient.config is None or not _guarded(patient):
        return
    persons = [person.id for person in patient.config.person if "reset" in person.may and person.pin]
    if persons:
        yield good(say("may reset an alarm: {persons}", persons=", ".join(persons)))
    else:
        remedy = say("venue-gateway person add ID --may ack reset log, and paste what it prints into the file")
        yield bad(say("no person with a PIN may reset an alarm"), remedy)


def _openers(patient: Patient) -> Iterator[Seen]:
    if patient.config is None or not any(each.kind == "seal" for each in patient.config.contact.values()):
        return
    openers = [person.id for person in patient.config.person if "open-window" in person.may and person.pin]
    if len(openers) >= 2:
        yield good(say("may open the paper room together: {persons}", persons=", ".join(openers)))
    else:
        remedy = say('give two persons a PIN and may = ["open-window"]')
        yield bad(say("fewer than two persons may open the paper room in order"), remedy)


def _times(patient: Patient) -> Iterator[Seen]:
    if patient.config is None or not any(each.kind == "seal" for each in patient.config.contact.values()):
        return
    custody, now = patient.config.custody, patient.local_time()
    if custody is None:
        yield bad(say("[custody] is not set"), say("write from when to when papers are stored: [custody] start, end"))
    elif custody.end < now:
        what = say("custody ended at {end}", end=custody.end)
        yield doubtful(what, say("write the next exam's times, or if there is none: venue-gateway retire custody"))
    else:
        yield good(say("custody from {start} to {end}", start=custody.start, end=custody.end))


def _sessions(patient: Patient) -> Iterator[Seen]:
    if patient.config is None:
        return
    sessions, now = patient.config.session, patient.local_time()
    if not sessions:
        remedy = say("venue-gateway setup offers the usual papers; or write a [[session]] for each")
        yield doubtful(say("no exam paper is in the plan"), remedy)
    elif all(session.end < now for session in sessions):
        last = max(session.end for session in sessions)
        yield doubtful(
            say("every session is over, the last since {end}", end=last), say("write those of the next exam")
        )
    else:
        coming = min((each for each in sessions if each.end >= now), key=lambda each: each.start)
        yield good(say("next session: {name}, {start}", name=coming.name, start=coming.start))


def _second_path(patient: Patient) -> Iterator[Seen]:
    if patient.config is None or not _guarded(patient):
        return
    tables = patient.config
    has = {
        "second-broker": tables.mqtt is not None and tables.mqtt.second is not None,
        "modem": tables.modem is not None,
        "siren": tables.siren is not None,
    }
    steps = {step.to for step in tables.escalation.steps}
    used = sorted(name for name, there in has.items() if there and name in steps)
    if used:
        yield good(say("beside the broker: {ways}", ways=", ".join(used)))
    elif any(has.values()):
        remedy = say("write for example: {example}", example='[escalation] steps = [{ after = "60s", to = "siren" }]')
        yield bad(say("a second way is there, and no step of [escalation] uses it"), remedy)
    else:
        yield bad(say("an alarm has one way out, the broker"), say("add [mqtt.second], [modem] or [siren], and a step"))


CHECKS = (
    Check("guard", N_("guard"), N_("what is not configured is not watched"), _guard),
    Check("station", N_("station"), N_("a press is never confirmed: the lamp stays at not delivered"), _station),
    Check("who-may-reset", N_("persons"), N_("a leak or seal alarm stands until somebody resets it by hand"), _reset),
    Check("who-may-open", N_("persons"), N_("each opening of the paper room would be an alarm"), _openers),
    Check("custody-times", N_("custody"), N_("without the times it is not known when the door must be shut"), _times),
    Check("sessions", N_("sessions"), N_("limits that hold during a session would never hold"), _sessions),
    Check("second-path", N_("second way"), N_("if the network is cut, nobody hears of a leak alarm"), _second_path),
)
