"""Plantower PMS3003: PM1, PM2.5, PM10; 24-byte frames without counts or error code (`_plantower.py`).

42 4D  00 14  pm1 pm25 pm10 (factory)  pm1 pm25 pm10 (open air)  three reserved words  SS SS
"""

from drivers._plantower import Layout, driver

DRIVER = driver("pms3003", "Plantower PMS3003", Layout(words=9), "Some lots know only the active mode.")
