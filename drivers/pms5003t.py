"""Plantower PMS5003T: as PMS5003, with temperature and humidity in place of the two largest counts (`_plantower.py`).

    42 4D  00 1C  pm (factory)  pm1 pm25 pm10 (open air)  >0.3 >0.5 >1 >2.5  temperature humidity  VV EE  SS SS

- temperature: 0.1 degC, signed; humidity: 0.1 %RH.
"""

from drivers._plantower import Layout, driver

DRIVER = driver(
    "pms5003t",
    "Plantower PMS5003T",
    Layout(words=13, counts=4, temperature=10, humidity=11, error=12),
    "A PMS5003 looks the same on the wire: read the type on the label.",
    "Its thermometer sits in the warm air of the sensor: trend only.",
)
