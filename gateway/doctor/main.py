"""Runs every check, side by side and within a time, and prints what they found."""

from __future__ import annotations

import argparse
import json
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from rich.cells import cell_len, set_cell_size

from gateway.catalogue import say
from gateway.doctor.patient import Check, Family, Finding, Patient, Seen, doubtful, gather
from gateway.doctor.registry import FAMILIES

LIMIT_S = 18.0  # for everything together; what has not ended by then is said not to have
LEAST_S = 4.0  # for the checks, when a gateway that hangs has taken the rest
_MARK = {"good": "+", "warning": "!", "bad": "x"}


def doctor_main(args: argparse.Namespace) -> int:
    """Prints every finding; 0 when none is bad, 1 otherwise."""
    if args.bus:
        from gateway.installer.bus_check import bus_main  # noqa: PLC0415  it opens ports, which no other check does

        return bus_main(args)
    began = time.monotonic()
    patient = gather(args.state, args.config)
    findings = examine(patient, limit_s=max(LEAST_S, LIMIT_S - (time.monotonic() - began)))
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        show(findings, every=args.all)
    if args.bundle is not None:
        from gateway.doctor.bundle import write_bundle  # noqa: PLC0415  the archive is made only when asked for

        write_bundle(args.bundle, patient, findings)
        if not args.json:
            print(say("{file} holds what support needs, and no secret", file=args.bundle))
    return 1 if any(finding.level == "bad" for finding in findings) else 0


def examine(patient: Patient, families: Sequence[Family] = FAMILIES, limit_s: float = LIMIT_S) -> list[Finding]:
    """Every finding, in the order of the families; each check on a thread of its own, because they wait."""
    done: queue.SimpleQueue[tuple[str, list[Seen]]] = queue.SimpleQueue()

    checks = [check for family in families for check in family]

    def work(check: Check) -> None:
        try:
            seen = list(check.examine(patient))
        except OSError as error:  # of the machine, mostly a file that this user may not read
            what = say("{file} cannot be used: {why}", file=error.filename or check.name, why=error.strerror or error)
            seen = [doubtful(what, say("begin the command with sudo"))]
        done.put((check.name, seen))

    threads = [threading.Thread(target=work, args=(c,), daemon=True, name=f"doctor-{c.name}") for c in checks]
    for thread in threads:
        thread.start()
    seen: dict[str, list[Seen]] = {}
    until = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    while not done.empty():
        name, what = done.get()
        seen[name] = what
    late = doubtful(say("this check gave no answer"), say("try again; if it stays so, send a bundle to support"))
    return [
        Finding(check.name, say(check.title), each.level, each.what, _why(check, each), each.remedy)
        for check in checks
        for each in seen.get(check.name, [late])
    ]


def _why(check: Check, seen: Seen) -> str:
    return "" if seen.level == "good" else say(check.why)


def show(findings: Sequence[Finding], *, every: bool) -> None:
    """What is wrong, in full; what is good, on one line each, or only counted."""
    shown = [finding for finding in findings if every or finding.level != "good"]
    width = max((cell_len(finding.title) for finding in shown), default=0)
    for finding in shown:
        code = "" if finding.level == "good" else f"  [{finding.check}]"
        print(f" {_MARK[finding.level]} {set_cell_size(finding.title, width)} {finding.what}{code}")
        for line in _advice(finding):
            print(f"   {' ' * width} {line}")
    print(summary(findings))


def _advice(finding: Finding) -> Iterator[str]:
    if finding.why:
        yield say("why: {text}", text=finding.why)
    if finding.remedy:
        yield say("mend: {text}", text=finding.remedy)


def summary(findings: Iterable[Finding]) -> str:
    levels = [finding.level for finding in findings]
    return say(
        "{good} good, {doubtful} doubtful, {bad} red",
        good=levels.count("good"),
        doubtful=levels.count("warning"),
        bad=levels.count("bad"),
    )
