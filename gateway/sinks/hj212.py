"""A platform of an environment bureau, spoken to in HJ 212: one thread, one connection, one cursor.

The journal is the queue: files of minutes, hours and days are made from its minute records, oldest first, and the
cursor moves only when the platform has answered. Real-time values are of now or are not sent. Nothing waits for this
thread, and it reads the platform no faster than `READ_RATE`.
"""

from __future__ import annotations

import fcntl
import logging
import random
import select
import socket
import struct
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.catalogue import say
from gateway.errors import Unavailable
from gateway.hj212.link import Link, TermsFile
from gateway.hj212.parley import Allowance, Parley, Stamps
from gateway.hj212.requests import Asked, Conduct, Told
from gateway.hj212.segment import PASSWORD
from gateway.hj212.uploads import Upload, files_after, stamp
from gateway.journal.readings import ReadingsWriter
from gateway.moment import NANO, Clock, ClockState, Moment
from gateway.sinks.hj212_record import CLOSED_S, SETTLED_S, Record
from gateway.sinks.hj212_talk import AT_ONCE, Answering, Talk
from gateway.values import RemoteSetting, SinkState

log = logging.getLogger(__name__)

CONNECT_S, SEND_S = 10.0, 4.0  # real seconds
TURN_S = 0.25  # how soon `stop` and what is due are noticed
READ_RATE, READ_BURST = 16_384, 65_536  # bytes a second, and at once: a platform's commands are a few hundred bytes
FIRST_DELAY_S, LAST_DELAY_S = 2.0, 60.0  # between connections
LATE_S = 300.0  # a file that leaves later than this is one sent afterwards
SETTINGS_S, SETTINGS = 1 / 60, 20.0  # what a platform may set: one a minute, and so many at once
DOUBT_S = 86_400  # of a cursor in the future so much is sent once more
OLDEST_S = 60 * 86_400.0  # readings are not kept for longer
_NO_FAULTS = ("crc-standard", "crc-modbus", "again", "repeated")  # that are counted too


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a sink's data comes from and its cursor goes to."""

    state: Path
    writer: ReadingsWriter


@dataclass(slots=True)
class _Pace:
    """How much may be read now: the rest waits in the platform's own socket."""

    left: float
    at_s: float

    def allowed(self, now_s: float) -> int:
        self.left, self.at_s = min(READ_BURST, self.left + READ_RATE * (now_s - self.at_s)), now_s
        return int(self.left)


class Hj212Sink:
    """`run(stop)` talks to the platform until told to stop. Raises nothing that the far side can cause."""

    def __init__(
        self,
        link: Link,
        sources: Sources,
        tell: Callable[[object], None],
        clock: Clock,
        locked: Callable[[Moment], bool],
        started: Moment | None = None,
    ) -> None:
        """`started`: when the gateway did; a sink may be made later, by a reload."""
        self.link, self.name = link, link.sink
        self.counts: Counter[str] = Counter()  # frames dropped, by why; read by others
        self.proven: Moment | None = None  # when the platform last answered something of ours; read by others
        self._sources, self._tell, self._clock, self._locked = sources, tell, clock, locked
        self._started = started or clock.now()
        self._made = clock.now()
        self._stamps = Stamps(link.party.zone)
        self._settings = Allowance(SETTINGS_S, SETTINGS)  # over all connections: each is an event
        self._state = self._detail = ""
        self._key: int | None = None  # the files up to here are proven, or nothing was recorded in their time
        self._start_told = False
        self._refused_once: set[str] = set()  # commands that this platform leaves without an answer
        self._answering = Answering()
        self._in_doubt = False  # it left something unanswered, and has answered nothing since

    def run(self, stop: threading.Event) -> None:
        self._record = Record(self.link, self._sources.state, self._sources.writer)
        delay_s = FIRST_DELAY_S
        try:
            while not stop.is_set():
                before = self.proven
                self._begin()
                self._connect(stop)
                if self.proven is not before:
                    delay_s = FIRST_DELAY_S
                stop.wait(self._clock.pause(delay_s * random.uniform(0.8, 1.2)))  # noqa: S311  against crowds
                delay_s = min(2 * delay_s, LAST_DELAY_S)
        finally:
            self._record.close()  # and nothing is said: after a reload another sink speaks under this name

    def _begin(self) -> None:
        """Where the cursor stands. A platform that is new gets what comes from now on, reached or not."""
        if self._key is not None:
            return
        try:
            self._key = self._record.cursor()
        except Unavailable as error:
            self._unreadable(error)
            return
        if not self._key:
            self._key = self._made.wall_ns // 1_000_000
            self._sources.writer.advance(self.name, self._key)

    def known(self) -> tuple[str, Moment | None, dict[str, int]]:
        """For any thread: the sink's name, when the platform last answered, what came in and was dropped, by why."""
        dropped = {why: count for why, count in list(self.counts.items()) if why not in _NO_FAULTS}
        return self.name, self.proven, dropped

    # ---- the connection ------------------------------------------------------------------------------------------

    def _connect(self, stop: threading.Event) -> None:
        """One connection, from opening to its end."""
        link = self.link
        try:
            password = link.password_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            self._say("refused", say("the password file cannot be read: {error}", error=type(error).__name__))
            return
        if PASSWORD.fullmatch(password) is None:
            self._say("refused", say("a password of HJ 212 has 1 to 6 characters, no blank and no semicolon"))
            return
        if self._state != "unreachable":
            self._say("connecting", "")
        try:
            with socket.create_connection((link.host, link.port), timeout=CONNECT_S) as line:
                line.settimeout(SEND_S)
                self._converse(line, password, stop)
        except UnicodeError:  # a host that is no name
            self._say("unreachable", say("no connection to {host}: {error}", host=link.host, error="?"))
        except OSError as error:
            if not stop.is_set():
                why = say("no connection to {host}: {error}", host=link.host, error=_words(error))
                self._say("unreachable", why)

    def _converse(self, line: socket.socket, password: str, stop: threading.Event) -> None:
        file = TermsFile(self._sources.state, self.link, password)
        conduct = Conduct(file.read(), self.link.may_set, self._locked, file.write)
        parley = Parley(self.link.party, conduct, self._stamps, self._settings, self.now(), self.counts)
        talk = Talk(self, parley)
        pace = _Pace(READ_BURST, time.monotonic())
        while not stop.is_set() and talk.dead is None:
            allowed = pace.allowed(time.monotonic())
            if allowed <= 0:
                stop.wait(TURN_S)
            elif select.select([line], [], [], 0.0 if talk.hurried else TURN_S)[0]:
                data = line.recv(min(4096, allowed))
                if not data:
                    self._say("unreachable", say("the platform has closed the connection"))
                    return
                pace.left -= len(data)
                talk.take(parley.receive(data, self.now()))
            now = self.now()
            talk.take(parley.tick(now))
            if talk.dead is None:
                talk.offer(now)
            while parley.out:
                line.sendall(parley.out.popleft())
            if not self.link.answers:
                talk.taken(_unconfirmed(line), self.now())
        if talk.dead is not None:
            self._say("unreachable", say("the platform does not answer {cn}", cn=talk.dead.cn))

    def now(self) -> Moment:
        """The clock in use, with the real monotonic time: a platform's time-outs are real seconds."""
        return replace(self._clock.now(), mono_ns=time.monotonic_ns())

    def _say(self, state: str, detail: str) -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            log.info("event=sink sink=%s state=%s detail=%r", self.name, state, detail)
            self._tell(SinkState(self.name, state, detail, self._clock.now()))  # type: ignore[arg-type]

    # ---- what comes of it ----------------------------------------------------------------------------------------

    def heard(self) -> None:
        """A good frame of the platform's: it is there, and knows us. That it asks does not prove that it takes."""
        if self._in_doubt:
            return
        self._say("connected", "" if self.link.answers else say("it gives no answers: what its machine took counts"))

    def asks(self, cn: str) -> bool:
        """Whether a message shall be answered."""
        return self.link.answers and self._answering.asks(cn)

    def prove(self, upload: Upload) -> None:
        self.proven = self._clock.now()
        self._answering.answered(upload.cn)
        self._in_doubt = False
        self.heard()
        if upload.cn == "2081":
            self._start_told = True
        if upload.key:
            self._key = upload.key
            self._sources.writer.advance(self.name, upload.key)

    def unanswered(self, upload: Upload) -> None:
        """Some platforms know neither 2081 nor 1013: asked once a run, then the data goes without."""
        self._answering.silent(upload.cn)
        self._in_doubt = True
        if upload.cn in ("2081", "1013"):
            self._refused_once.add(upload.cn)

    def record(self, told: Told) -> None:
        self._tell(RemoteSetting(self.name, told.what, told.done, self._clock.now()))

    # ---- what is due ---------------------------------------------------------------------------------------------

    def start_up(self, now: Moment) -> Upload | None:
        """2081, once a run: when the gateway started."""
        if self._start_told or "2081" in self._refused_once:
            return None
        zone = self.link.party.zone
        first = ("DataTime", stamp(now.wall_ns // NANO, zone))
        restart = ("RestartTime", stamp(self._started.wall_ns // NANO, zone))
        return Upload("2081", self.link.systems[0], (first,), ((restart,),))

    def clock_wish(self, now: Moment) -> Upload | None:
        """1013, where nobody sets our clock: the platform then tells its time, which is recorded."""
        if now.clock is ClockState.SYNCHRONISED or "1013" in self._refused_once:
            return None
        self._refused_once.add("1013")
        return Upload("1013", self.link.systems[0], ())

    def realtime(self, now: Moment) -> list[Upload]:
        try:
            return self._record.values(now)
        except Unavailable as error:
            self._unreadable(error)
            return []

    def _unreadable(self, error: Unavailable) -> None:
        log.debug("event=journal-unreadable sink=%s error=%r", self.name, str(error))

    def stored(self, minute: Mapping[str, int], now: Moment) -> Upload | None:
        """The oldest file that is not proven; None when there is none, or none was found in this turn."""
        now_s = now.wall_ns / NANO
        if self._key is None:
            return None
        self._key = key = self._bounded(self._key, now_s)
        seen = 0
        try:
            for file in files_after(key, self._settled_s(now), minute, self.link.party.zone):
                upload = self._record.file(file)
                if upload is not None:
                    late = now_s - file.end_s > LATE_S
                    return replace(upload, resent=late)
                self._key = file.key
                seen += 1
                if seen == AT_ONCE:
                    break
        except Unavailable as error:
            self._unreadable(error)
        return None

    def _settled_s(self, now: Moment) -> float:
        """Up to when the record is whole: a writer that hangs with its card has the last minutes still before it."""
        sealed = self._sources.writer.sealed
        if sealed is None:
            return 0.0
        return min(now.wall_ns / NANO - SETTLED_S, sealed.wall_ns / NANO - CLOSED_S)

    def _bounded(self, key: int, now_s: float) -> int:
        if key / 1000 > now_s:  # The clock was set back. What was proven since, or comes once more, nobody knows.
            log.warning("event=cursor-in-the-future sink=%s", self.name)
            key = (int(now_s) - DOUBT_S) * 1000
        return max(key, round(now_s - OLDEST_S) * 1000)

    def asked(self, asked: Asked, minute: Mapping[str, int], now: Moment) -> Iterator[Upload | None]:
        """The stored files that a platform asks for; None for one of whose time there is nothing."""
        request = asked.request
        until_s = self._settled_s(now)
        found = self._record.files(request.cn, request.st, asked.begin_s, asked.end_s, minute[request.st], until_s)
        for upload in found:
            yield None if upload is None else replace(upload, key=0, answered=False, resent=True)


def _unconfirmed(line: socket.socket) -> int:
    """Bytes that the machine at the other end has not confirmed to ours."""
    return int(struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)))[0])


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
