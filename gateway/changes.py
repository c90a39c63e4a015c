"""A configuration file that was changed while a session is on: it waits for the end, unless it says anew why it cannot.

So at a SIGHUP, and so at a start: a restart in the middle of a session is no way round the lock.
"""

from __future__ import annotations

from pathlib import Path

from gateway.calendar import Calendar
from gateway.configuration import last_good, settings
from gateway.configuration.config import Config
from gateway.configuration.settings import Loaded
from gateway.journal.alive import session_goes_on
from gateway.moment import Moment
from gateway.values import ConfigurationWaits


def urgent(given: Config, before: Config) -> str | None:
    """Why the file given cannot wait, in words that are not those of the file before; None when it can."""
    why = (given.change.cannot_wait or "").strip()
    return why if why and why != (before.change.cannot_wait or "").strip() else None


def load(path: Path, state: Path, now: Moment) -> tuple[Loaded, ConfigurationWaits | None]:
    """What a start runs on, and what is to be told of a file that was changed in a session.

    Whether a session is on says the file that was in force, and beyond that the last sign of life: an order may have
    moved its end. Without such a file, or when the one given is not whole, it is as ever. Raises ConfigError.
    """
    given = settings.check(path)
    before = next((settings.check_bytes(data, path) for data in last_good.recall(state)[:1]), None)
    if not given.good or given.config is None or before is None or not before.good or before.config is None:
        return settings.load(path, state), None
    on = Calendar(before.config).span("session", now) is not None or session_goes_on(state, now)
    if given.sha256 == before.sha256 or not on:
        return settings.load(path, state), None
    told = ConfigurationWaits(given.sha256, urgent(given.config, before.config), now)
    if told.why is not None:
        return settings.load(path, state), told
    return Loaded(before.config, before.sha256, False, (), None, path), told
