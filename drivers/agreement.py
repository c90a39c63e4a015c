"""Values of frames that carry no check: SUSPECT until one of the two before them agrees."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from drivers.base import Measurement, Quality
from drivers.quantities import QUANTITIES

# How far apart two true values in a row may be, by kind; else ten steps of the quantity, or a twentieth of the value.
# A damaged frame is wrong by a power of two of the last digit: the smaller ones are not told from life, and do no harm.
_APART = {"noise": 10.0, "screening": 0.5}
_REASON = "unconfirmed: the frame carries no check"


def tolerance(measurement: Measurement) -> float:
    """How far the next value may be from this one, in the unit of the quantity, and still agree with it."""
    quantity = QUANTITIES[measurement.quantity]
    return _APART.get(quantity.kind, max(10 * quantity.step, abs(measurement.value or 0.0) / 20))


class Agreement:
    """Remembers the last two values of each point of one device. Not for several threads."""

    def __init__(self) -> None:
        self._before: dict[str, deque[float]] = {}

    def judge(self, found: list[Measurement]) -> list[Measurement]:
        """The same measurements; a GOOD one that neither of the two before it confirms is SUSPECT."""
        return [self._one(measurement) for measurement in found]

    def clear(self) -> None:
        """The device was silent or came up again: what was before proves nothing."""
        self._before.clear()

    def _one(self, measurement: Measurement) -> Measurement:
        if measurement.quality is not Quality.GOOD or measurement.value is None:
            return measurement
        before = self._before.setdefault(measurement.name, deque(maxlen=2))
        agrees = any(abs(measurement.value - value) <= tolerance(measurement) for value in before)
        before.append(measurement.value)
        return measurement if agrees else replace(measurement, quality=Quality.SUSPECT, reason=_REASON)
