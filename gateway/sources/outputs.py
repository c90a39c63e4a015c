"""Lamps, buzzers and the siren: pins that are driven, and what is said when one cannot be used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from gateway.catalogue import N_, say
from gateway.contacts.lamp import Pattern, beat
from gateway.moment import Moment
from gateway.sources.pins import Backend
from gateway.values import PathState

LONGEST_BEAT_S = 5.0


class Signal:
    """A lamp or a buzzer: follows a pattern, from the moment it was asked for."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._on = False

    def follow(self, pattern: Pattern | None, elapsed_s: float) -> float:
        """The seconds until it has to be called again. Raises the back end's errors."""
        on, left_s = (False, LONGEST_BEAT_S) if pattern is None else beat(pattern, elapsed_s)
        self.turn(on=on)
        return left_s

    def turn(self, *, on: bool) -> None:
        """Raises the back end's errors."""
        if on != self._on:
            self._device.value = on
            self._on = on

    def close(self) -> None:
        self._device.close()


class Siren:
    """A siren's pin: claimed, and claimed again when it fails; its trouble is told as that of the path `siren`."""

    def __init__(self, pin: int, tell: Callable[[object], None]) -> None:
        self.wanted = False
        self._pin = pin
        self._tell = tell
        self._signal: Signal | None = None
        self._error: str | None = ""  # as told; "": nothing yet, and what a run before told may be over

    def claim(self, backend: Backend, now: Moment) -> None:
        if self._signal is not None:
            return
        try:
            self._signal = claim_signal(self._pin, backend)
        except backend.errors as error:
            self.report(pin_sentence(backend, self._pin, error), now)
            return
        self.report(None, now)

    def serve(self, backend: Backend, now: Moment) -> None:
        if self._signal is None:
            return
        try:
            self._signal.turn(on=self.wanted)
        except backend.errors as error:
            self.close(backend)
            self.report(pin_sentence(backend, self._pin, error), now)

    def report(self, error: str | None, now: Moment) -> None:
        if error != self._error:
            self._error = error
            self._tell(PathState("siren", error, now))

    def close(self, backend: Backend) -> None:
        signal, self._signal = self._signal, None
        if signal is not None:
            with contextlib.suppress(*backend.errors):
                signal.close()


def claim_signal(pin: int, backend: Backend) -> Signal:
    """Raises the back end's errors."""
    from gpiozero import OutputDevice  # noqa: PLC0415  75 ms, only with contacts

    return Signal(OutputDevice(pin, initial_value=False, pin_factory=backend.factory))


def pin_sentence(backend: Backend, pin: int, error: Exception) -> str:
    """Why a pin cannot be used, and who has it, for people."""
    holder = backend.holder(pin)
    if holder:
        return say(N_("pin {pin} is in use by {holder} ({cause})"), pin=pin, holder=holder, cause=error)
    return say(N_("pin {pin} cannot be used ({cause})"), pin=pin, cause=error)
