"""What the machine says of itself, read from files that need no right, and judged: supply, heat, card, memory.

    get_throttled   bits of the Pi's firmware: 0 supply too low now, 1 slowed, 2 throttled, 3 soft temperature limit;
                    16 to 19 the same at any time since the start (documented with `vcgencmd get_throttled`)
    in0_lcrit_alarm of the hwmon driver rpi_volt: bit 0 alone, where the file above is gone
    life_time       of an eMMC: tenths of its life that are used, for its two kinds of cells (JEDEC eMMC 5.0, EXT_CSD
                    268, 269); 0x0b: over. pre_eol_info: 2 warning, 3 urgent
    errors_count    of ext4: what the file system found damaged since it was checked last

`/dev/vcio` would tell the bits too, but whoever may open it may also set clocks and voltages.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.catalogue import say

LOW_NOW, LOW_SINCE = 1 << 0, 1 << 16
SLOWED = 1 << 1 | 1 << 2 | 1 << 3  # for heat, unless the supply is too low at the same time
HOT_C, COOL_C = 80.0, 75.0  # a Pi slows itself down from 80 °C on
FREE_MIB, FREE_AGAIN_MIB = 500, 700
FREE_MEMORY, FREE_MEMORY_AGAIN = 0.08, 0.12  # shares of the machine's memory
OWN_MIB = 256  # four times what the gateway needs
WORN = 9  # tenths of the life: from 80 % on

_MIB = 1 << 20
_THROTTLED = "sys/devices/platform/soc*/*firmware/get_throttled"
_SERIAL = "sys/firmware/devicetree/base/serial-number"


@dataclass(frozen=True, slots=True)
class Vitals:
    """What could be read; None is "not to be known on this machine"."""

    throttled: int | None = None
    celsius: float | None = None
    free_mib: float | None = None
    life: int | None = None  # tenths
    near_end: int | None = None
    damaged: int | None = None
    memory: float | None = None  # share that is available
    own_mib: float | None = None


def read_vitals(state: Path, root: Path = Path("/")) -> Vitals:
    """Of the machine, and of the card that the state directory is on. Never raises for what is not there."""
    disk = _disk(state, root)
    system = _fields(root / "proc/meminfo")
    own = _fields(root / "proc/self/status")
    total, available = system.get("MemTotal"), system.get("MemAvailable")
    return Vitals(
        throttled=_throttled(root),
        celsius=_celsius(root),
        free_mib=_free_mib(state),
        life=_life(disk),
        near_end=_number(disk / "device/pre_eol_info", 16) if disk else None,
        damaged=_ext4_errors(state, root),
        memory=available / total if total and available is not None else None,
        own_mib=own["VmRSS"] / 1024 if "VmRSS" in own else None,
    )


def judge(now: Vitals, before: Vitals | None = None) -> dict[str, str | None]:
    """By alarm, what is wrong (in words), or None where it is well. What is not known, or between bad and well, is left
    out. `before`: the last look of this run; a dip of the supply between two looks counts once.
    """
    found: dict[str, str | None] = {}
    if now.throttled is not None:
        found["power-supply"] = _supply(now.throttled, 0 if before is None else before.throttled or 0)
    heat = _heat(now)
    if heat is not None:
        found["heat"] = heat or None
    if now.damaged is not None or now.life is not None or now.near_end is not None:
        found["card-worn"] = _wear(now)
    if now.free_mib is not None and not FREE_MIB <= now.free_mib < FREE_AGAIN_MIB:
        short = say("{free} MiB are free", free=f"{now.free_mib:.0f}")
        found["card-space"] = short if now.free_mib < FREE_MIB else None
    if now.own_mib is not None and now.own_mib > OWN_MIB:
        found["memory"] = say("the gateway itself uses {used} MiB", used=f"{now.own_mib:.0f}")
    elif now.memory is not None and not FREE_MEMORY <= now.memory < FREE_MEMORY_AGAIN:
        little = say("{share} of the memory is free", share=f"{now.memory:.0%}")
        found["memory"] = little if now.memory < FREE_MEMORY else None
    return found


def board_serial(root: Path = Path("/")) -> str | None:
    """The board's own number, which a copied card does not carry along; None where boards have none to be read."""
    return (_text(root / _SERIAL) or "").strip("\0 \n") or None


def _supply(bits: int, before: int) -> str | None:
    shown = f"{bits:#x}"
    if bits & LOW_NOW:
        return say("too low now, {bits}", bits=shown)
    if bits & LOW_SINCE and not before & LOW_SINCE:
        return say("too low for a moment, {bits}", bits=shown)
    return None


def _heat(now: Vitals) -> str | None:
    """In words; "" when it is cool; None when it is neither, or not known."""
    slowed = bool((now.throttled or 0) & SLOWED) and not (now.throttled or 0) & LOW_NOW
    if now.celsius is not None and (slowed or now.celsius >= HOT_C):
        return say("{celsius} °C", celsius=f"{now.celsius:.0f}")
    if slowed:
        return say("it slows itself down")
    return None if now.celsius is None or now.celsius >= COOL_C else ""


def _wear(now: Vitals) -> str | None:
    if now.damaged:
        return say("the file system found {count} errors", count=now.damaged)
    if now.life is not None and now.life >= WORN:
        return say("{percent} % of its life are used", percent=min(now.life, 10) * 10)
    if now.near_end is not None and now.near_end >= 2:
        return say("its spare blocks are nearly used up")
    return None


# ---- files -----------------------------------------------------------------------------------------------------


def _throttled(root: Path) -> int | None:
    for path in sorted(root.glob(_THROTTLED)):
        if (bits := _number(path, 16)) is not None:
            return bits
    for name in sorted(root.glob("sys/class/hwmon/hwmon*/name")):
        if _text(name) == "rpi_volt":
            return _number(name.with_name("in0_lcrit_alarm"))
    return None


def _celsius(root: Path) -> float | None:
    """The hottest of the processor's own sensors."""
    zones = [path.parent for path in root.glob("sys/class/thermal/thermal_zone*/type") if _of_processor(path)]
    found = [value / 1000 for zone in zones if (value := _number(zone / "temp")) is not None]
    return max(found, default=None)


def _of_processor(kind: Path) -> bool:
    return (_text(kind) or "").replace("_", "-") in ("cpu-thermal", "soc-thermal", "x86-pkg-temp")


def _free_mib(state: Path) -> float | None:
    try:
        room = os.statvfs(state)
    except OSError:
        return None
    return room.f_bavail * room.f_frsize / _MIB


def _disk(state: Path, root: Path) -> Path | None:
    """The disk that the state directory is on, as a folder of sysfs: its partition's parent, or itself."""
    part = _partition(state, root)
    if part is None:
        return None
    return part.parent if (part / "partition").exists() else part


def _life(disk: Path | None) -> int | None:
    """Tenths of the life that are used, of the cells that are worse off."""
    words = [] if disk is None else (_text(disk / "device/life_time") or "").split()
    try:
        return max((int(word, 16) for word in words), default=None)
    except ValueError:
        return None


def _ext4_errors(state: Path, root: Path) -> int | None:
    part = _partition(state, root)
    return None if part is None else _number(root / "sys/fs/ext4" / part.name / "errors_count")


def _partition(state: Path, root: Path) -> Path | None:
    try:
        device = state.stat().st_dev
    except OSError:
        return None
    link = root / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    return link.resolve() if link.exists() else None


def _fields(path: Path) -> Mapping[str, int]:
    """`Name:  123 kB` lines, in KiB."""
    lines = [line.partition(":") for line in (_text(path) or "").splitlines()]
    return {name: int(words[0]) for name, _, rest in lines if (words := rest.split()) and words[0].isdecimal()}


def _number(path: Path, base: int = 10) -> int | None:
    try:
        return int(_text(path) or "", base)
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return None
