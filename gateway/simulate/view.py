"""The demo's live view: what a far side sees of the venue, drawn for a terminal of 80 columns or more."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.catalogue import N_, say
from gateway.configuration.config import Config, Rule
from gateway.simulate.farside import FarSide, Line, Point, Way
from gateway.vocabulary import word

EVENTS_SHOWN = 6
ALARMS_SHOWN = 5
OTHER_LINES = 10  # frame, time, four headings, contacts, the tale, and where the cursor stands
BAR_CELLS = 22
STALE_S = 6.0  # of the venue's clock, beyond the longest interval of the demo's devices
_FULL, _EMPTY, _LIMIT = "█", "·", "┃"

STEPS: dict[str, str] = {
    "pressed": N_("pressed"),
    "opened": N_("opened"),
    "stored": N_("stored"),
    "received": N_("received"),
    "acknowledged": N_("acknowledged"),
}
# From where to where a bar goes, by quantity: what an ordinary day and a bad one look like.
SCALES: dict[str, tuple[float, float]] = {
    "laf": (30, 90),
    "las": (30, 90),
    "temperature": (15, 40),
    "humidity": (0, 100),
    "pm2_5": (0, 150),
    "co2": (400, 2000),
    "object_temperature": (28, 42),
}
_SEVERITY = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}


@dataclass(slots=True)
class Scene:
    """Everything that one picture is made of."""

    config: Config
    far: FarSide
    now: datetime  # at the venue
    at: float  # the watcher's monotonic seconds
    speed: float
    linked: bool  # the watcher's own connection to the broker
    tale: str = ""
    lamps: Mapping[str, bool] = field(default_factory=dict)  # contact: its lamp is on now
    sounding: bool = False
    height: int = 40  # lines of the terminal


def picture(scene: Scene) -> RenderableType:
    """The whole view."""
    parts: list[RenderableType] = [_times(scene), _rule(say("levels")), _levels(scene)]
    parts += [_rule(say("paper room")), _contacts(scene)]
    parts += [_way(scene.config, way) for way in scene.far.latest.values()]
    heard = say("alarms") if scene.linked else say("alarms, as last heard")
    parts += [_rule(heard), _alarms(scene), _rule(say("what the command centre sees")), _events(scene)]
    title = Text.assemble((f" {scene.config.venue.name} ", "bold"), (" " + say("simulated") + " ", "black on yellow"))
    tale = Text(f" {scene.tale} ", style="bold", overflow="ellipsis", no_wrap=True)
    return Group(
        Panel(Group(*parts), title=title, title_align="left", box=box.ROUNDED, border_style="blue", padding=(0, 1)),
        tale,
    )


def _rule(words: str) -> Text:
    return Text(words, style="bold blue")


def _grid(*ratios: int) -> Table:
    """Columns side by side; a ratio of 0 is as wide as what stands in it."""
    grid = Table.grid(padding=(0, 1), expand=True)
    for ratio in ratios:
        grid.add_column(ratio=ratio or None, no_wrap=True, overflow="ellipsis")
    return grid


# ---- time -----------------------------------------------------------------------------------------------------------


def _times(scene: Scene) -> RenderableType:
    clock = Text.assemble((f"{scene.now:%Y-%m-%d %H:%M:%S}", "bold"), (f"  ×{scene.speed:g}", "dim"))
    grid = _grid(0, 1)
    grid.add_row(clock, Text.assemble(*_timetable(scene), justify="right"))
    return grid


def _timetable(scene: Scene) -> list[tuple[str, str]]:
    now = scene.now.replace(tzinfo=None)
    parts: list[tuple[str, str]] = []
    for session in scene.config.session:
        if session.start.date() != now.date():
            continue
        hours = f"{session.name} {session.start:%H:%M}-{session.end:%H:%M}"
        if session.start <= now < session.end:
            left = say("{minutes} min left", minutes=-(-int((session.end - now).total_seconds()) // 60))
            parts.append((f"▶ {hours}, {left}", "bold green"))
        else:
            parts.append((f"  {hours}", "dim" if now >= session.end else ""))
    custody = scene.config.custody
    if custody is not None and custody.start <= now < custody.end:
        parts.append(("   " + say("papers sealed"), "magenta"))
    return parts


def in_session(config: Config, now: datetime) -> bool:
    local = now.replace(tzinfo=None)
    return any(session.start <= local < session.end for session in config.session)


# ---- levels ---------------------------------------------------------------------------------------------------------


def _levels(scene: Scene) -> RenderableType:
    grid = _grid(0, 0, 0, 0, 1)
    for point in shown_points(scene):
        device, _, name = point.name.partition("/")
        rule = limit_of(scene.config, point.name)
        applies = rule is not None and ("session" not in rule.during or in_session(scene.config, scene.now))
        words, value, style = _validity(scene, point)
        grid.add_row(
            Text(device),
            _bar(name, value, rule, style),
            Text(f"{value:.1f}" if value is not None else "--.-", style=f"bold {style}", justify="right"),
            Text(point.unit.replace("degC", "°C").replace("ug/m3", "µg/m³"), style="dim"),
            Text(words, style=f"bold {style}") if words else _judged(point, rule, applies=applies),
        )
    return Group(grid, *_entrances(scene))


def _entrances(scene: Scene) -> Iterator[Text]:
    """Who came through each entrance since this view began."""
    for name, table in scene.config.screening.items():
        persons = scene.far.points.get(f"{table.point.partition('/')[0]}/person_temperature_compensated")
        if persons is not None and persons.value is not None:
            text = say("{place}: {count} persons", place=table.place or name, count=persons.count)
            yield Text(f" {text}; {persons.value:.1f} °C", style="dim")


def shown_points(scene: Scene) -> list[Point]:
    """One point for each device: the one that a rule looks at, or its main one."""
    found: list[Point] = []
    for device in scene.config.device:
        of_device = [point for name, point in scene.far.points.items() if name.startswith(f"{device}/")]
        ruled = [p for p in of_device if any(rule.point == p.name for rule in scene.config.rule.values())]
        dust = [p for p in of_device if p.name.endswith("/pm2_5")]
        found += (ruled or dust or of_device or [Point(f"{device}/-")])[:1]
    return found


def limit_of(config: Config, point: str) -> Rule | None:
    """The first rule with an upper limit on this point, or on a statistic of its device's level."""
    device, _, name = point.partition("/")
    for rule in config.rule.values():
        of, _, what = rule.point.partition("/")
        if rule.above is not None and of == device and (what == name or (what.startswith("laeq_") and name == "laf")):
            return rule
    return None


def _validity(scene: Scene, point: Point) -> tuple[str, float | None, str]:
    """Words for what is known, the value if it may be shown, and a colour."""
    if point.heard == -math.inf:
        return say("not yet heard"), None, "yellow"
    silent_s = (scene.at - point.heard) * scene.speed
    device = scene.config.device.get(point.name.partition("/")[0])
    if silent_s > STALE_S + 3 * ((device.every if device else None) or 1.0) + scene.speed:
        return say("NOT KNOWN: no answer"), None, "red"
    if point.quality == "good":
        return "", point.value, "green"
    if point.quality == "suspect":
        return say("not yet confirmed"), point.value, "yellow"
    return say("not valid: {reason}", reason=word(point.reason or "-")), None, "yellow"


def _bar(name: str, value: float | None, rule: Rule | None, style: str) -> Text:
    low, high = SCALES.get(name, (0.0, 2 * value if value else 1.0))

    def cell(level: float) -> int:
        return min(max(round((level - low) / (high - low) * BAR_CELLS), 0), BAR_CELLS)

    filled = 0 if value is None else cell(value)
    bar = Text(_FULL * filled, style=style)
    bar.append(_EMPTY * (BAR_CELLS - filled), style="dim")
    if rule is None or rule.above is None:
        return bar
    limit = min(cell(rule.above), BAR_CELLS - 1)
    if value is not None:
        bar.stylize("red", min(limit, filled), filled)
    return Text.assemble(bar[:limit], (_LIMIT, "bold"), bar[limit + 1 :])


def _judged(point: Point, rule: Rule | None, *, applies: bool) -> Text:
    if rule is None or rule.above is None:
        return Text("")
    if not applies:
        return Text(say("limit {limit} in the exam", limit=f"{rule.above:g}"), style="dim")
    level = point.energy_mean() if rule.point.partition("/")[2].startswith("laeq_") else point.value
    if level is None:
        return Text(say("limit {limit}, too few values to judge", limit=f"{rule.above:g}"), style="dim")
    if rule.point.partition("/")[2].startswith("laeq_"):
        text = say("1 min {level}, limit {limit}", level=f"{level:.1f}", limit=f"{rule.above:g}")
    else:
        text = say("limit {limit}", limit=f"{rule.above:g}")
    return Text(text, style="bold red" if level > rule.above else "green")


# ---- contacts and their alarms --------------------------------------------------------------------------------------

_CONTACT_STYLE = {"safe": "green", "active": "bold red", "cut": "bold yellow", "short": "bold yellow"}


def _contacts(scene: Scene) -> RenderableType:
    parts: list[tuple[str, str]] = []
    for name in scene.config.contact:
        state = str(scene.far.contacts.get(name, {}).get("state", "unknown"))
        parts += [(f"{name} ", ""), (word(state), _CONTACT_STYLE.get(state, "yellow"))]
        if name in scene.lamps:
            parts += [("  ", ""), (say("lamp") + " ", "dim"), ("●" if scene.lamps[name] else "○", "bold yellow")]
        parts.append(("     ", ""))
    if scene.sounding:
        parts.append(("♪", "bold red"))
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _way(config: Config, way: Way) -> RenderableType:
    """The four steps of the lamp, each with what it took since the contact moved."""
    text = Text(f"{way.alarm}: ", no_wrap=True, overflow="ellipsis")
    for index, (step, seconds) in enumerate(steps(config, way)):
        if index:
            text.append(" → ", style="dim")
        if seconds is None:
            text.append(say(STEPS[step]), style="dim")
        else:
            text.append(say(STEPS[step]), style="bold green")
            if index:
                text.append(f" {took(seconds)}", style="green")
    if way.by:
        text.append(f" {way.by}", style="dim")
    return text


def steps(config: Config, way: Way) -> list[tuple[str, float | None]]:
    """The way's steps; a door is opened, not pressed."""
    contact = config.contact.get(way.alarm)
    first, *others = way.steps()
    return [("pressed" if contact and contact.kind == "leak" else "opened", first[1]), *others]


def took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


# ---- alarms and events ----------------------------------------------------------------------------------------------


def _alarms(scene: Scene) -> RenderableType:
    standing = scene.far.standing()
    if not standing:
        known = scene.linked and scene.far.online
        return Text(say("none stands"), style="green") if known else Text(say("not known"), style="bold yellow")
    grid = _grid(0, 0, 1, 0)
    for alarm in standing[:ALARMS_SHOWN]:
        severity = str(alarm.get("severity"))
        grid.add_row(
            Text(f" {word(severity)} ", style=_SEVERITY.get(severity, "")),
            Text(str(alarm.get("alarm"))),
            Text(word(alarm.get("state"))),
            Text(str(alarm.get("since") or "")[11:19], style="dim"),
        )
    if len(standing) > ALARMS_SHOWN:
        grid.add_row("", Text(say("and {count} more", count=len(standing) - ALARMS_SHOWN), style="dim"), "", "")
    return grid


def _events(scene: Scene) -> RenderableType:
    """As many of the newest as there is room for: the picture keeps its height, so that it does not jump."""
    if not scene.linked:
        return Text(say("NO CONNECTION: nothing is heard, nothing is taken for granted"), style="bold red")
    alarms = min(max(len(scene.far.standing()), 1), ALARMS_SHOWN + 1)
    taken = OTHER_LINES + len(scene.config.device) + len(scene.far.latest) + alarms
    room = min(max(scene.height - taken, 1), EVENTS_SHOWN)
    grid = _grid(0, 0, 1)
    lines = list(scene.far.lines)[-room:]
    for line in lines:
        grid.add_row(Text(line.time, style="dim"), Text(word(line.event["transition"])), Text(sentence(line)))
    for _ in range(room - len(lines)):
        grid.add_row("")
    return grid


def sentence(line: Line) -> str:
    """What an event says, in the chosen language."""
    text: Any = line.event.get("text") or {}
    return say("{text}", text=text) if text else str(line.event["alarm"])
