"""What `watch` shows, from what the gateway answered: alarms first, nothing green that is not known to be good.

What is stale is grey and says its age; when the gateway itself stops answering, all of it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from gateway.catalogue import N_, chosen, say
from gateway.persons.summary import pressing, unseen
from gateway.vocabulary import word

ENOUGH = 0.75  # share of valid samples from which a statistic is one, as rules have it
STALE_S = 15.0  # without a new sample: what is shown is no longer now
_SEVERITY = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}
_LAMPS = {
    "safe": N_("lamp: watching"),
    "pressed": N_("lamp: pressed"),
    "stored": N_("lamp: stored"),
    "received": N_("lamp: received"),
    "acknowledged": N_("lamp: acknowledged"),
    "not-delivered": N_("lamp: NOT delivered"),
    "fault": N_("lamp: fault"),
    "drill": N_("lamp: drill"),
}
_NAME, _VALUE = 30, 14  # columns


@dataclass(slots=True)
class Snapshot:
    """The answers to `status`, `alarms`, `points` and `limits`; `silent_s`: how old they are."""

    status: Mapping[str, Any] = field(default_factory=dict)
    alarms: Sequence[Mapping[str, Any]] = ()
    points: Sequence[Mapping[str, Any]] = ()
    limits: Sequence[Mapping[str, Any]] = ()
    silent_s: float = 0.0
    trouble: str = ""  # why there is no newer answer


def page(seen: Snapshot, width: int, height: int) -> list[Text]:
    """The whole page, cut to the terminal; alarms and contacts go before values when there is little room."""
    lines = list(_head(seen, width))
    if seen.status:
        lines += [*_alarms(seen, max(1, (height - 8) // 4)), *_contacts(seen), *_ways(seen)]
        room = height - len(lines) - 1
        lines += _levels(seen, width, room)
    for line in lines:
        line.truncate(width, overflow="ellipsis")
        if seen.trouble and line is not lines[0]:
            line.stylize("dim not bold default on default")
    return lines[:height]


def _head(seen: Snapshot, width: int) -> Iterator[Text]:
    if seen.trouble:
        yield Text(f"! {seen.trouble}", style="bold white on red")
        if seen.status:
            yield Text(say("what follows is {seconds:.0f} s old", seconds=seen.silent_s))
    if not seen.status:
        return
    status = seen.status
    clock = "" if status["clock"] == "synchronised" else "  " + word(status["clock"])
    time = status["time"][:19].replace("T", " ")
    left = Text.assemble((status["venue"], "bold"), "  ", time, (clock, "yellow"))
    if status["simulated"]:
        left.append("  " + say("simulated"), "black on yellow")
    yield left
    phase = status["session"] or ", ".join(word(each) for each in status["phase"]) or say("no session")
    yield Text(say("now: {what}", what=phase), style="bold green" if status["session"] else "")
    yield Text("─" * width, style="dim")


def _title(text: str) -> Text:
    return Text(text, style="bold blue")


def _alarms(seen: Snapshot, most: int) -> Iterator[Text]:
    """The gravest first, `most` of them with what they are about."""
    if not seen.alarms:
        yield Text(say("no alarm stands"), style="" if seen.trouble else "green")
        return
    yield _title(say("alarms: {count}, of them not acknowledged: {open}", count=len(seen.alarms), open=_open(seen)))
    order = sorted(seen.alarms, key=pressing)
    for alarm in order[:most]:
        style = _SEVERITY.get(alarm["severity"], "") if unseen(alarm) else "dim"
        since = alarm["since"][11:19]
        text = alarm["text"][chosen()] if isinstance(alarm["text"], Mapping) else str(alarm["text"])
        yield Text(f"{since} {_fit(word(alarm['severity']), 9)} {alarm['alarm']}: {word(alarm['state'])}", style=style)
        yield Text(f"         {text}")
    if len(order) > most:
        yield Text(say("and {count} more", count=len(order) - most), style="bold")


def _open(seen: Snapshot) -> int:
    return sum(map(unseen, seen.alarms))


def _contacts(seen: Snapshot) -> Iterator[Text]:
    contacts = seen.status["contacts"]
    if not contacts:
        return
    yield _title(say("contacts"))
    lamps, seals = seen.status.get("lamps", {}), seen.status["seals"]
    for name, state in contacts.items():
        line = Text(_fit(name, _NAME))
        line.append(_fit(word(state), _VALUE), "green" if state == "safe" else "bold red")
        if name in seals:
            line.append(_fit(word(seals[name]), _VALUE), "" if seals[name] != "violated" else "bold red")
        if name in lamps:
            line.append(say(_LAMPS[lamps[name]]), "" if lamps[name] == "safe" else "bold yellow")
        yield line


def _ways(seen: Snapshot) -> Iterator[Text]:
    """Brokers, the card and silent devices: those that are well on one line."""
    status = seen.status
    well = [name for name, state in status["brokers"].items() if state["state"] == "connected" and not state["detail"]]
    answering = [name for name, state in status["devices"].items() if state == "ok"]
    parts = [say("{count} devices answer", count=len(answering))] if answering else []
    parts += [say("{broker}: connected", broker=name) for name in well]
    if not any(state != "ok" for state in status["storage"].values()):
        parts.append(say("storage: no trouble"))
    yield _title(say("devices and ways out"))
    yield Text("  ".join(parts), style="green")
    for name, state in status["brokers"].items():
        if name not in well:
            yield Text(f"{name}: {word(state['state'])}, {state['detail'] or '-'}", style="bold red")
    for name, state in status["devices"].items():
        if state != "ok":
            yield Text(f"{name}: {state}", style="red")
    for name, state in status["storage"].items():
        if state != "ok":
            yield Text(f"{name}: {state}", style="bold red")


def _levels(seen: Snapshot, width: int, room: int) -> list[Text]:
    """Values against the limits in force: what is past its limit first, then what has one, then the rest."""
    if room < 3 or not seen.points:
        return []
    limits: dict[str, list[Mapping[str, Any]]] = {}
    for limit in seen.limits:
        limits.setdefault(limit["point"], []).append(limit)
    rows = sorted(seen.points, key=lambda point: (not _past(point, limits), point["point"] not in limits))
    names = min(1 + max(len(point["point"]) for point in rows), max(36, width - 50))
    lines = [_level(point, limits.get(point["point"], []), names) for point in rows]
    shown = lines if len(lines) < room else lines[: room - 2]
    more = (
        [Text(say("and {count} more", count=len(lines) - len(shown)), style="dim")] if len(shown) < len(lines) else []
    )
    return [_title(say("values and limits in force")), *shown, *more]


def _past(point: Mapping[str, Any], limits: Mapping[str, Sequence[Mapping[str, Any]]]) -> bool:
    return any(_beyond(point["value"], limit) for limit in limits.get(point["point"], ()))


def _beyond(value: float | None, limit: Mapping[str, Any]) -> bool:
    if value is None:
        return False
    above, below = limit["above"], limit["below"]
    return (above is not None and value > above) or (below is not None and value < below)


def _level(point: Mapping[str, Any], limits: Sequence[Mapping[str, Any]], names: int) -> Text:
    name = _fit(point["point"], names)
    value = "-" if point["value"] is None else f"{point['value']:.1f} {point['unit']}"
    stale = point["quality"] != "good" or point["silent_s"] > STALE_S
    line = Text(f"{name} {value:>{_VALUE}}  ", style="dim" if stale else "")
    if stale:
        why = word(point["reason"] or point["quality"]) if point["quality"] != "good" else ""
        dated = point["quality"] == "good" or point["reason"] == "stale"  # else it is no age of what is shown
        age = say("{seconds:.0f} s old", seconds=point["silent_s"]) if dated else ""
        line.append(", ".join(filter(None, (age, why))))
        return line
    if point.get("valid", 1.0) < ENOUGH:  # a ten-minute mean of four seconds is none, whatever the limit
        line.stylize("dim")
        line.append(say("only {share:.0%} of its samples", share=point["valid"]))
        return line
    past = [limit for limit in limits if _beyond(point["value"], limit)]
    if past:
        line.append(_shown(past[0]), "bold red")
    elif limits:
        line.append(_shown(limits[0]), "green")
    return line


def _shown(limit: Mapping[str, Any]) -> str:
    sides = [f"≤ {limit['above']:g}"] if limit["above"] is not None else []
    sides += [f"≥ {limit['below']:g}"] if limit["below"] is not None else []
    return ", ".join(sides)


def _fit(text: str, width: int) -> str:
    """Exactly so many columns, and a space behind when the text fills them."""
    return set_cell_size(text, width) if cell_len(text) < width else set_cell_size(text, width - 1) + " "


# ---- lines, for a terminal that cannot be painted ----------------------------------------------------------------


def facts(seen: Snapshot) -> dict[str, str]:
    """What `--plain` tells when it changes: everything but the values."""
    if seen.trouble or not seen.status:
        return {"gateway": seen.trouble}
    status = seen.status
    found = {"gateway": say("the gateway answers"), "session": say("now: {what}", what=status["session"] or "-")}
    found |= {f"contact {name}": f"{name}: {word(state)}" for name, state in status["contacts"].items()}
    lamps = status.get("lamps", {}).items()
    found |= {f"lamp {name}": f"{name}: {say(_LAMPS[step])}" for name, step in lamps}
    found |= {f"device {name}": f"{name}: {'ok' if s == 'ok' else s.split(' (')[0]}" for name, s in _devices(status)}
    found |= {f"broker {name}": f"{name}: {word(s['state'])}" for name, s in status["brokers"].items()}
    for alarm in seen.alarms:
        found[f"alarm {alarm['alarm']}"] = f"{alarm['alarm']}: {word(alarm['state'])} ({word(alarm['severity'])})"
    return found


def _devices(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Silence without its seconds, which would change every second."""
    return [(name, "ok" if state == "ok" else say("silent")) for name, state in status["devices"].items()]
