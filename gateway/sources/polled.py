"""One thread a device that has a port of its own and is no serial line: asked every so often, told like the others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from drivers.base import Measurement
from drivers.errors import DeviceError, DeviceFault, NotReady
from gateway.catalogue import say, sentence
from gateway.moment import NANO, Clock
from gateway.sources.link import PortError
from gateway.sources.loans import Loan, Loans
from gateway.sources.marking import Marking
from gateway.sources.transports import SLICE_S, Transport
from gateway.sources.unit import PATIENCE, BoundDevice, same_unit
from gateway.values import BusState, Lost
from gateway.worker import contained

log = logging.getLogger(__name__)

REOPEN_S = 1.0
AWAY_AFTER = 2  # failures in a row after which it counts as away, and is started and warmed up again


class PolledDevice:
    """`open_port` gives the way to the device at `port`, or raises PortError; `run` owns it.

    `lend` and `give_back` may be called from any thread.
    """

    def __init__(
        self,
        bound: BoundDevice,
        open_port: Callable[[], Transport],
        tell: Callable[[object], None],
        clock: Clock,
        port: str = "",
    ) -> None:
        self.name = bound.name
        self.port = port
        self._loans = Loans()
        self._driver = bound.driver
        self._every_s = max(bound.every_s, bound.driver.every_s)
        self._open_port = open_port
        self._tell = tell
        self._clock = clock
        self._marking = Marking(bound.name, bound.driver)
        self._state: str | None = "not yet opened"
        self._up = False
        self._failures = 0
        self._unable = 0  # answers in a row that it cannot, or has nothing
        self._identity = bound.identity
        self._met = bound.met
        self._bug_logged = False

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. The port's troubles are told and outlived; only a bug is raised."""
        while not stop.is_set():
            if self._loans.serve(stop, self._lent):
                continue
            transport: Transport | None = None
            try:
                transport = self._open_port()
                self._serve(transport, stop)
            except PortError as error:
                self._port_state(sentence(error))
                self._away()
            finally:
                if transport is not None:
                    transport.close()
            self._wait(stop, self._now() + REOPEN_S)

    def lend(self, loan: Loan) -> None:
        """Closes the port so that another program may use it."""
        self._loans.lend(loan)

    def give_back(self) -> None:
        """Ends a loan before its time."""
        self._loans.give_back()

    def _serve(self, transport: Transport, stop: threading.Event) -> None:
        due = self._now()
        while not stop.is_set() and not self._loans.waiting:
            outcome = contained(partial(self._ask, transport, stop))
            if isinstance(outcome, PortError):
                raise outcome
            if stop.is_set():
                return
            self._port_state(None)
            if isinstance(outcome, Exception):
                self._failed(outcome)
            else:
                self._failures = self._unable = 0
                self._tell(self._marking.mark(outcome, self._clock.now()))
            due = max(due + self._every_s, self._now())
            self._wait(stop, due)

    def _ask(self, transport: Transport, stop: threading.Event) -> list[Measurement]:
        if not self._up:
            for read in self._driver.start:
                transport.ask(read, stop)
            if self._driver.identity and self._driver.identify:
                identity, identify = self._driver.identity, self._driver.identify
                self._identity = same_unit(self._identity, lambda: identify(transport.ask(identity, stop)))
                self._met(self._identity)
            self._up = True
        return self._driver.decode(tuple(transport.ask(read, stop) for read in self._driver.reads))

    def _failed(self, error: Exception) -> None:
        if isinstance(error, NotReady | DeviceFault):  # it is there, and has nothing new: as usual, but not for ever
            self._unable += 1
            if self._unable % PATIENCE == 0:
                self._away()
            elif isinstance(error, NotReady):
                return
        else:
            self._failures += 1
            if self._failures >= AWAY_AFTER:
                self._away()
        if not isinstance(error, DeviceError) and not self._bug_logged:
            self._bug_logged = True
            log.error("event=driver-bug device=%s driver=%s", self.name, self._driver.name, exc_info=error)
        self._tell(Lost(self.name, type(error).__name__, str(error), self._clock.now()))

    def _away(self) -> None:
        self._up = False
        self._marking.lost()

    def _lent(self, loan: Loan) -> None:
        self._away()
        self._port_state(say("port {port} is lent to {who}", port=self.port, who=loan.who), lent=True)

    def _port_state(self, error: str | None, *, lent: bool = False) -> None:
        if error == self._state:
            return
        self._state = error
        log.log(
            logging.WARNING if error else logging.INFO,
            "event=%s device=%s error=%r",
            "port-lent" if lent else "port-failed" if error else "port-open",
            self.name,
            error,
        )
        self._tell(BusState(self.name, (self.name,), error, self._clock.now(), lent))

    def _now(self) -> float:
        return self._clock.now().mono_ns / NANO

    def _wait(self, stop: threading.Event, until: float) -> None:
        while not stop.is_set() and not self._loans.waiting and (left_s := until - self._now()) > 0:
            stop.wait(min(self._clock.pause(left_s), SLICE_S))
