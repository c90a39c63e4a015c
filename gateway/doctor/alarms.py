"""What stands now."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.catalogue import N_, say
from gateway.doctor.patient import Check, Patient, Seen, doubtful, good


def _standing(patient: Patient) -> Iterator[Seen]:
    if patient.runs and not patient.alarms:
        yield good(say("no alarm stands"))
    for alarm in patient.alarms:
        what = say("{alarm} stands since {since}", alarm=alarm["alarm"], since=alarm["since"])
        yield doubtful(what, say("venue-gateway why {alarm}", alarm=alarm["alarm"]))


CHECKS = (Check("alarm", N_("alarms"), N_("somebody has to see to it"), _standing),)
