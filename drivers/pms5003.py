"""Plantower PMS5003, PMS7003 and PMSA003: PM1, PM2.5, PM10 and particle counts; 32-byte frames (`_plantower.py`).

    42 4D  00 1C  pm1 pm25 pm10 (factory)  pm1 pm25 pm10 (open air)  >0.3 >0.5 >1 >2.5 >5 >10  VV EE  SS SS

All three send this frame. So does a PMS5003T, with other things in some of its words: nothing in the frame tells them
apart, so the type in the configuration must be right.
"""

from drivers._plantower import Layout, driver

DRIVER = driver(
    "pms5003",
    "Plantower PMS5003 / PMS7003 / PMSA003",
    Layout(words=13, counts=6, error=12),
    "A PMS5003T looks the same on the wire: read the type on the label.",
)
