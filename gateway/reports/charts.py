"""Charts of reports, as inline SVG, by matplotlib (the extra `report`); without it a report has tables only.

Text stays text: the page's own fonts show it, Chinese included. Colours and strokes differ, so that a chart says the
same when it is printed in grey.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from importlib.util import find_spec
from typing import Any

INK, FAINT, LIMIT, BAND = "#1b2530", "#8fa1b3", "#b3261e", "#dbe7f3"

# In numbers, which read the same in every language: years, months, days, hours, minutes, seconds.
_FORMATS: dict[str, Any] = {
    "formats": ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%S.%f"],
    "zero_formats": ["", "%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M"],
    "offset_formats": ["", "%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d %H:%M"],
}


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    points: Sequence[tuple[int, float | None]]  # seconds since 1970; None: a gap, drawn as one
    main: bool = True


@dataclass(frozen=True, slots=True)
class LimitLine:
    label: str
    start_s: float
    end_s: float
    level: float


@dataclass(frozen=True, slots=True)
class Band:
    label: str
    start_s: float
    end_s: float


def available() -> bool:
    return find_spec("matplotlib") is not None


def levels(
    lines: Sequence[Line], limits: Sequence[LimitLine], bands: Sequence[Band], span: tuple[int, int], zone: tzinfo
) -> str | None:
    """Levels in dB(A) over time. None without matplotlib."""
    if not available():
        return None
    import matplotlib as mpl  # noqa: PLC0415  heavy: only for a chart
    from matplotlib import dates  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "venue",
        "font.family": "sans-serif",
        "font.sans-serif": ["Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "DejaVu Sans"],
        "font.size": 8.5,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a font that this machine lacks is the reader's machine's to have
        figure = Figure(figsize=(7.1, 2.9), layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, lines, limits, bands, zone)
        axes.set_xlim(*dates.date2num([_time(at_s, zone) for at_s in span]))
        locator = dates.AutoDateLocator(tz=zone, maxticks=9)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone, **_FORMATS))
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()[out.getvalue().index("<svg") :]


def _draw(axes: Any, lines: Sequence[Line], limits: Sequence[LimitLine], bands: Sequence[Band], zone: tzinfo) -> None:
    for band in bands:
        start, end = _time(band.start_s, zone), _time(band.end_s, zone)
        axes.axvspan(start, end, color=BAND, linewidth=0, zorder=0)
        axes.annotate(
            band.label,
            (start, 1),
            xycoords=("data", "axes fraction"),
            xytext=(2, -9),
            textcoords="offset points",
            color=INK,
            fontsize=7.5,
        )
    for line in lines:
        times = [_time(at_s, zone) for at_s, _ in line.points]
        values = [float("nan") if value is None else value for _, value in line.points]
        colour, width = (INK, 1.1) if line.main else (FAINT, 0.8)
        axes.plot(times, values, color=colour, linewidth=width, label=line.label, drawstyle="steps-post")
    for number, limit in enumerate(limits):
        label = limit.label if limit.label not in {each.label for each in limits[:number]} else None
        times = [_time(limit.start_s, zone), _time(limit.end_s, zone)]
        axes.plot(times, [limit.level] * 2, color=LIMIT, linewidth=1.2, linestyle=(0, (5, 2)), label=label)
    axes.set_ylabel("dB(A)")
    axes.grid(visible=True, axis="y", color="#e4e9ee", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.14), ncols=4, frameon=False, fontsize=8)


def _time(at_s: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at_s, zone)
