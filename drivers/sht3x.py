"""Sensirion SHT30 / SHT31 / SHT35 on I2C, address 0x44 or 0x45.

    24 00  ->  15 ms  ->  TT TT CC  HH HH CC

One measurement of high repeatability, without clock stretching. RH = 100 x / 65535. CRC-8 after each word
(`_sensirion.py`, `_sht.py`). Range -40 to 125 degC. Source: Sensirion SHT3x-DIS datasheet, version 6, chapter 4.
"""

from drivers._sht import Humidity, driver

DRIVER = driver(
    name="sht3x",
    title="Sensirion SHT30 / SHT31 / SHT35",
    addresses=(0x44, 0x45),
    send=b"\x24\x00",
    pause_s=0.016,
    humidity=Humidity(0, 100),
)
