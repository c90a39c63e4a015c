"""From the table of a platform to what its conversation needs; and what a platform has set, kept over a restart."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import tzinfo
from pathlib import Path

from gateway.board import unit_of
from gateway.configuration.config import Venue
from gateway.configuration.hj212 import Hj212
from gateway.environment.noise import Validity
from gateway.hj212.editions import EDITIONS
from gateway.hj212.factors import AIR, FACTORS, NOISE
from gateway.hj212.parley import Party
from gateway.hj212.requests import Terms
from gateway.hj212.uploads import Channel, Nights
from gateway.journal.files import write_durably

log = logging.getLogger(__name__)

MINUTE_FILE = 10  # minutes, unless the edition or the table says otherwise
FRESH_CYCLES, FRESH_S = 3, 15.0  # a reading is of now for so many cycles, and at least so long


@dataclass(frozen=True, slots=True)
class Link:
    """What one platform is sent, and how."""

    name: str  # of the table
    host: str
    port: int
    password_file: Path
    party: Party
    channels: tuple[Channel, ...]
    nights: Nights
    heartbeat_s: float | None
    terms: Terms  # as configured; the password is still empty
    may_set: frozenset[str]
    answers: bool  # whether it proves by 9014 what it has

    @property
    def sink(self) -> str:
        return f"hj212-{self.name}"

    @property
    def systems(self) -> tuple[str, ...]:
        return tuple(sorted({channel.st for channel in self.channels}))

    def of(self, st: str) -> tuple[Channel, ...]:
        return tuple(channel for channel in self.channels if channel.st == st)


def link_of(
    name: str,
    table: Hj212,
    venue: Venue,
    zone: tzinfo,
    every_s: Mapping[str, float],
    validity: Validity | None = None,
) -> Link:
    """`every_s`: how often each device is read. KeyError for a factor that nobody knows (`check` finds those)."""
    edition = EDITIONS[table.edition]
    channels = tuple(_channel(table, code, every_s) for code in table.factors)
    systems = sorted({channel.st for channel in channels})
    usual = {NOISE: edition.noise_minute, AIR: MINUTE_FILE}
    terms = Terms(
        over_time_s=round(table.over_time),
        re_count=table.re_count,
        realtime_s=round(table.realtime_every),
        minute={st: table.minutes or usual.get(st, MINUTE_FILE) for st in systems},
        password="",
        realtime=table.realtime,
    )
    return Link(
        name,
        table.host,
        table.port,
        Path(table.password_file),
        Party(edition, table.crc, table.mn, frozenset(systems), zone),
        channels,
        Nights(venue.night.from_, venue.night.to, table.ldn, validity or Validity()),
        table.heartbeat if edition.heartbeat else None,
        terms,
        frozenset(table.may_set),
        table.answers,
    )


def _channel(table: Hj212, code: str, every_s: Mapping[str, float]) -> Channel:
    wish, factor = table.factors[code], FACTORS[code]
    unit = wish.unit or factor.unit
    decimals = factor.units.get(unit, 0) if wish.decimals is None else wish.decimals
    fresh_s = max(FRESH_S, FRESH_CYCLES * every_s.get(wish.point.partition("/")[0], 1.0))
    return Channel(
        factor, wish.code or code, wish.point, unit_of(wish.point), unit, decimals, wish.st or factor.st, fresh_s
    )


# ---- what a platform has set ------------------------------------------------------------------------------------


class TermsFile:
    """`hj212-NAME.json` in the state directory. What the configuration says anew goes before what a platform set."""

    def __init__(self, state: Path, link: Link, password: str) -> None:
        self._path = state / f"{link.sink}.json"
        self._configured = replace(link.terms, password=password)
        said = json.dumps(asdict(self._configured), sort_keys=True)
        self._basis = hashlib.sha256(said.encode()).hexdigest()

    def read(self) -> Terms:
        """The terms in force. What cannot be read counts as nothing set."""
        try:
            kept = json.loads(self._path.read_text())
            if kept.pop("basis") == self._basis:
                return Terms(**({"password": self._configured.password} | kept))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("event=terms-unreadable file=%s error=%r", self._path.name, str(error))
        return self._configured

    def write(self, terms: Terms) -> None:
        kept = asdict(terms) | {"basis": self._basis}
        if terms.password == self._configured.password:  # in the file beside the configuration, and in no second place
            del kept["password"]
        try:
            write_durably(self._path, json.dumps(kept).encode(), 0o600)
        except OSError as error:  # a sick card: in force all the same, until the next start
            log.warning("event=terms-not-kept file=%s error=%r", self._path.name, str(error))
