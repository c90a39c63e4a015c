"""Winsen MH-Z19C: CO2, warm after 1 minute (frames: `_mh_z19.py`)."""

from drivers._mh_z19 import driver

DRIVER = driver("mh_z19c", "Winsen MH-Z19C", warm_up_s=60.0)
