"""Winsen MH-Z19B: CO2, warm after 3 minutes (frames: `_mh_z19.py`)."""

from drivers._mh_z19 import driver

DRIVER = driver("mh_z19b", "Winsen MH-Z19B", warm_up_s=180.0)
