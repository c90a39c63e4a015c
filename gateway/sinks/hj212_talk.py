"""What is said on one connection to a platform, and in which order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Protocol

from gateway.errors import Unavailable
from gateway.hj212.link import Link
from gateway.hj212.parley import ANSWERS, Dead, Outcome, Parley, Proven
from gateway.hj212.requests import Asked, Told
from gateway.hj212.uploads import REALTIME, Upload
from gateway.moment import NANO, Moment

AT_ONCE = 20  # files looked at in one turn
LOOK_EVERY_S = 1.0  # for a file that has fallen due
HEARTBEAT = "9015"
TWICE = 2


class Answering:
    """Which messages this platform leaves without an answer.

    The standard takes a link that gives no answer for unusable, so it is begun anew; and many platforms answer files
    but no real-time values. What carries no file must hold none up: once unanswered it is sent without asking for an
    answer until something else is answered, and after a second time for good.
    """

    def __init__(self) -> None:
        self._failed: Counter[str] = Counter()
        self._waiting: set[str] = set()  # until something else is answered

    def asks(self, cn: str) -> bool:
        return cn not in self._waiting

    def silent(self, cn: str) -> None:
        if cn in (REALTIME, HEARTBEAT):
            self._failed[cn] += 1
            self._waiting.add(cn)

    def answered(self, cn: str) -> None:
        del self._failed[cn]
        self._waiting = {other for other in self._waiting if self._failed[other] >= TWICE}


class Holder(Protocol):
    """Who holds the conversation (`hj212.py`): what there is to be said, and what becomes of what was said."""

    link: Link

    def now(self) -> Moment: ...
    def heard(self) -> None: ...
    def asks(self, cn: str) -> bool: ...
    def prove(self, upload: Upload) -> None: ...
    def unanswered(self, upload: Upload) -> None: ...
    def record(self, told: Told) -> None: ...
    def start_up(self, now: Moment) -> Upload | None: ...
    def clock_wish(self, now: Moment) -> Upload | None: ...
    def realtime(self, now: Moment) -> list[Upload]: ...
    def stored(self, minute: Mapping[str, int], now: Moment) -> Upload | None: ...
    def asked(self, asked: Asked, minute: Mapping[str, int], now: Moment) -> Iterator[Upload | None]: ...


class Talk:
    """What one connection has done so far, and what is to be said next."""

    def __init__(self, sink: Holder, parley: Parley) -> None:
        self._sink, self._parley = sink, parley
        self.dead: Upload | None = None  # what it would not answer: the connection is to be begun anew
        self.hurried = False  # there is more to be said at once
        self._slot: int | None = None  # of real-time values: interval of the wall clock
        self._now_values: list[Upload] = []
        self._asked: tuple[Asked, Iterator[Upload | None]] | None = None
        self._sent = 0
        self._beat: Moment | None = None
        self._looked: Moment | None = None  # for files
        self._sought: Moment | None = None  # for real-time values
        self._unasked: deque[tuple[Upload, Moment]] = deque()  # sent to a platform that answers nothing

    def take(self, outcomes: Iterator[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Proven(upload):
                    self._sink.prove(upload)
                    self._looked = None
                case Dead(upload):
                    self._sink.unanswered(upload)
                    self.dead = upload
                case Asked():
                    files = self._sink.asked(outcome, self._parley.conduct.terms.minute, self._sink.now())
                    self._asked, self._sent = (outcome, files), 0
                case Told():
                    self._sink.record(outcome)
        if self._parley.heard is not None:
            self._sink.heard()

    def offer(self, now: Moment) -> None:
        """Give the parley what is to be said next, if its last message is answered."""
        if self._asked is not None:
            self._answer(*self._asked)
        self.hurried = self._asked is not None
        if self._parley.idle and not self._unasked and (upload := self._next(now)) is not None:
            upload = replace(upload, answered=self._sink.asks(upload.cn))
            self._parley.offer(upload, now)
            if not self._sink.link.answers:
                self._unasked.append((upload, now))

    def taken(self, waiting_bytes: int, now: Moment) -> None:
        """`waiting_bytes`: not confirmed by the platform's machine. All of it: proof, of one that answers none."""
        terms = self._parley.conduct.terms
        if not self._unasked:
            return
        upload, sent = self._unasked[0]
        if not waiting_bytes:
            self._unasked.popleft()
            self._sink.prove(upload)
            self._looked, self.hurried = None, True
        elif now.seconds_since(sent) > terms.over_time_s * (1 + terms.re_count):
            self.dead = upload

    def _answer(self, asked: Asked, files: Iterator[Upload | None]) -> None:
        """Some of the stored files that were asked for; they want no answer each."""
        whole = True
        try:
            batch = list(islice(files, AT_ONCE))
        except Unavailable:
            batch, whole = [], False
        for upload in batch:
            if upload is not None:
                self._parley.offer(upload, self._sink.now())
                self._sent += 1
        if len(batch) < AT_ONCE:
            self._parley.finish(asked, self._sent, whole=whole)
            self._asked = None

    def _next(self, now: Moment) -> Upload | None:
        first = self._sink.start_up(now) or self._sink.clock_wish(now)
        if first is not None:
            return first
        self._look_at_values(now)
        if self._now_values:
            return self._now_values.pop(0)
        return self._stored(now) or self._heartbeat(now)

    def _look_at_values(self, now: Moment) -> None:
        """Real-time values once an interval of the wall clock; without any they are looked for again soon."""
        terms = self._parley.conduct.terms
        slot = now.wall_ns // NANO // terms.realtime_s
        if not terms.realtime or slot == self._slot or self._soon(self._sought, now):
            return
        self._sought = now
        self._now_values = self._sink.realtime(now)
        if self._now_values:
            self._slot = slot

    def _heartbeat(self, now: Moment) -> Upload | None:
        every_s = self._sink.link.heartbeat_s
        if every_s is None or (self._beat is not None and now.seconds_since(self._beat) < every_s):
            return None
        self._beat = now
        return Upload(HEARTBEAT, ANSWERS, ())

    @staticmethod
    def _soon(last: Moment | None, now: Moment) -> bool:
        return last is not None and now.seconds_since(last) < LOOK_EVERY_S

    def _stored(self, now: Moment) -> Upload | None:
        if self._soon(self._looked, now):
            return None
        self._looked = now
        return self._sink.stored(self._parley.conduct.terms.minute, now)
