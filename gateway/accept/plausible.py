"""Between which values an instrument that works at a venue in use can lie: what is outside has a wrong address, unit or
scale, or is broken. The project's own ranges, wide on purpose; a quantity that is not here is only asked to be good.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.board import quantity_in

RANGES: Mapping[str, tuple[float, float]] = {
    "laf": (20, 120),
    "las": (20, 120),
    "laeq": (20, 120),
    "lcf": (25, 130),
    "lzf": (25, 130),
    "temperature": (-40, 60),
    "ambient_temperature": (-40, 60),
    "humidity": (3, 100),
    "pressure": (500, 1100),
    "co2": (300, 5000),
    "pm2_5": (0, 1000),
    "pm10": (0, 2000),
    "body_temperature": (20, 45),
    "wind_speed": (0, 60),
    "wind_direction": (0, 360),
}


def plausible(point: str, value: float | None) -> bool | None:
    """None when nothing is known of such values, or there is none."""
    bounds = RANGES.get(quantity_in(point) or "")
    return None if bounds is None or value is None else bounds[0] <= value <= bounds[1]
