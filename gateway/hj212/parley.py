"""One conversation with a platform, from connecting to the end of the connection. Pure: bytes and moments in.

    we send        the platform answers     a request of the platform         we answer
    2011 2051 ...  9014, same QN            1000 1011 1012 1061 ... 2051      9011 (QnRtn), what is asked, 9012 (ExeRtn)
    1013 9015      9013                     2012                              9013

One message of ours is on its way at a time. Without an answer within OverTime the same bytes are sent again, ReCount
times; then the link is of no use and is begun anew. Every byte that comes in is hostile: a frame that is not right is
dropped and counted, a request that is not right is answered with what is wrong (QnRtn) and changes nothing.
"""

from __future__ import annotations

import hmac
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from gateway.hj212.editions import Edition, edition_of
from gateway.hj212.frame import MOST_SEGMENT, Damaged, Dialect, Splitter, wrap
from gateway.hj212.requests import (
    BUSY,
    EXECUTED,
    FAILED,
    NO_DATA,
    READY,
    REFUSED,
    SETTINGS,
    Answer,
    Asked,
    Conduct,
    Told,
    carry_out,
)
from gateway.hj212.segment import MOST_CP, REFUSALS, BadSegment, Item, Packets, Segment, encode, parse, parts, single
from gateway.hj212.uploads import Upload
from gateway.moment import NANO, ClockState, Moment

ANSWERS = "91"  # ST of every answer
HALF_FRAME_S = 10.0  # half a frame and silence: the rest will not come
SKEW_S = 3600.0  # a request's QN may be so far from our own clock, when that is synchronised
REQUESTS_S, BURST = 5.0, 20.0  # requests answered a second, and at once; more are dropped
REMEMBERED = 64  # requests whose answers are given again, and not carried out again


@dataclass(frozen=True, slots=True)
class Party:
    """Who speaks to whom, and how."""

    edition: Edition
    dialect: Dialect
    mn: str
    systems: frozenset[str]  # the ST of what is sent, which requests must name
    zone: tzinfo


class Stamps:
    """QNs: the venue's time to the millisecond, always rising, whatever is done to the clock."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone, self._last_ms = zone, 0

    def next(self, now: Moment) -> str:
        self._last_ms = max(self._last_ms + 1, now.wall_ns // 1_000_000)
        at = datetime.fromtimestamp(self._last_ms // 1000, self._zone)
        return f"{at:%Y%m%d%H%M%S}{self._last_ms % 1000:03d}"


# ---- what comes of it -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proven:
    """The platform has answered this message of ours."""

    upload: Upload


@dataclass(frozen=True, slots=True)
class Dead:
    """It answers nothing: the connection is to be begun anew. `upload`: what it would not answer."""

    upload: Upload


Outcome = Proven | Dead | Asked | Told


@dataclass(slots=True)
class _Flight:
    """A message of ours on its way: its packets, of which the first is awaited."""

    upload: Upload
    packets: deque[tuple[str, bytes]]  # QN and frame
    sent: Moment
    tries: int = 0


class Allowance:
    """So many a second, and so many at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left = burst
        self._at: Moment | None = None

    def take(self, now: Moment, cost: float = 1.0) -> bool:
        passed_s = now.seconds_since(self._at) if self._at is not None else 0.0
        self._left, self._at = min(self._burst, self._left + self._rate * max(0.0, passed_s)), now
        if self._left < cost:
            return False
        self._left -= cost
        return True


@dataclass(slots=True)
class Parley:
    """Owned by one sink's thread. `out` are the frames to be sent; `counts` what was dropped, and why."""

    party: Party
    conduct: Conduct
    stamps: Stamps
    settings: Allowance
    began: Moment
    counts: Counter[str] = field(default_factory=Counter)
    out: deque[bytes] = field(default_factory=deque)
    heard: Moment | None = None  # the last good answer or request of the platform
    _splitter: Splitter = field(default_factory=Splitter)
    _part: Moment | None = None
    _flight: _Flight | None = None
    _answered: OrderedDict[tuple[str, str], list[bytes]] = field(default_factory=OrderedDict)
    _allowance: Allowance = field(init=False)
    _history: str | None = None  # QN of the request that is being answered with stored files

    def __post_init__(self) -> None:
        self._allowance = Allowance(REQUESTS_S, BURST)

    # ---- ours ----------------------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether another message may be offered."""
        return self._flight is None

    def offer(self, upload: Upload, now: Moment) -> None:
        """Send a message; it is on its way until it is answered. One that wants no answer is gone at once."""
        packets = deque(self._packets(upload, now))
        if not upload.answered:
            self.out.extend(frame for _, frame in packets)
            return
        self._flight = _Flight(upload, packets, now)
        self.out.append(packets[0][1])

    def _packets(self, upload: Upload, now: Moment) -> Iterator[tuple[str, bytes]]:
        mark: tuple[Item, ...] = ((("RF", "1"),),) if upload.resent and self.party.edition.resent_mark else ()
        contents = parts(upload.first, (*mark, *upload.items), self._room(upload)) if upload.first else [()]
        flag = self.party.edition.flag(answer=upload.answered, packets=len(contents) > 1)
        for number, items in enumerate(contents, 1):
            packets = Packets(len(contents), number) if len(contents) > 1 else None
            qn = self.stamps.next(now)
            yield qn, self._frame(Segment(qn, upload.st, upload.cn, self._pw, self.party.mn, flag, items, packets))

    def _room(self, upload: Upload) -> int:
        """Characters of CP for which a segment with its head stays within its own limit (ASCII alone is sent)."""
        widest = Packets(99, 99)
        empty = Segment("0" * 17, upload.st, upload.cn, self._pw, self.party.mn, 255, (), widest)
        return min(MOST_CP, MOST_SEGMENT - len(encode(empty)))

    def _frame(self, segment: Segment) -> bytes:
        return wrap(encode(segment), self.party.dialect)

    @property
    def _pw(self) -> str:
        return self.conduct.terms.password

    def tick(self, now: Moment) -> Iterator[Outcome]:
        """What time brings: sent again, given up, half a frame forgotten."""
        if self._part is not None and now.seconds_since(self._part) > HALF_FRAME_S:
            self._splitter.forget()
            self._part = None
            self.counts["half"] += 1
        flight, terms = self._flight, self.conduct.terms
        if flight is None or now.seconds_since(flight.sent) < terms.over_time_s:
            return
        if flight.tries >= terms.re_count:
            self._flight = None
            yield Dead(flight.upload)
            return
        flight.tries += 1
        flight.sent = now
        self.counts["again"] += 1
        self.out.append(flight.packets[0][1])

    # ---- theirs --------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: Moment) -> Iterator[Outcome]:
        for found in self._splitter.feed(data):
            self._part = None
            if isinstance(found, Damaged):
                self.counts[found.damage] += 1
                continue
            self.counts[f"crc-{found.dialect}"] += 1
            try:
                segment = parse(found.segment)
            except BadSegment:
                self.counts["segment"] += 1
                continue
            yield from self._take(segment, now)
        self._part = (self._part or now) if self._splitter.waiting else None

    def _take(self, segment: Segment, now: Moment) -> Iterator[Outcome]:
        if segment.st == ANSWERS and segment.cn in ("9013", "9014"):
            yield from self._answer(segment, now)
        elif self._allowance.take(now):
            yield from self._request(segment, now)
        else:
            self.counts["flood"] += 1

    def _answer(self, segment: Segment, now: Moment) -> Iterator[Outcome]:
        """9013 or 9014: it proves the message on its way when QN, MN and password are that message's."""
        flight = self._flight
        wrong = self._wrong_party(segment)
        if wrong:
            self.counts[f"answer-{wrong}"] += 1
            return
        expected = "9013" if flight is not None and flight.upload.cn in ("1013", "9015") else "9014"
        if flight is None or segment.exchange != flight.packets[0][0] or segment.cn != expected:
            self.counts["stray"] += 1
            return
        self.heard = now
        flight.packets.popleft()
        if flight.packets:
            flight.sent, flight.tries = now, 0
            self.out.append(flight.packets[0][1])
            return
        self._flight = None
        yield Proven(flight.upload)

    def _wrong_party(self, segment: Segment) -> str:
        """The field that is not of this link; empty when all is right."""
        if segment.mn != self.party.mn:
            return "MN"
        if not hmac.compare_digest(segment.pw.encode(), self._pw.encode()):
            return "PW"
        return "" if edition_of(segment.flag) is not None else "Flag"

    def _request(self, segment: Segment, now: Moment) -> Iterator[Outcome]:
        qn = segment.exchange or ""
        wrong = self._wrong_party(segment) or self._wrong_request(segment, qn, now)
        if wrong:
            self.counts[f"request-{wrong}"] += 1
            self._allowance.take(now, 4.0)  # guessing is slow
            self.out.extend(self._replies(segment, qn, [Answer("9011", (("QnRtn", str(REFUSALS[wrong])),))]))
            return
        self.heard = now
        before = self._answered.get((qn, segment.cn))
        if before is not None:  # it did not hear our answer: that is given again, and nothing is done again
            self.counts["repeated"] += 1
            self.out.extend(before)
            return
        if segment.cn in SETTINGS and not self.settings.take(now):
            self.counts["settings"] += 1
            answers: list[Answer] = [Answer("9011", (("QnRtn", REFUSED),))]
            outcomes: list[Asked | Told] = []
        elif self._history is not None and segment.value("BeginTime"):
            answers = [Answer("9011", (("QnRtn", READY),)), Answer("9012", (("ExeRtn", BUSY),))]
            outcomes = []
        else:
            answers, outcomes = carry_out(segment, self.conduct, self.party.zone, now)
        self._remember(segment, qn, self._replies(segment, qn, answers))
        for outcome in outcomes:
            if isinstance(outcome, Asked):
                self._history = qn
            yield outcome

    def _wrong_request(self, segment: Segment, qn: str, now: Moment) -> str:
        if segment.st not in self.party.systems:
            return "ST"
        if segment.cn not in self.party.edition.commands or segment.packets is not None:
            return "CN"
        if now.clock is ClockState.SYNCHRONISED and abs(_seconds(qn, self.party.zone) - now.wall_ns / NANO) > SKEW_S:
            return "QN"
        return ""

    def _replies(self, request: Segment, qn: str, answers: Iterable[Answer]) -> list[bytes]:
        """With the request's QN and password; what is asked for alone when the request wants no answer."""
        wanted = [answer for answer in answers if request.wants_answer or not answer.cn.startswith("9")]
        return [self._answer_frame(answer, request, qn) for answer in wanted]

    def _remember(self, request: Segment, qn: str, frames: list[bytes]) -> None:
        """For a proven request only: else a stranger could answer the platform's next one beforehand."""
        self._answered.setdefault((qn, request.cn), []).extend(frames)
        while len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        self.out.extend(frames)

    def _answer_frame(self, answer: Answer, request: Segment, qn: str) -> bytes:
        """Answers are ST 91; what was asked for comes under its own system."""
        edition = self.party.edition
        inside = edition.answers_name_qn_inside and answer.cn.startswith("9")
        items = single([("QN", qn), *answer.items] if inside else answer.items)
        st = ANSWERS if answer.cn.startswith("9") else request.st
        flag = edition.flag(answer=False)
        return self._frame(Segment(None if inside else qn, st, answer.cn, request.pw, self.party.mn, flag, items))

    # ---- stored files on request ---------------------------------------------------------------------------------

    def finish(self, asked: Asked, sent: int, *, whole: bool = True) -> None:
        """What was asked for has been sent: `sent` messages; not `whole`: the record could not be read to the end."""
        if self._history == asked.request.exchange:
            self._history = None
        qn = asked.request.exchange or ""
        result = (EXECUTED if sent else NO_DATA) if whole else FAILED
        answer = Answer("9012", (("ExeRtn", result),))
        self._remember(asked.request, qn, self._replies(asked.request, qn, [answer]))


def _seconds(qn: str, zone: tzinfo) -> float:
    try:
        return datetime.strptime(qn[:14], "%Y%m%d%H%M%S").replace(tzinfo=zone).timestamp()
    except ValueError:  # 31 February
        return float("inf")
