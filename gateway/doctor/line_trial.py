"""A serial line tried out for `doctor`: who answers as configured, and if nobody does, at which other speed.

Short on purpose: a second a device at most, and half a second for each other speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drivers.base import Driver
from drivers.errors import BadFrame, DeviceError
from gateway.catalogue import say
from gateway.configuration.config import Bus
from gateway.doctor.patient import Seen, bad, good
from gateway.errors import Refused, Unavailable
from gateway.lending import borrowed
from gateway.sources.exchange import Exchange
from gateway.sources.link import Link, PortError
from gateway.sources.survey import BAUDS, LISTEN_S, NEVER
from gateway.sources.unit import BoundDevice

TRY_S = 0.4
LOAN_S = 15.0
ELSEWHERE = 3  # devices that are asked at other speeds: one may be dead


@dataclass(slots=True)
class Trial:
    """What came of it. `elsewhere`: the speed at which somebody answered who did not at the configured one."""

    answered: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    elsewhere: int | None = None
    trouble: str = ""  # the port itself


def tried(bus: Bus, devices: Sequence[BoundDevice], state: Path) -> Trial:
    """Asks each device once or twice, at other speeds when none answers; borrows the port where a gateway has it."""
    trial = Trial()
    try:
        with borrowed(state, bus.port, LOAN_S, "doctor", "") as port:
            here = bus.model_copy(update={"port": port})
            _as_configured(here, devices, trial)
            if not trial.answered:  # at a wrong speed silence and rubbish are both heard
                trial.elsewhere = _other_speed(here, devices[:ELSEWHERE])
    except (PortError, Refused, Unavailable) as error:
        trial.trouble = str(error)
    return trial


def _as_configured(bus: Bus, devices: Sequence[BoundDevice], trial: Trial) -> None:
    link = Link(bus)
    try:
        exchange = Exchange(link, NEVER)
        for device in devices:
            try:
                answered = _asked(exchange, device.driver)
            except BadFrame:
                trial.damaged.append(device.name)
            else:
                (trial.answered if answered else trial.silent).append(device.name)
    finally:
        link.close()


def _other_speed(bus: Bus, devices: Sequence[BoundDevice]) -> int | None:
    if not all(device.driver.reads[0].send for device in devices):
        return None  # it talks by itself, at the one speed that it has
    for baud in BAUDS:
        if baud == bus.baud:
            continue
        link = Link(bus.model_copy(update={"baud": baud}))
        try:
            exchange = Exchange(link, NEVER)
            for device in devices:
                try:
                    if _asked(exchange, device.driver, times=1):
                        return baud
                except BadFrame:
                    continue
        finally:
            link.close()
    return None


def _asked(exchange: Exchange, driver: Driver, times: int = 2) -> bool:
    """Whether it answers, if only with a refusal. Raises BadFrame when all that came was damaged."""
    question = next((read for read in driver.reads if read.send), driver.reads[0])
    damaged: BadFrame | None = None
    for _ in range(times):
        try:
            exchange.ask(question, TRY_S if question.send else LISTEN_S)
        except BadFrame as error:
            damaged = error
        except DeviceError:
            continue
        else:
            return True
    if damaged is not None:
        raise damaged
    return False


def judged(bus: str, trial: Trial) -> Iterator[Seen]:
    """What is told of it."""
    if trial.trouble:
        yield bad(f"{bus}: {trial.trouble}", say("end the other program, or try again when it is done"))
        return
    for name in trial.answered:
        yield good(say("{device} answers", device=name))
    for name in trial.damaged if trial.elsewhere is None else ():
        remedy = say("two devices with this address? unplug one; else the wires: shield, plugs, termination, ground")
        yield bad(say("{device}: damaged answers", device=name), remedy)
    if trial.elsewhere is not None:
        what = say(
            "{bus}: the devices answer at {baud} baud, not at the configured speed", bus=bus, baud=trial.elsewhere
        )
        yield bad(what, say("write baud = {baud} below [bus.{bus}]", baud=trial.elsewhere, bus=bus))
    elif not trial.answered and not trial.damaged:
        remedy = say("swap A and B, look at the supply of 12 or 24 V and at the adapter; connect one device alone")
        yield bad(say("{bus}: no device answers at any speed", bus=bus), remedy)
    else:
        for name in trial.silent:
            remedy = say("the others on the line answer: its power, its plug, its address (venue-gateway scan PORT)")
            yield bad(say("{device} does not answer", device=name), remedy)
