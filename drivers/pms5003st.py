"""Plantower PMS5003ST: PM, counts, formaldehyde, temperature and humidity; 40-byte frames (`_plantower.py`).

    42 4D  00 24  pm (factory)  pm1 pm25 pm10 (open air)  six counts  hcho  temperature humidity  reserved  VV EE  SS SS

- hcho: ug/m3; temperature: 0.1 degC, signed; humidity: 0.1 %RH.
"""

from drivers._plantower import Layout, driver

DRIVER = driver(
    "pms5003st",
    "Plantower PMS5003ST",
    Layout(words=17, counts=6, hcho=12, temperature=13, humidity=14, error=16),
    "Alcohol, perfume and disinfectant read as formaldehyde.",
)
