"""What every decoder does with a number: keep it inside the range of its datasheet, or say that it is no value."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.base import Measurement, Quality

ZEROS = "all zero: the sensor is warming up, or its fan stands"  # no air is without dust


def within(quantity: str, value: float, low: float, high: float, channel: str = "") -> Measurement:
    """The value, GOOD from low to high; beyond, the datasheet promises nothing: INVALID, the number kept."""
    if low <= value <= high:
        return Measurement(quantity, value, channel=channel)
    return Measurement(quantity, value, Quality.INVALID, f"out of range {low:g} to {high:g}", channel)


def invalid(quantity: str, reason: str, value: float | None = None, channel: str = "") -> Measurement:
    return Measurement(quantity, value, Quality.INVALID, reason, channel)


def spoil(found: list[Measurement], reason: str) -> list[Measurement]:
    """The device itself says that nothing in this answer counts: all INVALID, for one reason."""
    return [Measurement(m.quantity, m.value, Quality.INVALID, reason, m.channel) for m in found]


def fractions(values: Mapping[str, float]) -> tuple[float, float, float]:
    """PM1, PM2.5 and PM10 as a sensor could say them: PM2.5 as wished, the others kept on their side of it."""
    pm2_5 = values.get("pm2_5", values.get("pm10", values.get("pm1", 0.0)))
    return min(values.get("pm1", pm2_5), pm2_5), pm2_5, max(values.get("pm10", pm2_5), pm2_5)
