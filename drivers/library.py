"""Every driver that is there: modules `drivers/<name>.py` with a `DRIVER`, and profiles `drivers/profiles/<name>.toml`.

Nothing is registered. Finding one driver reads and imports that one only.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from drivers.base import Driver
from drivers.profile import load, nearest

_FOLDER = Path(__file__).parent
_PROFILES = _FOLDER / "profiles"
_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
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


def names() -> tuple[str, ...]:
    """All names, sorted."""
    modules = {path.stem for path in _FOLDER.glob("*.py") if _is_driver(path)}
    return tuple(sorted(modules | {path.stem for path in _PROFILES.glob("*.toml")}))


def _is_driver(path: Path) -> bool:
    return path.is_file() and not path.name.startswith("_") and _CONSTANT.search(path.read_bytes()) is not None
