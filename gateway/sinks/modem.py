"""The second path of escalation: short messages through a GSM modem by AT commands (3GPP TS 27.005 and 27.007).

    AT, ATE0, AT+CMEE=1            is it there; no echo; errors with numbers
    AT+CPIN?                       READY, or SIM PIN: told once, a second wrong one would lock the card
    AT+CREG?                       1 or 5: the network has it
    AT+CMGF=0                      PDU mode (`sms.py`)
    AT+CMGS=nn  ->  "> "  ->  PDU, Ctrl-Z  ->  +CMGS: reference, OK

Only `+CMGS:` with `OK` counts as sent. Whatever is uncertain is sent again: twice is allowed, losing is not.
Messages carry the venue, the kind of alarm and its time, and ask for a call: nothing of what happened, no exam content.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import tzinfo
from pathlib import Path

from gateway.catalogue import N_, both, say, sentence
from gateway.configuration import config
from gateway.moment import Clock, Moment
from gateway.sinks.sms import submit
from gateway.sources.link import Link, PortError
from gateway.values import Notice, PathState

log = logging.getLogger(__name__)

ANSWER_S, NETWORK_S = 5.0, 60.0  # real seconds for the modem itself, and for what the network has a part in
SLICE_S = 0.1  # how soon `stop` is noticed
TRIES = 3
MOST_STRAY = 100  # reads of stray output before a command
LOOK_EVERY_S = 600.0  # a modem that has failed is known before it is needed
AGAIN_S = 20.0  # after a message could not be sent, or the modem not be reached
BURST, REFILL_S = 5, 120.0  # messages at once, and one more after so long
_REGISTERED = ("1", "5")  # at home, roaming

_CALL = N_("{drill}{venue}: {kind}{more}, {time}. Call at once.")
_KINDS = {
    "leak": N_("leak alarm"),
    "seal": N_("seal alarm"),
    "tamper": N_("tamper alarm"),
    "line": N_("line fault"),
    "pin": N_("line fault"),
}
_ORDER = tuple(_KINDS)


class ModemError(Exception):
    """The modem did not do as it was told; the text says what to look at."""


class BadPin(ModemError):
    """The SIM refused its PIN."""


class Ended(Exception):
    """The program stops."""


class Dialogue:
    """One conversation with a modem. Every method raises ModemError, PortError or Ended."""

    def __init__(self, link: Link, stop: threading.Event, answer_s: float = ANSWER_S) -> None:
        self._link = link
        self._stop = stop
        self._answer_s = answer_s
        self._heard = b""

    def begin(self, pin: str | None) -> None:
        """Wakes the modem, tells the SIM's PIN, waits for the network. `BadPin` when the SIM refused it."""
        self._wake()
        self.ask("AT+CMEE=1")
        self._unlock(pin)
        self._register()
        self.ask("AT+CMGF=0")

    def send(self, number: str, text: str) -> None:
        length, pdu = submit(number, text)
        self._say(f"AT+CMGS={length}\r")
        self._until(lambda heard: heard.rstrip(b" ").endswith(b">"), self._answer_s)
        self._heard = b""
        self._link.write(pdu.encode() + b"\x1a")
        lines = self._lines(NETWORK_S)
        if not any(line.startswith("+CMGS:") for line in lines):
            raise ModemError(say("the modem does not say that the message was sent"))

    def ask(self, command: str, wait_s: float | None = None) -> list[str]:
        """The lines of the answer before OK."""
        self._say(f"{command}\r")
        return [line for line in self._lines(wait_s or self._answer_s) if line != command]

    def _wake(self) -> None:
        for number in range(TRIES):
            try:
                self._link.write(b"\x1b")  # out of a message that a conversation before left unfinished
                self.ask("AT", self._answer_s / 2)
                self.ask("ATE0")
            except ModemError:
                if number + 1 == TRIES:
                    raise
            else:
                return

    def _unlock(self, pin: str | None) -> None:
        state = _value(self.ask("AT+CPIN?"), "+CPIN:")
        if state == "READY":
            return
        if state != "SIM PIN" or pin is None:
            raise ModemError(say("the SIM asks for {what}", what=state or "?"))
        try:
            self.ask(f'AT+CPIN="{pin}"', NETWORK_S)
        except ModemError as error:
            raise BadPin(say("the SIM refused its PIN; it is not tried again, so that it is not locked")) from error

    def _register(self) -> None:
        deadline = time.monotonic() + NETWORK_S
        while True:
            number = _value(self.ask("AT+CREG?"), "+CREG:").partition(",")[2].partition(",")[0].strip()
            if number in _REGISTERED:
                return
            if number == "3" or time.monotonic() > deadline:
                problem = N_("the telephone network does not take the SIM (registration {number})")
                raise ModemError(say(problem, number=number))
            if self._stop.wait(1.0):
                raise Ended

    def _say(self, text: str) -> None:
        for _ in range(MOST_STRAY):  # what came unasked, or too late, belongs to nothing
            if not self._link.read(0):
                break
        self._heard = b""
        self._link.write(text.encode("ascii"))

    def _lines(self, wait_s: float) -> list[str]:
        """What came before the final answer, which must be OK."""
        self._until(lambda heard: _final(heard) is not None, wait_s)
        final = _final(self._heard)
        if final != "OK":
            raise ModemError(say("the modem answers {answer}", answer=final))
        return [line for line in _split(self._heard) if line != "OK"]

    def _until(self, enough: Callable[[bytes], bool], wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while not enough(self._heard):
            if self._stop.is_set():
                raise Ended
            if time.monotonic() > deadline:
                raise ModemError(say("the modem does not answer"))
            self._heard += self._link.read(SLICE_S)
            if (final := _final(self._heard)) is not None and final != "OK":
                raise ModemError(say("the modem answers {answer}", answer=final))


class Modem:
    """Sends notices to every number, for ever; tells `PathState`. `call` is for any thread."""

    def __init__(
        self,
        settings: config.Modem,
        venue: str,
        zone: tzinfo,
        clock: Clock,
        tell: Callable[[object], None],
        *,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._settings = settings
        self._venue = venue
        self._zone = zone
        self._clock = clock
        self._tell = tell
        self._answer_s = answer_s
        self._inbox: queue.SimpleQueue[Notice] = queue.SimpleQueue()
        self._waiting: list[Notice] = []
        self._notices: list[Notice] = []  # those of the message that is being sent
        self._owed: list[str] = []  # numbers that do not have it yet
        self._pin_refused = False
        self._told: tuple[str | None] | None = None
        self._tokens, self._filled = float(BURST), clock.now()

    def call(self, notice: Notice) -> None:
        self._inbox.put(notice)

    def run(self, stop: threading.Event) -> None:
        look = again = self._clock.now()  # at once
        while not stop.is_set():
            self._hear()
            now = self._clock.now()
            if now.mono_ns >= again.mono_ns and (self._due(now) or now.mono_ns >= look.mono_ns):
                worked = self._work(stop, now)
                now = self._clock.now()
                again, look = now.after(0 if worked else AGAIN_S), now.after(LOOK_EVERY_S if worked else AGAIN_S)

    def _hear(self) -> None:
        """Waits a little for the next notice; takes all there are."""
        try:
            self._waiting.append(self._inbox.get(timeout=SLICE_S))
            while True:
                self._waiting.append(self._inbox.get_nowait())
        except queue.Empty:
            pass

    def _due(self, now: Moment) -> bool:
        """Whether there is something to send now. Notices that had to wait go into one message; while nobody has got it
        yet, newer ones go into it as well.
        """
        gained = now.seconds_since(self._filled) / REFILL_S
        self._tokens, self._filled = min(float(BURST), self._tokens + gained), now
        numbers = list(self._settings.numbers)
        if self._waiting and self._owed == numbers:
            self._notices, self._waiting = self._notices + self._waiting, []
        elif self._waiting and self._tokens >= 1:
            self._tokens -= 1
            self._notices, self._waiting, self._owed = self._waiting, [], numbers
        return bool(self._owed)

    def _work(self, stop: threading.Event, now: Moment) -> bool:
        """One conversation: everything owed is sent; without anything it only shows whether the modem works."""
        try:
            if self._pin_refused:
                raise BadPin(say("the SIM refused its PIN; it is not tried again, so that it is not locked"))
            link = Link(config.Bus(port=self._settings.port, baud=self._settings.baud))
            try:
                dialogue = Dialogue(link, stop, self._answer_s)
                dialogue.begin(self._pin())
                self._pay(dialogue)
            finally:
                link.close()
        except Ended:
            return False
        except (ModemError, PortError, OSError) as error:
            self._pin_refused = isinstance(error, BadPin)
            self._say(sentence(error), now)
            return False
        self._say(None, now)
        return True

    def _pay(self, dialogue: Dialogue) -> None:
        """One number that cannot be reached does not keep the message from the others."""
        trouble: ModemError | None = None
        for number in tuple(self._owed):
            text = compose(self._notices, self._venue, self._zone)[self._settings.language]
            try:
                dialogue.send(number, text)
            except ModemError as error:
                trouble = error
                continue
            self._owed.remove(number)
            log.info("event=message-sent path=modem number=..%s", number[-4:])
        if trouble is not None:
            raise trouble

    def _pin(self) -> str | None:
        """Raises OSError."""
        file = self._settings.pin_file
        return None if file is None else Path(file).read_text(encoding="ascii").strip()

    def _say(self, error: str | None, now: Moment) -> None:
        if self._told != (error,):
            self._told = (error,)
            self._tell(PathState("modem", error, now))


def compose(notices: Sequence[Notice], venue: str, zone: tzinfo) -> dict[str, str]:
    """One message for all of them, in every language: the gravest is named, the others are counted."""
    real = [notice for notice in notices if not notice.drill] or notices
    first = min(real, key=lambda notice: _ORDER.index(notice.kind) if notice.kind in _ORDER else len(_ORDER))
    others = len({notice.alarm for notice in real} - {first.alarm})
    return both(
        _CALL,
        drill=both(N_("DRILL, ")) if first.drill else "",
        venue=venue,
        kind=both(_KINDS.get(first.kind, N_("alarm"))),
        more=f" (+{others})" if others else "",
        time="-" if first.raised is None else f"{first.raised.local(zone):%m-%d %H:%M}",
    )


def _split(heard: bytes) -> list[str]:
    return [line.strip() for line in heard.decode("ascii", "replace").replace("\r", "\n").split("\n") if line.strip()]


def _final(heard: bytes) -> str | None:
    """The final answer, when it has come whole."""
    if not heard.endswith((b"\r", b"\n")):
        return None
    for line in _split(heard):
        if line in ("OK", "ERROR", "NO CARRIER") or line.startswith(("+CMS ERROR", "+CME ERROR")):
            return line
    return None


def _value(lines: list[str], begins: str) -> str:
    return next((line.removeprefix(begins).strip() for line in lines if line.startswith(begins)), "")
