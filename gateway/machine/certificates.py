"""When our own certificates and the authorities we believe end: told early enough that somebody can renew them.

A thread of its own, which looks at the files once in a while; a file that was renewed is seen without a restart. It
judges nothing: `health.certificate` does, and only while the clock is set.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from gateway.configuration.config import Config
from gateway.moment import NANO, Clock
from gateway.values import CertificateEnds

LOOK_EVERY_S = 3600.0


def files(config: Config) -> dict[str, tuple[str, ...]]:
    """By sink, the certificate files that the configuration names."""
    tables = {"mqtt": config.mqtt, "second": config.mqtt.second if config.mqtt is not None else None}
    found = {
        sink: tuple(file for file in (table.tls.cert, table.tls.ca) if file is not None)
        for sink, table in tables.items()
        if table is not None and table.tls is not None
    }
    if config.influxdb is not None and config.influxdb.ca is not None:
        found["influxdb"] = (config.influxdb.ca,)
    return {sink: named for sink, named in found.items() if named}


class CertificateWatch:
    def __init__(self, named: dict[str, tuple[str, ...]], clock: Clock, tell: Callable[[object], None]) -> None:
        self._named = named
        self._clock = clock
        self._tell = tell

    def run(self, stop: threading.Event) -> None:
        while True:
            now = self._clock.now()
            for sink, named in self._named.items():
                first = min((found for file in named for found in _ends(file)), default=None)
                if first is not None:
                    ends, file, subject = first
                    self._tell(CertificateEnds(sink, file, subject, _ns(ends), now))
            if stop.wait(self._clock.pause(LOOK_EVERY_S)):
                return


def _ends(file: str) -> Iterator[tuple[datetime, str, str]]:
    """The end of each certificate in a file; nothing where it cannot be read: the link says that in its own words."""
    from cryptography import x509  # noqa: PLC0415  only a venue with certificates needs it

    try:
        certificates = x509.load_pem_x509_certificates(Path(file).read_bytes())
    except (OSError, ValueError):
        return
    for each in certificates:
        yield each.not_valid_after_utc, file, each.subject.rfc4514_string()


def _ns(ends: datetime) -> int:
    return round(ends.timestamp() * NANO)
