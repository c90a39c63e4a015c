"""What stands at the brokers besides alarms: contacts, heads, and what this gateway and its streams consist of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from gateway import payloads
from gateway.board import unit_of
from gateway.book import Book
from gateway.health import DeviceWatch
from gateway.moment import Moment
from gateway.payloads import Below
from gateway.points import Points
from gateway.values import STREAMS
from gateway.watches import ContactWatch


class Retaining(Protocol):
    def retain(self, topic: str, payload: bytes) -> None: ...


class Publisher:
    """Owned by the engine's thread."""

    def __init__(self, book: Book, outputs: Retaining) -> None:
        self._book = book
        self._origin = book.origin
        self._out = outputs

    def alarms(self, now: Moment) -> None:
        for page in self._book.pages.values():
            self._book.publish(page, now)

    def contact(self, watch: ContactWatch, now: Moment) -> None:
        self._retain(
            payloads.contact_state(
                self._origin,
                watch.stream,
                watch.name,
                kind=watch.config.kind,
                state=watch.state.value,
                since=watch.since or now,
                place=watch.config.place,
                reason=watch.error,
                seal=watch.seal,
            )
        )

    def heads(self, now: Moment) -> None:
        for stream in STREAMS:
            head = self._book.chain.heads.get(stream)
            run, seq, hash_ = (head.run, head.seq, head.hash) if head is not None else (None, 0, None)
            self._retain(payloads.head(self._origin, now, stream, run=run, seq=seq, hash_=hash_))

    def descriptions(
        self,
        points: Points,
        watches: Iterable[ContactWatch],
        devices: Mapping[str, DeviceWatch],
        config_sha256: str,
    ) -> None:
        """`meta`, and `{stream}/meta` for each stream."""
        key = self._book.identity.public
        streams = [stream for stream in STREAMS if stream != "screening" or points.names_of("screening")]
        self._retain(payloads.meta(self._origin, streams=streams, config_sha256=config_sha256, key=key))
        contacts = list(watches)
        for stream in STREAMS:
            places = {name: devices[name.partition("/")[0]].place for name in points.names_of(stream)}
            self._retain(
                payloads.stream_meta(
                    self._origin,
                    stream,
                    points=[{"point": name, "unit": unit_of(name), "place": place} for name, place in places.items()],
                    rules=points.describe(stream),
                    contacts=[
                        {"name": watch.name, "kind": watch.config.kind, "place": watch.config.place}
                        for watch in contacts
                        if watch.stream == stream
                    ],
                )
            )

    def _retain(self, message: Below) -> None:
        self._out.retain(message.topic, message.payload)
