"""`venue-gateway accept`: walks through the venue with the installer, and ends in a sheet."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.accept import alarms
from gateway.accept.sheet import digest, sheet
from gateway.accept.walk import Step, Walk, looks
from gateway.catalogue import say
from gateway.errors import Refused
from gateway.persons.control import ask
from gateway.persons.local import pin_of


def accept_main(args: argparse.Namespace) -> int:
    """0: everything was tried and is in order. 1: not. What was in order already is not asked again."""
    pin = pin_of(args.by, args.pin_file)

    def asked(request: dict[str, Any]) -> dict[str, Any]:
        return _good(ask(args.state, request))

    def acted(request: dict[str, Any]) -> dict[str, Any]:
        return _good(ask(args.state, {**request, "by": args.by, "pin": pin}, acting=True))

    walk = Walk.begin(args.file, asked, acted, lambda line: print(line, flush=True))
    plan = asked({"verb": "accept"})["plan"]
    _check_names(args.only or (), plan)
    wait = threading.Event()
    for name, contact in plan["contacts"].items():
        known = walk.steps.get(f"contact:{name}")
        if known is not None and known.ok and not args.again:
            continue
        if args.only and name not in args.only:
            what = say("contact {name} ({place})", name=name, place=contact["place"] or "-")
            walk.take(known or Step(f"contact:{name}", what, None, say("left out this time")))
            continue
        walk.take(walk.contact(name, contact, wait))
    found = _drilled(args, walk, plan, wait)
    plan = asked({"verb": "accept"})["plan"]
    for step in (*alarms.steps(plan, walk.steps, found), *looks(plan)):
        walk.take(step)
    return _finish(args, walk, plan, acted)


def _check_names(only: Sequence[str], plan: dict[str, Any]) -> None:
    names = [*plan["contacts"], *plan["rules"], *plan["others"]]
    for name in only:
        if name not in names:
            raise Refused(say("{given} is none of: {known}", given=repr(name), known=", ".join(names)))


def _drilled(
    args: argparse.Namespace, walk: Walk, plan: dict[str, Any], wait: threading.Event
) -> dict[str, alarms.Far]:
    """Every other alarm, to the far end; who sits there is told before that so many drills follow."""
    wanted = alarms.wanted(plan, {} if args.again else walk.steps, args.only)
    if not wanted:
        return {}
    walk.act({"verb": "log", "kind": "acceptance-begun", "drills": str(len(wanted))})
    walk.tell(say("{count} alarms are drilled now to the far end, every message marked", count=len(wanted)))
    return alarms.drill_all(walk, wanted, wait)


def _finish(args: argparse.Namespace, walk: Walk, plan: dict[str, Any], acted: Any) -> int:
    """The event that signs for the sheet, and the sheet."""
    present = {f"contact:{name}" for name in plan["contacts"]} | {step.name for step in looks(plan)}
    present |= {step.name for step in alarms.steps(plan, {}, {})}
    steps = [step for name, step in walk.steps.items() if name in present]
    sha256 = digest(plan, steps)
    passed = sum(step.ok is True for step in steps)
    counts = {"sheet": sha256, "passed": str(passed), "failed": str(len(steps) - passed)}
    entered = acted({"verb": "log", "kind": "acceptance", "note": str(args.file.name), **counts})
    out: Path = args.out
    out.write_text(sheet(plan, steps, args.by, sha256, entered["custody"]), encoding="utf-8")
    print(say("{passed} of {all} in order; the sheet: {file}", passed=passed, all=len(steps), file=out))
    return 0 if passed == len(steps) else 1


def _good(answer: dict[str, Any]) -> dict[str, Any]:
    if not answer.get("ok"):
        raise Refused(str(answer.get("error") or say("the gateway gave no reason")))
    return answer
