"""Winsen ZE03 electrochemical gas sensors (CO, NH3, H2S, O3, NO2, SO2, O2), 9600 8N1, 5 V supply (blocks:
`_winsen.py`).

    FF 86  VV VV  00 00 00 00  CC     when asked: the concentration in steps of the cell

- `78 04`: only when asked, `78 03`: by itself.
- VV VV: 1 ppm for CO, 0.1 % for oxygen. For the other gases the step differs by cell and range and is not in the
  answer: `decimals` must be taken from the delivered manual.
Warm 3 minutes after the supply comes, hours after a long time without. Cells live about two years and hear each other's
gases. Source: Winsen ZE03 manual V2.0. The bare ME3 cells are analog and are not this device.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from drivers._options import Options
from drivers._values import within
from drivers._winsen import READ, block, command, framing, setting
from drivers.base import Driver, Measurement, Read
from drivers.frames import whole

WHEN_ASKED, BY_ITSELF = command(0x78, 0x04), command(0x78, 0x03)
GASES = ("co", "nh3", "h2s", "o3", "no2", "so2", "o2")
KNOWN_DECIMALS = {"co": 0, "o2": 1}
FULL_SCALE = {"co": 1000.0, "nh3": 100.0, "h2s": 100.0, "o3": 20.0, "no2": 20.0, "so2": 20.0, "o2": 25.0}
frame = framing(0x86)


def decode(gas: str, decimals: int, top: float, replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    return [within(gas, (data[2] << 8 | data[3]) / 10**decimals, 0, top)]


def encode(gas: str, decimals: int, values: Mapping[str, float]) -> tuple[bytes, ...]:
    return (block(0x86, *round(values.get(gas, 0) * 10**decimals).to_bytes(2, "big")),)


def build(gas: str, decimals: int, top: float) -> Driver:
    return Driver(
        name="ze03",
        title="Winsen ZE03 gas sensor",
        points=(gas,),
        decode=partial(decode, gas, decimals, top),
        encode=partial(encode, gas, decimals),
        reads=(Read(frame, READ),),
        start=(setting(WHEN_ASKED),),
        warm_up_s=180.0,
        at=at,
        notes=(
            f"Option, required: gas = one of {', '.join(GASES)}: the cell that is fitted.",
            "Option: decimals of its answer, from the delivered manual; required for all but co (0) and o2 (1).",
            "Option: full_scale, from its label; a value above it is no value.",
            "After hours without supply it needs hours to settle; a cell lives about two years.",
        ),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("ze03", address, given)
    gas = options.one_of("gas", GASES)
    decimals = options.one_of("decimals", (0, 1, 2, 3), KNOWN_DECIMALS.get(gas))
    top = options.number("full_scale", 0.1, 10000, FULL_SCALE[gas])
    options.end()
    return build(gas, decimals, FULL_SCALE[gas] if top is None else top)


DRIVER = build("co", 0, FULL_SCALE["co"])
