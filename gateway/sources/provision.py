"""Giving a device on a serial line another address or speed, proven by reading it there.

    found at its present setting --write--> read at the new one?  yes: done
                                            no: is it still at the old one (it took no notice), or nowhere (say so)
    not found there: at the wanted one? then the work was done before. Half-way? then say how to go on.

So a command that was cut off is simply given again. Nothing is written before it is known where the device is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from drivers.base import Driver, Provision, Read
from drivers.errors import DeviceError, Timeout
from gateway.catalogue import say
from gateway.configuration.config import Bus
from gateway.sources.exchange import Exchange
from gateway.sources.link import Link
from gateway.sources.survey import NEVER, twice

PROOFS = 3  # tries to read it at its new setting: some restart for it
RESTART_S = 0.5  # between them


@dataclass(frozen=True, slots=True)
class Setting:
    baud: int
    address: int

    def __str__(self) -> str:
        return say("{baud} baud, address {address}", baud=self.baud, address=self.address)


def provision(
    at: Callable[[int], Driver], port: Bus, before: Setting, wanted: Setting, stop: threading.Event = NEVER
) -> str:
    """What was done, for people. `at`: the driver at an address; the speed of `port` does not count.

    Raises ValueError when it cannot or may not be done, DeviceError when the device does not answer or does not take
    it, each saying what to do next; PortError.
    """
    return _Work(at, port, stop).do(before, wanted)


@dataclass(frozen=True, slots=True)
class _Work:
    at: Callable[[int], Driver]
    port: Bus
    stop: threading.Event

    def do(self, before: Setting, wanted: Setting) -> str:
        ways = self._ways(before, wanted)
        if not self._present(before):
            return self._elsewhere(before, wanted)
        if wanted.address != before.address and self._present(Setting(before.baud, wanted.address)):
            raise ValueError(say("address {new} is taken by another device", new=wanted.address))
        now, power_cycle = before, False
        for kind, way in ways:
            aim = replace(now, **{kind: getattr(wanted, kind)})
            power_cycle = way.power_cycle
            self._write(now, kind, getattr(wanted, kind))
            if not power_cycle:
                self._prove(now, aim)
                now = aim
        if power_cycle:
            return say("written; switch the device off and on, then give this command again: it proves it")
        return say("the device answers at {setting}", setting=wanted)

    def _ways(self, before: Setting, wanted: Setting) -> list[tuple[Literal["address", "baud"], Provision]]:
        """What is to be written, and that it can be: the address first, as the speed changes how it is reached."""
        driver = self.at(before.address)
        way = driver.provision
        kinds: tuple[Literal["address", "baud"], ...] = ("address", "baud")
        changed = [kind for kind in kinds if getattr(before, kind) != getattr(wanted, kind)]
        if not changed:
            raise ValueError(say("that is its setting already: nothing to change"))
        for kind in changed:
            if way is None or getattr(way, kind) is None:
                what = say("address") if kind == "address" else say("speed")
                raise ValueError(say("how to set the {what} of {driver} is not known", what=what, driver=driver.name))
            getattr(way, kind)(getattr(wanted, kind))  # ValueError when it is out of range
        assert way is not None  # noqa: S101  for the type checker
        return [(kind, way) for kind in changed]

    def _elsewhere(self, before: Setting, wanted: Setting) -> str:
        """It is not where it was said to be."""
        if self._present(wanted):
            return say("it answers at {setting} already, and not at the old one", setting=wanted)
        for half in (replace(before, address=wanted.address), replace(before, baud=wanted.baud)):
            if half not in (before, wanted) and self._present(half):
                raise ValueError(
                    say(
                        "a device answers at {setting}: if it is this one, cut off half-way, go on with "
                        "--from-address {address} --from-baud {baud}",
                        setting=half,
                        address=half.address,
                        baud=half.baud,
                    )
                )
        raise Timeout(say("nobody answers at {setting}; `venue-gateway scan` finds out who is there", setting=before))

    def _write(self, now: Setting, kind: Literal["address", "baud"], value: int) -> None:
        """An answer that is missing means nothing: it may have come at the new setting. Reading there decides."""
        writes: Iterable[Read] = getattr(self.at(now.address).provision, kind)(value)
        with _Open(self.port, now.baud, self.stop) as exchange:
            for read in writes:
                try:
                    twice(exchange, read)
                except DeviceError:
                    return

    def _prove(self, old: Setting, new: Setting) -> None:
        for _ in range(PROOFS):
            if self._present(new):
                return
            self.stop.wait(RESTART_S)
        if self._present(old):
            raise DeviceError(say("it took no notice and answers at {setting} as before", setting=old))
        raise Timeout(
            say(
                "it answers neither at {new} nor at {old}: switch it off and on, and give this command again",
                new=new,
                old=old,
            )
        )

    def _present(self, setting: Setting) -> bool:
        """Whether a device of this kind answers there."""
        with _Open(self.port, setting.baud, self.stop) as exchange:
            for read in self.at(setting.address).reads:
                try:
                    twice(exchange, read)
                except DeviceError:
                    return False
                if read.answered:  # not so: what wakes it up
                    return True
        return False


class _Open:
    """The port at one speed, for a moment."""

    def __init__(self, port: Bus, baud: int, stop: threading.Event) -> None:
        self._link = Link(port.model_copy(update={"baud": baud}))
        self._stop = stop

    def __enter__(self) -> Exchange:
        return Exchange(self._link, self._stop)

    def __exit__(self, *_: object) -> None:
        self._link.close()
