"""What the duty officer sees: what presses, at the top; nothing green that is not known to be good."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.catalogue import say
from gateway.moment import Moment
from gateway.station.desk import Row
from gateway.station.station import View
from gateway.vocabulary import word

_STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}


def render(view: View, chosen: Row | None, note: str | None, now: Moment) -> RenderableType:
    """`chosen`: the row that `a` acknowledges; `note`: what is being written about it, None when nothing is."""
    caption = say("up and down: choose   a: acknowledge   q: end")
    if note is not None:
        caption = say("note (Enter: acknowledge, Esc: not): {note}", note=note)
    table = Table(expand=True, title=say("alarms"), caption=Text(caption), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("", say("venue"), say("alarm"), say("state"), say("sensed"), say("came"), say("what")):
        table.add_column(heading, overflow="fold")
    for row in view.rows:
        table.add_row(*_cells(row, now, chosen=row is chosen), style=_style(row))
    parts: list[RenderableType] = [table]
    if not view.rows:
        parts.append(Text(say("nothing stands") if not (view.link or view.troubles) else ""))
    troubles = ((view.link,) if view.link else ()) + view.troubles
    parts += [Text(f"! {text}", style="bold red") for text in troubles]
    return Group(*parts)


def _cells(row: Row, now: Moment, *, chosen: bool) -> tuple[Text, ...]:
    marks = [say("late")] if row.late else []
    marks += [say("drill")] if row.drill else []
    marks += [] if row.proven else [say("not proven yet")]
    marks += [] if row.believed else [say("stored, the venue is not heard")]
    came = say("{seconds:.0f} s ago", seconds=now.seconds_since(row.received))
    what = say("{text}", text=row.text) if row.text else ""
    state = ", ".join([word(row.state), *marks])
    cells = (">" if chosen else "", row.venue, row.alarm, state, row.sensed[11:19], came, what)
    return tuple(Text(cell) for cell in cells)  # what a venue writes is text, never markup


def _style(row: Row) -> str:
    if row.late or not row.believed:
        return "dim"
    return _STYLES.get(row.severity, "") if row.unacknowledged else ""
