"""When the weather makes outdoor sound levels no measurement: wind over 5 m/s at the microphone, and rain (GB 3096).

Said by the venue's own weather points, of the nearest time before. Nobody knows the wind of a venue without a wind
gauge: then nothing is set aside for it.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from drivers.base import Quality, quantity_of
from drivers.quantities import QUANTITIES
from gateway.moment import Moment
from gateway.values import Reading

WIND_MPS = 5.0
WIND_HOLDS_S = 120.0  # a wind reading that is older says nothing
RAIN_HOLDS_S = 600.0  # gauges tip a tenth of a millimetre at a time
_LEAST_MM = 0.05


class Weather:
    """Owned by one thread; sees every reading of the environment in its order.

    `indoors`: devices that no wind and no rain reach. `devices`: those that may speak of the weather; None: all.
    """

    def __init__(
        self, indoors: Collection[str] = (), devices: Collection[str] | None = None, wind_mps: float = WIND_MPS
    ) -> None:
        self._indoors, self._devices, self._wind_mps = frozenset(indoors), devices, wind_mps
        self._windy: Moment | None = None  # the last wind reading, while it is over the limit
        self._rained: Moment | None = None
        self._totals: dict[str, float] = {}

    def reason(self, reading: Reading) -> str | None:
        """Why this reading does not count, if the weather is why. Every reading is given to it, the weather's too."""
        self.learn(reading)
        device, _, name = reading.point.partition("/")
        quantity = quantity_of(name)
        if quantity is None or QUANTITIES[quantity].kind != "noise":
            return None
        return self.at(device, reading.at)

    def at(self, device: str, now: Moment) -> str | None:
        """Why what a sound level meter says at this moment does not count: "wind", "rain" or None."""
        if device in self._indoors:
            return None
        if self._windy is not None and now.seconds_since(self._windy) <= WIND_HOLDS_S:
            return "wind"
        if self._rained is not None and now.seconds_since(self._rained) <= RAIN_HOLDS_S:
            return "rain"
        return None

    def learn(self, reading: Reading) -> None:
        device, _, name = reading.point.partition("/")
        quantity = quantity_of(name)
        if quantity not in ("wind_speed", "rain") or not (self._devices is None or device in self._devices):
            return
        value = reading.value
        if reading.quality is not Quality.GOOD or value is None or not math.isfinite(value):
            return
        if quantity == "wind_speed":
            self._windy = reading.at if value > self._wind_mps else None
            return
        before = self._totals.get(reading.point, value)
        self._totals[reading.point] = value
        if value - before >= _LEAST_MM:  # a total that is smaller than before was reset
            self._rained = reading.at
