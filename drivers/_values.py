"""What every decoder does with a number: keep it inside the range of its datasheet, or say that it is no value."""

from __future__ import annotations

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
