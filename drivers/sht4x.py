"""Sensirion SHT40 / SHT41 / SHT45 on I2C, address 0x44, 0x45 or 0x46.

    FD  ->  10 ms  ->  TT TT CC  HH HH CC

One measurement of high precision. RH = -6 + 125 x / 65535, cut off at 0 and 100 as the datasheet says. CRC-8 after each
word (`_sensirion.py`, `_sht.py`). Range -40 to 125 degC. Source: Sensirion SHT4x datasheet, version 6, chapter 4.
"""

from drivers._sht import Humidity, driver

DRIVER = driver(
    name="sht4x",
    title="Sensirion SHT40 / SHT41 / SHT45",
    addresses=(0x44, 0x45, 0x46),
    send=b"\xfd",
    pause_s=0.010,
    humidity=Humidity(-6, 125),
)
