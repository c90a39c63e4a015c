"""One thread a serial port: asks every device on it in turn, or listens to one that talks by itself.

    open --PortError--> told once, tried again every second; one that failed is back when it has been open for a second
      |
      +-- polled: Planner says who is next, Exchange asks, the driver decodes, Marking judges --> Readings or Lost
      +-- talking: every frame that is due --> Readings; nothing in time --> Lost, and its start commands once more

The port is closed and opened again by itself when two answers in a row are strange, and when everybody is silent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from drivers.errors import BadChecksum, BadFrame, DeviceError, DeviceFault, NotReady, Timeout
from drivers.frames import Scanner
from gateway.catalogue import say, sentence
from gateway.configuration import config
from gateway.moment import NANO, Clock
from gateway.nudge import Nudge
from gateway.sources.exchange import SLICE_S, Exchange, Garbled
from gateway.sources.link import Link, PortError
from gateway.sources.loans import Loan, Loans
from gateway.sources.plan import Pace, Planner
from gateway.sources.unit import BoundDevice, Unit
from gateway.values import BusState, Lost
from gateway.worker import LOOK_S, contained, idle_s

__all__ = ["BoundDevice", "SerialBus"]

log = logging.getLogger(__name__)

REOPEN_S = 1.0
PROVEN_S = 1.0  # a serial server that serves somebody else takes the call, and hangs up
HEALTH_S = 60.0
STRANGE_LIMIT = 2  # in a row, before the port is opened afresh
FRESH_S = 10.0  # ... but not more often than this
SILENT_S = 30.0  # everybody silent for so long: open afresh (a wedged adapter, a dead TCP connection)
REST_S = 0.2  # between two questions to one device: cheap transmitters ask for it
_NOT_YET = "not yet opened"


class SerialBus:
    """`run` owns the port. `lend` and `give_back` may be called from any thread."""

    def __init__(
        self,
        name: str,
        config: config.Bus,
        devices: Sequence[BoundDevice],
        tell: Callable[[object], None],
        clock: Clock,
    ) -> None:
        self.name = name
        self._config = config
        self._tell = tell
        self._clock = clock
        self._units = {device.name: Unit(device) for device in devices}
        self._loans = Loans()
        self._nudge = Nudge()
        self._longest_s = LOOK_S
        self._state: str | None = _NOT_YET
        self._opened = 0.0
        self._health_due = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. The port's troubles are told and outlived; only a bug is raised."""
        self._health_due = self._now() + HEALTH_S
        self._longest_s = idle_s(stop, self._nudge.give)
        while not stop.is_set():
            if self._loans.serve(stop, self._lent):
                continue
            try:
                link = Link(self._config, self._nudge)
            except PortError as error:
                self._port_state(sentence(error))
                self._wait(stop, REOPEN_S)
                continue
            try:
                if self._state not in {None, _NOT_YET}:
                    Exchange(link, stop).listen(PROVEN_S)
                self._opened = self._now()
                self._port_state(None)
                self._serve(link, stop)
            except PortError as error:
                self._port_state(sentence(error))
                for unit in self._units.values():
                    unit.lost()
            finally:
                link.close()
            if self._state is not None:
                self._wait(stop, REOPEN_S)

    @property
    def port(self) -> str:
        return self._config.port

    def lend(self, loan: Loan) -> None:
        """Closes the port so that another program may use it."""
        self._loans.lend(loan)
        self._nudge.give()

    def give_back(self) -> None:
        """Ends a loan before its time."""
        self._loans.give_back()
        self._nudge.give()

    # ---- the open port

    def _serve(self, link: Link, stop: threading.Event) -> None:
        units = list(self._units.values())
        if len(units) == 1 and units[0].talks:
            self._listen(units[0], link, Exchange(link, stop, patient=False), stop)
        else:
            self._poll(Exchange(link, stop), stop)

    def _poll(self, exchange: Exchange, stop: threading.Event) -> None:
        turns = ((unit.name, unit.every_s) for unit in self._units.values())
        planner = Planner(turns, self._now(), self._config.gap)
        strange = 0
        while not stop.is_set() and not self._loans.waiting:
            now = self._now()
            self._report_health(exchange, now)
            name, wait_s = planner.next(now)
            if name is None:
                # Listening, not sleeping: an adapter that goes away is seen now, and not at the next question.
                exchange.discard(min(self._clock.pause(wait_s), self._longest_s))
                continue
            error = self._turn(self._units[name], planner, exchange, stop, now)
            strange = strange + 1 if isinstance(error, BadFrame) else 0
            if error is not None:
                open_s = self._now() - self._opened
                if (strange >= STRANGE_LIMIT and open_s > FRESH_S) or (planner.all_dead() and open_s > SILENT_S):
                    return

    def _turn(
        self, unit: Unit, planner: Planner, exchange: Exchange, stop: threading.Event, began: float
    ) -> Exception | None:
        """One question; the error it ended in, if any."""
        timeout_s = unit.timeout_s(planner.failures(unit.name))
        outcome = contained(partial(unit.ask, exchange, timeout_s))
        at = self._clock.now()
        now = at.mono_ns / NANO
        if isinstance(outcome, PortError):
            raise outcome
        if isinstance(outcome, Exception):
            if not stop.is_set():
                self._failed(unit, outcome)
            if isinstance(outcome, DeviceFault | NotReady):
                planner.answered(unit.name, now, REST_S)
            else:
                late_s = self._of_clock(unit.late_s(outcome))
                planner.failed(unit.name, now, now - began, max(REST_S, late_s))
                if planner.dead(unit.name):
                    unit.lost()
            return outcome
        if outcome is None:
            planner.more(unit.name, now, REST_S)
        else:
            planner.answered(unit.name, now, REST_S)
            self._tell(unit.marking.mark(outcome, at))
        return None

    def _listen(self, unit: Unit, link: Link, exchange: Exchange, stop: threading.Event) -> None:
        read = unit.driver.reads[0]
        period_s = max(self._of_clock(read.timeout_s), 2 * unit.every_s)
        scanner = Scanner(read.frame)
        heard = self._now()
        pace = Pace(unit.every_s, heard)
        while not stop.is_set() and not self._loans.waiting:
            self._report_health(exchange, self._now())
            outcome: object = contained(partial(unit.hear, exchange, link, scanner, SLICE_S))
            now = self._now()
            if isinstance(outcome, bytes):
                heard = now
                if not pace.takes(now):
                    continue
                outcome = contained(partial(unit.driver.decode, (outcome,)))
            elif outcome is None and now - heard > period_s:
                outcome = _unheard(scanner, now - heard)
                scanner = Scanner(read.frame)
                heard = now
                unit.lost()
            if isinstance(outcome, PortError):
                raise outcome
            if isinstance(outcome, Exception) and not stop.is_set():
                self._failed(unit, outcome)
                self._wait(stop, REST_S)
                if not unit.up and now - self._opened > SILENT_S:
                    return
            elif isinstance(outcome, list):
                self._tell(unit.marking.mark(outcome, self._clock.now()))

    # ---- telling

    def _failed(self, unit: Unit, error: Exception) -> None:
        if not isinstance(error, DeviceError) and not unit.bug_logged:
            unit.bug_logged = True
            log.error("event=driver-bug device=%s driver=%s", unit.name, unit.driver.name, exc_info=error)
        if unit.failed(error):
            self._tell(Lost(unit.name, type(error).__name__, str(error), self._clock.now()))

    def _lent(self, loan: Loan) -> None:
        for unit in self._units.values():
            unit.lost()  # whoever has the port may give it another address, or plug in another unit
        self._port_state(say("port {port} is lent to {who}", port=self._config.port, who=loan.who), lent=True)

    def _port_state(self, error: str | None, *, lent: bool = False) -> None:
        """Told when it changes; in the words of `error`."""
        if error == self._state:
            return
        if error is None:
            log.info("event=port-open bus=%s port=%s", self.name, self._config.port)
        else:
            log.warning("event=%s bus=%s error=%r", "port-lent" if lent else "port-failed", self.name, error)
        self._state = error
        self._tell(BusState(self.name, tuple(self._units), error, self._clock.now(), lent))

    def _report_health(self, exchange: Exchange, now: float) -> None:
        if now < self._health_due:
            return
        self._health_due = now + HEALTH_S
        at = self._clock.now()
        for unit in self._units.values():
            self._tell(unit.health(self.name, exchange.echo, at))

    # ---- time

    def _now(self) -> float:
        """Seconds of the product's clock."""
        return self._clock.now().mono_ns / NANO

    def _of_clock(self, seconds: float) -> float:
        """How long so many real seconds are by the product's clock."""
        return seconds / self._clock.pause(1.0)

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        deadline = self._now() + seconds
        while not stop.is_set() and not self._loans.waiting and (left_s := deadline - self._now()) > 0:
            stop.wait(min(self._clock.pause(left_s), SLICE_S))


def _unheard(scanner: Scanner, seconds: float) -> DeviceError:
    """Why a device that talks by itself gave no frame."""
    if scanner.bad_checks:
        return BadChecksum(f"{scanner.bad_checks} frames, none with a good check")
    if scanner.dropped:
        return Garbled(f"{scanner.dropped} bytes and no frame: speed, parity, wiring or type is wrong")
    return Timeout(f"nothing heard for {seconds:.0f} s")
