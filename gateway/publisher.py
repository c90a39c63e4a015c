"""What stands at the brokers: alarms, contacts, heads, and what this gateway and its streams consist of."""

from __future__ import annotations

from gateway import payloads
from gateway.board import unit_of
from gateway.contacts.watches import ContactWatch
from gateway.moment import Moment
from gateway.payloads import Below
from gateway.values import STREAMS
from gateway.venue import Venue

HEAD_EVERY_S = 30.0


class Publisher:
    """Owned by the engine's thread."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._origin = venue.origin
        self._heads_at: Moment | None = None

    def everything(self, now: Moment) -> None:
        for page in self._venue.book.pages.values():
            self._venue.book.publish(page, now)
        for watch in self._venue.watches.values():
            self.contact(watch, now)
        self.descriptions()
        self.heads(now)

    def again(self, topic: str, now: Moment) -> None:
        """What stands under a topic at a broker is not ours any more: say it again."""
        pages, watches = self._venue.book.pages, self._venue.watches
        kind, _, name = topic.partition("/")[2].partition("/")
        match kind:
            case "alarm":
                if name in pages:  # else it is of an alarm that is no more, or of a drill of another run: let it lie
                    self._venue.book.publish(pages[name], now)
            case "contact":
                if name in watches:
                    self.contact(watches[name], now)
            case "head":
                self.heads(now)
            case _:
                self.descriptions()

    def tick(self, now: Moment) -> None:
        """Heads every 30 s, so that a silent gap shows."""
        if self._heads_at is None or now.seconds_since(self._heads_at) >= HEAD_EVERY_S:
            self.heads(now)

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
        self._heads_at = now
        for stream in STREAMS:
            head = self._venue.book.chain.heads.get(stream)
            run, seq, hash_ = (head.run, head.seq, head.hash) if head is not None else (None, 0, None)
            self._retain(payloads.head(self._origin, now, stream, run=run, seq=seq, hash_=hash_))

    def descriptions(self) -> None:
        """`meta`, and `{stream}/meta` for each stream."""
        venue, points, devices = self._venue, self._venue.points, self._venue.health.devices
        key = venue.book.identity.public
        streams = [stream for stream in STREAMS if stream != "screening" or points.names_of("screening")]
        self._retain(payloads.meta(self._origin, streams=streams, config_sha256=venue.config_sha256, key=key))
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
                        for watch in venue.watches.values()
                        if watch.stream == stream
                    ],
                )
            )

    def _retain(self, message: Below) -> None:
        self._venue.out.retain(message.topic, message.payload)
