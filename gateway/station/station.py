"""The far side in one thread: listens, keeps, signs for what it keeps, and acknowledges for a named person."""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.catalogue import say
from gateway.journal.chain import uuid7
from gateway.moment import NANO, Clock, Moment
from gateway.persons.people import read_key
from gateway.persons.signing import make_command, make_receipt
from gateway.sinks.link import Link
from gateway.sinks.packets import Acked, Granted, Message, Publication
from gateway.sinks.troubles import LinkLost
from gateway.station.desk import Desk, Heard, Row
from gateway.station.settings import StationConfig
from gateway.station.store import Kept, Store
from gateway.vocabulary import word

log = logging.getLogger(__name__)

WAIT_S = 0.1
AGAIN_S = 1.0  # real seconds before connecting again
REMEMBERED = 200  # events of each stream taken from the store at start
COMMAND_EXPIRES_S = 60
MOST_UNKEPT = 5000  # events in memory that the disk refuses


class View(NamedTuple):
    """What there is to see, replaced as a whole: any thread may read it."""

    link: str  # how the connection is; empty when it is well
    rows: tuple[Row, ...]
    troubles: tuple[str, ...]
    sounding: bool


class Wish(NamedTuple):
    """A person's acknowledgement."""

    venue: str
    stream: str
    alarm: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    topic: str
    payload: bytes
    expires_s: int | None = None


class Station:
    """`tell` is called with one line for each thing that happens, from the station's thread.

    With `acknowledge_after_s` whatever stands unacknowledged for so long is acknowledged (demonstrations, drills).
    """

    def __init__(
        self,
        config: StationConfig,
        clock: Clock,
        tell: Callable[[str], None],
        acknowledge_after_s: float | None = None,
    ) -> None:
        self.view = View(say("connecting"), (), (), sounding=False)
        self._config = config
        self._clock = clock
        self._tell = tell
        self._after_s = acknowledge_after_s
        self._key = read_key(Path(config.key_file))
        self._person_key: Ed25519PrivateKey | None = None
        if config.person is not None:
            self._person_key = read_key(Path(config.person.key_file))
        self._wishes: queue.SimpleQueue[Wish] = queue.SimpleQueue()
        self._out: deque[Outgoing] = deque()
        self._flying: set[int] = set()
        self._unkept: dict[str, Kept] = {}  # by hash: the disk has refused them so far
        self._kept_ns = 0  # monotonic: when it was last asked
        self._asked: dict[tuple[str, str, str], int] = {}  # alarm: revision that was acknowledged from here
        self._troubles: frozenset[str] = frozenset()

    def acknowledge(self, venue: str, stream: str, alarm: str, note: str | None = None) -> None:
        """For any thread."""
        self._wishes.put(Wish(venue, stream, alarm, note))

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                store = Store(Path(self._config.store))
            except sqlite3.Error as error:  # blind, so it sounds
                self.view = View(self._sick(error), (), (), sounding=True)
                self._say_new(frozenset({self.view.link}))
                stop.wait(AGAIN_S)
                continue
            try:
                self._serve(store, stop)
            finally:
                store.close()

    def _serve(self, store: Store, stop: threading.Event) -> None:
        config = self._config
        expected = [name for name in config.venues if name != "+"]
        desk = Desk(config.root, store.keys(), config.late_after, pinned=config.keys, expected=expected)
        for kept in store.newest(REMEMBERED):
            desk.remember(kept, self._clock.now())
        try:
            while not stop.is_set():
                try:
                    self._connected(desk, store, stop)
                except LinkLost as lost:
                    desk.look(self._clock.now())
                    self._show(desk, lost.detail)
                    stop.wait(AGAIN_S)
        finally:
            self._show(desk, say("connecting"))  # whatever ended it: nothing on the screen is live now

    # ---- one connection ------------------------------------------------------------------------------------------

    def _connected(self, desk: Desk, store: Store, stop: threading.Event) -> None:
        link = Link(self._config.broker, f"station-{self._config.id}", None, self._clock.now())
        try:
            desk.connected()
            link.subscribe(self._filters())
            self._flying.clear()
            while not stop.is_set():
                self._turn(link, desk, store)
            link.close(goodbye=True)
        finally:
            link.close()

    def _filters(self) -> list[str]:
        root = self._config.root
        below = ["status", "meta", "response/+"]
        below += [f"{stream}/{kind}" for stream in self._config.streams for kind in ("event", "head", "alarm/+")]
        return [f"{root}/{venue}/{each}" for venue in self._config.venues for each in below]

    def _turn(self, link: Link, desk: Desk, store: Store) -> None:
        heard: list[Heard] = []
        now = self._clock.now()
        for happening in link.wait(WAIT_S):
            now = self._clock.now()
            match happening:
                case Acked(mid, _):
                    self._flying.discard(mid)
                case Granted(_, codes) if max(codes) >= 128:
                    raise LinkLost("refused", say("the broker does not let this station read"))
                case Message(topic, payload, retained):
                    if "/response/" in topic:
                        self._response(payload)
                        continue
                    heard += desk.take(topic, payload, retained=retained, now=now)
        for each in heard:
            if not each.again:
                self._tell(line(each.row))
        for kept in self._keep(desk, store, heard, now):
            self._sign(kept, now)
        desk.look(now)
        self._act(desk, now)
        self._send(link)
        self._show(desk, "")

    def _keep(self, desk: Desk, store: Store, heard: list[Heard], now: Moment) -> list[Kept]:
        """What stands on the disk now, to be signed for: a copy too, its receipt may have been lost. What the disk
        refuses is shown all the same, waits, and gets no receipt: then the venue goes on looking for somebody.
        """
        came = {each.kept.hash: each.kept for each in heard if each.kept is not None and not each.again}
        self._unkept |= came
        copies = [each.kept for each in heard if each.kept is not None and each.kept.hash not in self._unkept]
        if not (self._unkept or desk.new_keys) or (not came and now.mono_ns - self._kept_ns < AGAIN_S * NANO):
            return copies
        self._kept_ns = now.mono_ns
        try:
            store.keep(list(self._unkept.values()))
            for venue, key in desk.new_keys.items():
                store.remember_key(venue, key)
        except sqlite3.Error as error:
            desk.troubles["store"] = self._sick(error)
            while len(self._unkept) > MOST_UNKEPT:
                oldest = next(iter(self._unkept))
                del self._unkept[oldest]
                desk.forget(oldest)
            return copies
        desk.troubles.pop("store", None)
        desk.new_keys.clear()
        kept, self._unkept = list(self._unkept.values()), {}
        return [*kept, *copies]

    def _sick(self, error: sqlite3.Error) -> str:
        return say("{file} takes nothing ({why}): no event is signed for", file=self._config.store, why=error)

    # ---- what goes out -------------------------------------------------------------------------------------------

    def _sign(self, kept: Kept, now: Moment) -> None:
        """A receipt for an event that needs one: it stands in the store."""
        if self._config.auto_receipt and needs_receipt(kept):
            receipt = make_receipt(self._key, station=self._config.id, hash_=kept.hash, time=now.text())
            self._out.append(Outgoing(f"{self._config.root}/{kept.venue}/receipt/{self._config.id}", receipt))

    def _act(self, desk: Desk, now: Moment) -> None:
        while not self._wishes.empty():
            wish = self._wishes.get()
            row = desk.rows.get((wish.venue, wish.stream, wish.alarm))
            if row is not None:
                self._acknowledge(desk, row, wish.note, now)
        if self._after_s is not None:
            for key, row in desk.rows.items():
                waited = row.unacknowledged and row.believed and now.seconds_since(row.received) >= self._after_s
                if waited and self._asked.get(key) != row.revision:
                    self._acknowledge(desk, row, say("acknowledged by itself: a demonstration or a drill"), now)
        for venue, stream, run, seq in desk.ask():
            arguments: dict[str, str | int | float | bool | None] = {"stream": stream, "run": run}
            self._command(desk, venue, "resend", now, arguments=arguments | {"first": seq, "last": seq})

    def _acknowledge(self, desk: Desk, row: Row, note: str | None, now: Moment) -> None:
        if self._config.person is None or not row.proven:
            self._tell(say("nobody is named here who may acknowledge"))
            return
        if self._command(desk, row.venue, "ack", now, row=row, note=note):
            self._asked[row.venue, row.stream, row.alarm] = row.revision

    def _command(
        self,
        desk: Desk,
        venue: str,
        verb: str,
        now: Moment,
        *,
        row: Row | None = None,
        note: str | None = None,
        arguments: dict[str, str | int | float | bool | None] | None = None,
    ) -> bool:
        """Sign and send; False while the venue has not told us its nonce."""
        nonce = desk.venues[venue].nonce
        person, key = (self._config.person, self._person_key) if verb == "ack" else (None, self._key)
        if nonce is None or key is None:
            return False
        payload = make_command(
            key,
            verb,
            id_=uuid7(now.wall_ns),
            by=person.id if person is not None else self._config.id,
            nonce=nonce,
            alarm=None if row is None else row.alarm,
            activation=None if row is None else row.activation,
            revision=None if row is None else row.revision,
            note=note,
            arguments=arguments,
        )
        expires_s = max(1, round(self._clock.pause(COMMAND_EXPIRES_S)))  # the broker's seconds; a nonce lives in ours
        self._out.append(Outgoing(f"{self._config.root}/{venue}/command/{verb}", payload, expires_s))
        return True

    def _send(self, link: Link) -> None:
        """What is lost with the connection is not kept: events come again, and people see that they must act again."""
        while self._out and len(self._flying) < link.in_flight:
            out = self._out.popleft()
            self._flying.add(link.publish(Publication(out.topic, out.payload, expires_s=out.expires_s)))

    # ---- saying ----------------------------------------------------------------------------------------------------

    def _response(self, payload: bytes) -> None:
        try:
            answer = json.loads(payload)
            if answer["ok"] is False:
                error = answer["error"] or {}
                self._tell(say("{verb} was refused: {why}", verb=answer["verb"], why=error))
        except (ValueError, KeyError, TypeError, RecursionError):
            return

    def _show(self, desk: Desk, link: str) -> None:
        rows = sorted((row for row in desk.rows.values() if row.standing), key=_pressing)
        self.view = View(link, tuple(rows), tuple(desk.troubles.values()), desk.sounding())
        self._say_new(frozenset(desk.troubles.values()) | (frozenset({link}) if link else frozenset()))

    def _say_new(self, troubles: frozenset[str]) -> None:
        for text in sorted(troubles - self._troubles):
            self._tell(f"! {text}")
        self._troubles = troubles


_SEVERITIES = ("critical", "high", "medium", "low")


def _pressing(row: Row) -> tuple[bool, int, str]:
    rank = _SEVERITIES.index(row.severity) if row.severity in _SEVERITIES else 0
    return not row.unacknowledged, rank, row.sensed


def needs_receipt(kept: Kept) -> bool:
    """Custody, and a drill of any stream: it proves the whole way and back, also of a mains or fire contact."""
    return kept.stream == "custody" or json.loads(kept.body).get("drill") is True


def line(row: Row) -> str:
    """One event for people. What came late carries both times."""
    parts = [row.sensed[11:19], row.venue, row.alarm, word(row.transition), word(row.state)]
    if row.late:
        parts.append(say("(late: came {time})", time=row.received.text()[11:19]))
    if row.drill:
        parts.append(say("(drill)"))
    if not row.proven:
        parts.append(say("(not proven yet)"))
    if row.by:
        parts.append(say("(by {name})", name=row.by))
    text = say("{text}", text=row.text) if row.text else ""
    return " ".join(part for part in (*parts, text) if part)
