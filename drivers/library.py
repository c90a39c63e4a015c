"""Every driver that is there: modules `drivers/<name>.py` with a `DRIVER`, and profiles `drivers/profiles/<name>.toml`.

Nothing is registered. Finding one driver reads and imports that one only.
`python -m drivers.library` prints docs/devices.md.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from drivers.base import Driver
from drivers.profile import load
from drivers.schema import nearest

_FOLDER = Path(__file__).parent
_PROFILES = _FOLDER / "profiles"
_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
_VECTORS = _FOLDER.parent / "tests" / "vectors"
_CONSTANT = re.compile(rb"^DRIVER\b", re.MULTILINE)  # what makes a module a driver


class UnknownDriver(LookupError):
    """There is no such driver; the text names the nearest."""


def find(name: str, folder: Path | None = None) -> Driver:
    """The driver of this name, or of a profile file (`name` ends in .toml; a relative one lies in `folder`).

    Raises UnknownDriver, or ProfileError (a ValueError) for a file that cannot be used.
    """
    if name.endswith(".toml"):
        path = (folder or Path()) / name
        if not path.is_file():
            raise UnknownDriver(f"no profile file {str(path)!r}")
        return load(path)
    if _NAME.fullmatch(name):
        if (profile := _PROFILES / f"{name}.toml").is_file():
            return load(profile)
        if _is_driver(_FOLDER / f"{name}.py"):
            driver = importlib.import_module(f"drivers.{name}").DRIVER
            assert isinstance(driver, Driver)  # noqa: S101  for the type checker: the suite holds every module to it
            return driver
    raise UnknownDriver(f"no driver {name!r}{nearest(name.lower().replace('-', '_'), names())}")


def bound(name: str, address: int | None, options: Mapping[str, object], folder: Path | None = None) -> Driver:
    """The driver as a device's table asks for it. Raises as `find`, and ValueError for what it does not take."""
    driver = find(name, folder)
    if driver.at is not None:
        return driver.at(address, options)
    if options:
        raise ValueError(f"a {driver.name} has no option {next(iter(options))!r}")
    if address not in {None, driver.address}:
        fixed = "no address" if driver.address is None else f"the address {driver.address} and no other"
        raise ValueError(f"a {driver.name} has {fixed}: remove the line")
    return driver


def names() -> tuple[str, ...]:
    """All names, sorted."""
    modules = {path.stem for path in _FOLDER.glob("*.py") if _is_driver(path)}
    return tuple(sorted(modules | {path.stem for path in _PROFILES.glob("*.toml")}))


def _is_driver(path: Path) -> bool:
    return path.is_file() and not path.name.startswith("_") and _CONSTANT.search(path.read_bytes()) is not None


_PREFACE = """\
# Devices

Every driver that is there, from the same source as `venue-gateway devices`. Written by
`python -m drivers.library > docs/devices.md`.

*Vectors* says where the frames come from that the driver is held to: captured from a unit, printed in a manual, or
constructed by us from the description. *Link proven* says whether the way to the device was proven here too: serial
lines (on pseudo-terminals, against Modbus slaves that are not ours), files and TCP are; I2C, USB HID and Bluetooth need
the hardware, and only their decoding is proven. *Check* says whether the frames carry one; where not, a value is
suspect until a second agrees.

| Driver | Device | Points | Line | Check | Vectors | Link proven |
|---|---|---|---|---|---|---|
"""


def page(vectors: Path = _VECTORS) -> str:
    """docs/devices.md: a table of all drivers, and below it what an installer should know of each."""
    drivers = [find(name) for name in names()]
    rows = [f"| {' | '.join(_row(driver, vectors))} |" for driver in drivers]
    traps = [_traps(driver) for driver in drivers if driver.notes]
    return _PREFACE + "\n".join(rows) + "\n\n## What an installer should know\n\n" + "\n\n".join(traps) + "\n"


def _row(driver: Driver, vectors: Path) -> tuple[str, ...]:
    address = "" if driver.address is None else f", address {driver.address}"
    line = f"{driver.baud} 8{driver.parity}{driver.stop_bits}" if driver.transport == "serial" else driver.transport
    path = vectors / f"{driver.name}.toml"
    cases = tomllib.loads(path.read_text(encoding="utf-8"))["case"] if path.is_file() else []
    origins = Counter(re.split(r"\W", case["source"])[0] for case in cases)
    return (
        f"`{driver.name}`",
        driver.title,
        ", ".join(driver.points),
        line + address,
        "yes" if driver.checked else "no",
        ", ".join(f"{count} {origin}" for origin, count in sorted(origins.items())) or "none",
        "yes" if driver.transport in {"serial", "file", "tcp"} else "no",
    )


def _traps(driver: Driver) -> str:
    return f"**{driver.name}**, {driver.title}\n\n" + "\n".join(f"- {note}" for note in driver.notes)


if __name__ == "__main__":
    print(page(), end="")
