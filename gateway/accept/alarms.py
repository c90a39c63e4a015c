"""The walk's part that needs no hand: every rule's alarm, and for the other alarms one of each severity, drilled to the
far end; and beside it whether what a rule watches is measured now. Sensor, rule, alarm, far end: each link by its name.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.accept.walk import POLL_S, RECEIPT_S, Step, Walk
from gateway.catalogue import N_, say
from gateway.errors import Refused, Unavailable
from gateway.vocabulary import word

OTHERS: Mapping[str, str] = {
    "gateway": N_("alarms of the machine and its devices"),
    "custody": N_("alarms of the duties"),
    "environment": N_("other alarms of the environment"),
    "screening": N_("alarms of the entrance"),
}
_NOW: Mapping[str, str] = {
    "value": N_("now {value:g} {unit}, limit {limit:g}"),
    "share": N_("now {value:.0%} of the samples past the limit, allowed less than {limit:.0%}"),
    "count": N_("now {value:g} times past the limit, allowed fewer than {limit:g}"),
    "silence": N_("last good value {value:.0f} s ago, allowed {limit:.0f} s"),
    "stillness": N_("the same value for {value:.0f} s, allowed {limit:.0f} s"),
}


@dataclass(frozen=True, slots=True)
class Far:
    """How far a drill came: `received_ms` after its raise by each station; `error`: why not by all of them."""

    received_ms: Mapping[str, int]
    error: str | None = None


def drill_all(walk: Walk, wanted: Mapping[str, Sequence[str]], wait: threading.Event) -> dict[str, Far]:
    """Drills these alarms beside one another, each until its stations have signed for it: a short noise, and one."""
    found: dict[str, Far] = {}
    running: dict[str, set[str]] = {}
    try:
        for name, stations in wanted.items():
            try:
                walk.act({"verb": "drill", "alarm": name, "note": say("acceptance")})
                running[name] = set(stations)
            except (Refused, Unavailable) as error:
                found[name] = Far({}, str(error))
        for _ in range(round(RECEIPT_S / POLL_S)):
            for name in _signed(walk, running):
                found[name] = _ended(walk, name, running.pop(name))
            if not running:
                break
            wait.wait(POLL_S)
    except Unavailable as error:
        found |= {name: Far({}, str(error)) for name in running}
    finally:
        for name, those in running.items():  # nobody signed in time, or the walk was broken off
            with contextlib.suppress(Unavailable):
                ended = _ended(walk, name, those)
                found.setdefault(name, ended)
    return found


def _signed(walk: Walk, running: Mapping[str, set[str]]) -> list[str]:
    """The drills that every station has signed for, or that something else has ended."""
    standing = {each["alarm"]: set(each["received_by"]) for each in walk.ask({"verb": "alarms"})["alarms"]}
    return [name for name, stations in running.items() if stations <= standing.get(f"{name}-drill", stations)]


def _ended(walk: Walk, name: str, stations: set[str]) -> Far:
    """The drill's own record says who signed for it and after how long."""
    try:
        record = walk.act({"verb": "drill", "alarm": name, "end": True, "note": say("acceptance")})["record"]
    except Refused as error:
        return Far({}, str(error))
    received = {station: int(ms) for station, ms in record["received_ms"].items()}
    missing = ", ".join(sorted(stations - received.keys()))
    return Far(received, say("no receipt from {stations}", stations=missing) if missing else None)


def wanted(plan: Mapping[str, Any], known: Mapping[str, Step], only: Sequence[str] | None) -> dict[str, Sequence[str]]:
    """The alarms still to be drilled, with the stations that must sign. `only`: rules, and streams of the others."""
    found: dict[str, Sequence[str]] = {}
    for key, drills, stations in _all(plan):
        step = known.get(key)
        if (step is None or step.far is None) and (only is None or key.partition(":")[2] in only) and stations:
            found |= dict.fromkeys(drills, stations)
    return found


def steps(plan: Mapping[str, Any], known: Mapping[str, Step], found: Mapping[str, Far]) -> Iterator[Step]:
    """A line for each rule and for each stream's other alarms; what was proven before is not asked again, what is
    measured is.
    """
    at = str(plan["time"])
    for key, drills, stations in _all(plan):
        kind, _, name = key.partition(":")
        far_ok, far, received = _far(known.get(key), [found[each] for each in drills if each in found], stations)
        if kind == "rule":
            rule = plan["rules"][name]
            what = say("rule {name} ({place})", name=name, place=rule["place"] or "-")
            good = bool(rule["measured"]["good"])
            ok = None if far_ok is None and good else far_ok is True and good
            yield Step(key, what, ok, f"{far}; {_now(rule['measured'])}", at, received)
        else:
            yield Step(
                key, say(OTHERS[name]), far_ok, f"{_stand_for(drills, plan['others'][name])}: {far}", at, received
            )


def _all(plan: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """Step, the alarms that it drills, the stations that must sign for them."""
    for name, rule in plan["rules"].items():
        yield f"rule:{name}", [name], rule["stations"]
    for stream, those in plan["others"].items():
        yield f"alarms:{stream}", those["drills"], those["stations"]


def _far(
    known: Step | None, found: Sequence[Far], stations: Sequence[str]
) -> tuple[bool | None, str, Mapping[str, int] | None]:
    """Whether the far end has it (None: it was not tried), in words; and each station's milliseconds."""
    if not stations:
        return False, say("no station is there to receive it"), None
    if errors := dict.fromkeys(each.error for each in found if each.error is not None):
        return False, ", ".join(map(str, errors)), None
    slowest = {name: max(each.received_ms[name] for each in found) for name in stations} if found else None
    received = slowest or (None if known is None else known.far)
    if received is None:
        return None, say("left out this time"), None
    hops = (say("{name} in {seconds:.2f} s", name=name, seconds=ms / 1000) for name, ms in received.items())
    return True, say("drill received by {stations}", stations=", ".join(hops)), received


def _stand_for(drills: Sequence[str], those: Mapping[str, Any]) -> str:
    """Which were drilled, and for how many."""
    names, count = ", ".join(drills), those["count"]
    return (
        names
        if count == len(drills)
        else say("{names}, one of each severity for all {count}", names=names, count=count)
    )


def _now(measured: Mapping[str, Any]) -> str:
    if not measured["good"]:
        return say("NOT measured now: {reason}", reason=word(measured["reason"]))
    compared = measured["of"]
    return say(_NOW[compared], value=measured["value"], unit=measured["unit"], limit=measured["limit"])
