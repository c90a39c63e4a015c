"""Heat: WBGT where its three temperatures are measured, and the two estimates that are made without them. Pure, degC.

ISO 7243 needs a natural wet bulb and a globe. From air temperature and humidity alone there are only estimates, and
they are called so wherever they are shown: one for full sun outdoors, and one for a room, which is a lower bound
because walls and lamps radiate. No Chinese limit of WBGT holds for classrooms.
"""

from __future__ import annotations

import math


def wbgt(wet_bulb: float, globe: float, air: float | None = None) -> float:
    """From the natural wet bulb and the globe; with `air` given: in the sun."""
    if air is None:
        return 0.7 * wet_bulb + 0.3 * globe
    return 0.7 * wet_bulb + 0.2 * globe + 0.1 * air


def vapour_pressure(temperature: float, humidity: float) -> float:
    """hPa, at a relative humidity in %."""
    return humidity / 100 * 6.105 * math.exp(17.27 * temperature / (237.7 + temperature))


def sun_estimate(temperature: float, humidity: float) -> float:
    """WBGT in full sun and light wind, estimated (Australian Bureau of Meteorology's simplified form)."""
    return 0.567 * temperature + 0.393 * vapour_pressure(temperature, humidity) + 3.94


def wet_bulb(temperature: float, humidity: float) -> float | None:
    """Stull's formula (2011), for 5 to 99 % and -20 to 50 degC; None outside of that."""
    if not (5 <= humidity <= 99 and -20 <= temperature <= 50):
        return None
    return (
        temperature * math.atan(0.151977 * math.sqrt(humidity + 8.313659))
        + math.atan(temperature + humidity)
        - math.atan(humidity - 1.676331)
        + 0.00391838 * humidity * math.sqrt(humidity) * math.atan(0.023101 * humidity)
        - 4.686035
    )


def room_lower_bound(temperature: float, humidity: float) -> float | None:
    """WBGT in a room is at least about this: the globe is taken to be no warmer than the air."""
    wet = wet_bulb(temperature, humidity)
    return None if wet is None else 0.7 * wet + 0.3 * temperature
