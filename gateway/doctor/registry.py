"""Every family of checks, in the order in which people read them. A new family is one line here."""

from __future__ import annotations

from gateway.doctor import (
    alarms,
    board,
    brokers,
    configuration,
    contacts,
    custody,
    database,
    devices,
    platforms,
    service,
    storage,
)
from gateway.doctor.patient import Check, Family

FAMILIES: tuple[Family, ...] = (
    configuration.CHECKS,
    service.CHECKS,
    custody.CHECKS,
    contacts.CHECKS,
    devices.CHECKS,
    brokers.CHECKS,
    database.CHECKS,
    platforms.CHECKS,
    storage.CHECKS,
    board.CHECKS,
    alarms.CHECKS,
)
CHECKS: tuple[Check, ...] = tuple(check for family in FAMILIES for check in family)
