"""What production code knows of the simulator."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from gateway.configuration.config import Config


class Simulated(Protocol):
    """What `gateway.simulate.simulation.Simulation` offers, so that production code imports none of it."""

    config: Config
    pin_factory: Any
    pins: bool

    @property
    def workers(self) -> list[tuple[str, Callable[[threading.Event], None]]]: ...
    def act(self, name: str, action: list[str]) -> str: ...
