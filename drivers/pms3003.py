"""Plantower PMS3003: PM1, PM2.5, PM10; 24-byte frames without counts or error code (`_plantower.py`).

42 4D  00 14  pm1 pm25 pm10 (factory)  pm1 pm25 pm10 (open air)  three reserved words  SS SS

It knows no commands: it sends by itself as long as its SET pin is high or open.
"""

from drivers._plantower import Layout, active_only

DRIVER = active_only("pms3003", "Plantower PMS3003", Layout(words=9))
