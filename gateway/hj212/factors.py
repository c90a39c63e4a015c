"""What is measured, in the codes, units and decimals of HJ 212-2017, tables B.1 to B.3.

The 2017 print gives particles and ammonia in ng/m3, which nobody sends; CO2 has room for 999 mg/m3, which a classroom
exceeds. So the unit is a setting of each link, and the printed one is only the default where it can be meant.
Gases: ppm to mg/m3 at 25 degC and 1013.25 hPa (24.465 L/mol), the state at which GB 3095-2026 and the indoor limits
are written. The codes of HJ/T 212-2005 could not be read: a link of that edition names its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from gateway.catalogue import N_

MOLAR_VOLUME = 24.465  # L/mol at 25 degC and 1013.25 hPa
NOISE, AIR = "23", "22"  # ST: acoustic environment, air quality

_SCALES: Mapping[str, tuple[str, float]] = {
    "ng/m3": ("mass", 1e-3),
    "ug/m3": ("mass", 1.0),
    "mg/m3": ("mass", 1e3),
    "ppb": ("volume", 1e-3),
    "ppm": ("volume", 1.0),
    "hPa": ("pressure", 1.0),
    "kPa": ("pressure", 10.0),
}


@dataclass(frozen=True, slots=True)
class Factor:
    """One code. `units`: those a link may send it in, the default first, each with its decimals."""

    code: str
    title: str
    quantities: tuple[str, ...]  # of drivers/quantities.py, whose points may feed it
    units: Mapping[str, int]
    molar: float | None = None  # g/mol
    statistics: bool = True  # False: an average of it means nothing (a direction goes round)
    st: str = field(default=AIR)

    @property
    def unit(self) -> str:
        return next(iter(self.units))


_PARTICLES: Mapping[str, int] = {"ug/m3": 0, "mg/m3": 3, "ng/m3": 0}
_GAS: Mapping[str, int] = {"mg/m3": 3, "ug/m3": 0, "ppm": 3, "ng/m3": 0}

FACTORS: Mapping[str, Factor] = {
    factor.code: factor
    for factor in (
        Factor("LA", N_("A-weighted sound level"), ("laf", "las", "laeq"), {"dB(A)": 1}, st=NOISE),
        Factor("a01001", N_("temperature"), ("temperature",), {"degC": 1}),
        Factor("a01002", N_("relative humidity"), ("humidity",), {"%RH": 1}),
        Factor("a01006", N_("air pressure"), ("pressure",), {"kPa": 3, "hPa": 1}),
        Factor("a01007", N_("wind speed"), ("wind_speed",), {"m/s": 1}),
        Factor("a01008", N_("wind direction"), ("wind_direction",), {"deg": 0}, statistics=False),
        Factor("a05001", N_("carbon dioxide"), ("co2",), {"mg/m3": 1, "ppm": 0}, molar=44.009),
        Factor("a21001", N_("ammonia"), ("nh3",), _GAS, molar=17.031),
        Factor("a21004", N_("nitrogen dioxide"), ("no2",), _GAS, molar=46.006),
        Factor("a21005", N_("carbon monoxide"), ("co",), _GAS, molar=28.010),
        Factor("a21026", N_("sulphur dioxide"), ("so2",), _GAS, molar=64.064),
        Factor("a21028", N_("hydrogen sulphide"), ("h2s",), _GAS, molar=34.081),
        Factor("a34001", N_("total suspended particles"), ("pm100",), _PARTICLES),
        Factor("a34002", N_("PM10"), ("pm10",), _PARTICLES),
        Factor("a34004", N_("PM2.5"), ("pm2_5",), _PARTICLES),
        Factor("a34005", N_("PM1"), ("pm1",), _PARTICLES),
    )
}


def converted(value: float, unit: str, to: str, molar: float | None = None) -> float:
    """`value` in another unit. ValueError where there is no way (a gas of unknown molar mass, other dimensions)."""
    if unit == to:
        return value
    (kind, scale), (kind_to, scale_to) = _SCALES.get(unit, (unit, 1.0)), _SCALES.get(to, (to, 1.0))
    if kind == kind_to:
        return value * scale / scale_to
    if molar is None or {kind, kind_to} != {"mass", "volume"}:
        raise ValueError(f"{unit} is no {to}")
    per_ppm = molar / MOLAR_VOLUME * 1000  # ug/m3 in a ppm
    return value * scale * (per_ppm if kind == "volume" else 1 / per_ppm) / scale_to


def rounded(value: float, decimals: int) -> str:
    """Half to even (GB/T 8170), never with an exponent, never -0."""
    exact = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    return f"{exact.copy_abs() if exact == 0 else exact:f}"
