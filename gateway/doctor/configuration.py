"""Checks of the configuration file, and of what is in force."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.catalogue import N_, say
from gateway.configuration import last_good
from gateway.configuration.complaints import Problem
from gateway.configuration.last_good import NAMES
from gateway.doctor.patient import Check, Patient, Seen, bad, doubtful, good

# Places whose warnings the other families say themselves, with what follows from them.
_SAID_ELSEWHERE = frozenset({"person", "station", "custody", "mqtt"})


def _file(patient: Patient) -> Iterator[Seen]:
    if patient.checked is None:
        yield doubtful(say("no configuration file was given"), say("name it: venue-gateway doctor CONFIG"))
        return
    if patient.checked.good:
        yield good(say("{file} is good", file=patient.path))
    for problem in patient.checked.problems:
        if problem.severity == "error":
            yield bad(f"{_where(problem)}{problem.wrong}", str(problem.remedy))
        elif not _said_elsewhere(problem):
            yield doubtful(f"{_where(problem)}{problem.wrong}", str(problem.remedy))


def _where(problem: Problem) -> str:
    line = f":{problem.line}" if problem.line else ""
    return f"{problem.file}{line}: " + (f"{problem.key}: " if problem.key else "")


def _said_elsewhere(problem: Problem) -> bool:
    at = problem.at
    return (len(at) == 1 and at[0] in _SAID_ELSEWHERE) or (len(at) == 2 and at[0] == "contact")


def _in_force(patient: Patient) -> Iterator[Seen]:
    if patient.status is None or patient.checked is None or _forbidden(patient.path):
        return
    if patient.status["configuration"] == patient.checked.sha256:
        yield good(say("the gateway runs on this file"))
    elif patient.checked.good:
        remedy = say("reload it: systemctl reload venue-gateway (SIGHUP)")
        yield bad(say("the gateway runs on another configuration than this file"), remedy)
    else:
        remedy = say("mend the file, then: systemctl reload venue-gateway")
        yield bad(say("this file cannot be used, so the gateway runs on an earlier one"), remedy)


def _forbidden(path: Path | None) -> bool:
    """Whether this user may not read the file: the gateway may, and nothing follows for what is in force."""
    try:
        if path is not None:
            path.open("rb").close()
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def _last_good(patient: Patient) -> Iterator[Seen]:
    if not os.access(patient.state, os.X_OK):  # another user's: nothing can be known of it
        return
    kept = [patient.state / name for name in NAMES if (patient.state / name).exists()]
    if not kept:
        return
    whole = last_good.recall(patient.state)
    if len(whole) == len(kept):
        yield good(say("a last good configuration is kept"))
    else:
        what = say("{count} of {all} kept configurations are damaged", count=len(kept) - len(whole), all=len(kept))
        yield bad(what, say("the card may be failing: replace it; until then: systemctl reload venue-gateway"))


CHECKS = (
    Check("configuration", N_("configuration"), N_("what is wrong in the file is not watched as was meant"), _file),
    Check("in-force", N_("in force"), N_("what you read in the file is not what the venue is guarded by"), _in_force),
    Check(
        "last-good", N_("last good one"), N_("after a mistake in the file there may be nothing to run on"), _last_good
    ),
)
