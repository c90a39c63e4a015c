"""One device as its source sees it: coming up, asked in turn, lost, and how well it is heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.base import Driver, Measurement, Read
from drivers.errors import BadChecksum, BadFrame, DeviceFault, NotReady
from drivers.frames import Scanner
from gateway.moment import Moment
from gateway.sources.exchange import Confused, Exchange
from gateway.sources.link import Link
from gateway.sources.marking import Marking
from gateway.values import LineHealth

FULL_TRY_EVERY = 4  # of the tries at a dead unit, and always the second: the full timeout, for a slow one
SHORT_TRY_S = 0.3  # for one that never answered; else three times its slowest answer
SHORTEST_TRY_S = 0.1
TRUE_ONE_S = 0.005
# "Not ready" so often in a row is a failure. What answers so often that it cannot may have lost its settings in a dip
# of its supply too short for a missed answer: it is started and warmed up again.
PATIENCE = 10


class WrongDevice(DeviceFault):
    """A unit answers, and it is another one than it should be: adapters or addresses were swapped."""


def _nobody(_identity: str) -> None:
    """Nobody remembers it."""


@dataclass(frozen=True, slots=True)
class BoundDevice:
    """A device of the configuration with its driver at its address."""

    name: str
    driver: Driver
    every_s: float
    identity: str | None = None  # what it must call itself, where its driver can ask
    met: Callable[[str], None] = _nobody  # told, by the source's thread, what it calls itself each time it comes up


class Unit:
    """Owned by the thread of its source. `ask` and `hear` raise DeviceError and PortError (and a driver's own bugs)."""

    def __init__(self, bound: BoundDevice) -> None:
        self.name = bound.name
        self.driver = bound.driver
        self.every_s = max(bound.every_s, bound.driver.every_s)
        self.marking = Marking(bound.name, bound.driver)
        self.talks = len(bound.driver.reads) == 1 and not bound.driver.reads[0].send
        self.bug_logged = False  # a driver's bug is logged once, with its traceback
        self._identity = bound.identity
        self._met = bound.met
        self.up = False
        self._replies: list[bytes] = []
        self._unable = 0  # answers in a row that it cannot, or has nothing
        self._slowest_s: float | None = None
        self._latency_s: float | None = None
        self._clear_health()

    def late_s(self, error: Exception) -> float:
        """How long after a failure (real seconds) its late answer may still come. Where several answers of a device
        look alike, a late one must be out of the way for certain before the next question.
        """
        if isinstance(error, BadChecksum | Confused):
            return 0.0  # it came
        longest = max(read.timeout_s for read in self.driver.reads)
        return longest * (3 if sum(read.answered for read in self.driver.reads) > 1 else 1)

    def timeout_s(self, failures: int) -> float | None:
        """One that is dead, or was never heard, is tried shortly, so that it costs the others little; None: in full."""
        first = failures == 0 and self._slowest_s is None
        if not first and (failures < 2 or failures % FULL_TRY_EVERY == 0):
            return None
        short_s = SHORT_TRY_S if self._slowest_s is None else max(SHORTEST_TRY_S, 3 * self._slowest_s)
        return min(short_s, self.driver.reads[0].timeout_s)

    def ask(self, exchange: Exchange, timeout_s: float | None) -> list[Measurement] | None:
        """What the unit says, or None when it has more questions of this turn."""
        self._come_up(exchange, timeout_s)
        reads = self.driver.reads
        if self._replies:
            self._nothing_stray(exchange)
        while len(self._replies) < len(reads):
            read = reads[len(self._replies)]
            self._replies.append(self._exchange(exchange, read, timeout_s))
            if read.answered:
                self._wait_out(exchange)
                break
        if len(self._replies) < len(reads):
            return None
        if len(reads) > 1:
            self._nothing_stray(exchange)
        replies, self._replies = tuple(self._replies), []
        found = self.driver.decode(replies)
        self._unable = 0
        return found

    def hear(self, exchange: Exchange, link: Link, scanner: Scanner, slice_s: float) -> bytes | None:
        """The newest whole frame of a unit that talks by itself."""
        self._come_up(exchange, None)
        frames = scanner.feed(link.read(slice_s))
        self._asked += len(frames)
        self._answered += len(frames)
        return frames[-1] if frames else None

    def lost(self) -> None:
        """It is away: when it comes back it is started, identified and warmed up again."""
        self.up = False
        self._replies = []
        self.marking.lost()

    def failed(self, error: Exception) -> bool:
        """Counts it; False when it is not worth telling: not ready yet, as usual."""
        self._replies = []
        if isinstance(error, NotReady | DeviceFault):
            self._unable += 1
            if self._unable % PATIENCE == 0:
                self.lost()
            elif isinstance(error, NotReady):
                return False
        self._damaged += isinstance(error, BadChecksum)
        self._strange += isinstance(error, BadFrame) and not isinstance(error, BadChecksum)
        self._silent += not isinstance(error, BadFrame | DeviceFault | NotReady)
        return True

    def health(self, bus: str, echo: bool | None, at: Moment) -> LineHealth:
        """Since it was last asked for."""
        counted = (self._asked, self._answered, self._silent, self._damaged, self._strange, self._latency_s)
        self._clear_health()
        return LineHealth(bus, self.name, *counted, echo, at)

    def _come_up(self, exchange: Exchange, timeout_s: float | None) -> None:
        if self.up:
            return
        for read in self.driver.start:
            self._exchange(exchange, read, timeout_s)
        if self.driver.identity and self.driver.identify:
            identity, identify = self.driver.identity, self.driver.identify
            self._identity = same_unit(self._identity, lambda: identify(self._exchange(exchange, identity, timeout_s)))
            self._met(self._identity)
        self.up = True

    def _wait_out(self, exchange: Exchange) -> None:
        """An answer that came sooner than usual may be a stray one, with the true one on its way. Where the answers of
        a device can be mistaken for each other, that is waited for.
        """
        if len(self.driver.reads) > 1:
            exchange.stray = b""
            exchange.listen(TRUE_ONE_S + (self._slowest_s or 0.0) - exchange.latency_s)

    def _nothing_stray(self, exchange: Exchange) -> None:
        """Since the last answer no other has come that could have been it."""
        stray, exchange.stray = exchange.stray, b""
        for read in self.driver.reads:
            if Scanner(read.frame).feed(stray):
                raise Confused("an answer came that nobody had asked for")

    def _exchange(self, exchange: Exchange, read: Read, timeout_s: float | None) -> bytes:
        self._asked += read.answered
        reply = exchange.ask(read, timeout_s)
        if read.answered:
            self._answered += 1
            self._latency_s = max(self._latency_s or 0.0, exchange.latency_s)
            self._slowest_s = max((self._slowest_s or 0.0) * 0.98, exchange.latency_s)
        return reply

    def _clear_health(self) -> None:
        self._asked = self._answered = self._silent = self._damaged = self._strange = 0
        self._latency_s = None


def same_unit(known: str | None, ask: Callable[[], str]) -> str:
    """The unit's identity: not said in the configuration, what it was first must stay. Raises WrongDevice.

    Asked a second time before anything else than the known one counts: not every frame has a strong check.
    """
    seen = ask()
    if seen == known:
        return seen
    if ask() != seen:
        raise BadFrame(f"its identity was {seen!r}, and then another one")
    if known is not None:
        raise WrongDevice(
            f"this is {seen!r}, and should be {known!r}: were adapters swapped? "
            f'If it was replaced on purpose, write identity = "{seen}" in its table'
        )
    return seen
