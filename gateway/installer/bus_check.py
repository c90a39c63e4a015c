"""`venue-gateway doctor CONFIG --bus NAME`: how much rest between questions does this bus need?

On a long cable, behind a slow adapter or with sluggish units, questions that follow too closely spoil answers. So the
devices are asked again and again, with less and less rest, until the answers suffer; then the border is narrowed down.

    rest   100  50  30  20  15 | 10 ms
    errors   0   0   0   0   0 | 35 %     the border is between 10 and 15 ms; recommended is half as much again
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from drivers.base import Read
from drivers.errors import DeviceError
from gateway.catalogue import say
from gateway.configuration.config import Config
from gateway.configuration.settings import check
from gateway.errors import ConfigError, Refused
from gateway.lending import borrowed
from gateway.sources.choice import bind
from gateway.sources.exchange import Exchange
from gateway.sources.link import Link, PortError
from gateway.sources.survey import NEVER

RESTS_S = (0.1, 0.05, 0.03, 0.02, 0.015, 0.01, 0.007, 0.005, 0.003)
HALVINGS = 3
TRIES = 3  # to hear a device at all
QUESTIONS = 40  # for one rest
OWN_REST_S = 0.2  # between two questions to one device: its own wish, which is no matter of the line
SICK = 0.05  # share of errors at the longest rest above which the rest is not what is wrong
WORSE = 0.04  # share of errors above that of the longest rest that is no chance
MARGIN = 1.5
NICE_S = (0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15)
LATE_S = 0.3  # after an error, for its late answer
SHORTEST_TRY_S = 0.1
LONGEST_LOAN_S = 900.0


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one rest between questions."""

    rest_s: float
    asked: int
    failed: int

    @property
    def share(self) -> float:
        return self.failed / self.asked if self.asked else 1.0


@dataclass(frozen=True, slots=True)
class Advice:
    """`least_s`: the least rest without more errors than at the longest; None when more rest does not help."""

    steps: tuple[Step, ...]
    least_s: float | None
    recommended_s: float | None
    echo: bool | None


class Measuring:
    """One open line and the questions of its devices. Raises PortError."""

    def __init__(
        self, exchange: Exchange, questions: Sequence[Read], silence_s: float = 0.0, stop: threading.Event = NEVER
    ) -> None:
        """`silence_s`: less is not recommended, however well it goes (Modbus wants 3.5 characters)."""
        self._exchange = exchange
        self._silence_s = silence_s
        self._stop = stop
        self._slowest_s = 0.0
        self._timeout_s: float | None = None  # the devices' own, until it is known how fast they answer
        self.questions = [question for question in questions if self._heard(question)]
        self._timeout_s = max(SHORTEST_TRY_S, 3 * self._slowest_s)

    def advise(self, progress: Callable[[Step], None]) -> Advice:
        """Raises DeviceError when nobody answers."""
        if not self.questions:
            raise DeviceError(say("no device of this bus answers"))
        steps: list[Step] = []
        for step in self._search():
            steps.append(step)
            progress(step)
        base = steps[0]
        good = [step.rest_s for step in steps if step.share <= base.share + WORSE]
        sick = base.share > SICK
        least_s = None if sick else min(good)
        recommended_s = None if least_s is None else _nice(max(least_s * MARGIN, self._silence_s))
        return Advice(tuple(steps), least_s, recommended_s, self._exchange.echo)

    def _search(self) -> Iterator[Step]:
        base = self._measure(RESTS_S[0])
        yield base
        if base.share > SICK:
            return
        good_s, bad_s = base.rest_s, None
        for rest_s in RESTS_S[1:]:
            step = self._measure(rest_s)
            yield step
            if step.share > base.share + WORSE:
                bad_s = rest_s
                break
            good_s = rest_s
        for _ in range(HALVINGS if bad_s is not None else 0):
            assert bad_s is not None  # noqa: S101  for the type checker
            step = self._measure((good_s + bad_s) / 2)
            yield step
            if step.share > base.share + WORSE:
                bad_s = step.rest_s
            else:
                good_s = step.rest_s

    def _measure(self, rest_s: float) -> Step:
        """Round after round; the first question of a round, or after an error, follows a long rest and does not count.

        One device alone is asked twice a round: then its own wish for rest is measured with the line's.
        """
        asked = failed = 0
        alone = len(self.questions) == 1
        for _ in range(2 * QUESTIONS):
            if asked >= QUESTIONS or self._stop.is_set():
                break
            rested = False
            for question in self.questions * 2 if alone else self.questions:
                good = self._answered(question)
                asked += rested
                failed += rested and not good
                rested = good
                self._stop.wait(rest_s if good else LATE_S)
            if not alone:
                self._stop.wait(OWN_REST_S)
        return Step(rest_s, asked, failed)

    def _answered(self, question: Read) -> bool:
        try:
            self._exchange.ask(question, self._timeout_s)
        except DeviceError:
            return False
        self._slowest_s = max(self._slowest_s, self._exchange.latency_s)
        return True

    def _heard(self, question: Read) -> bool:
        return any(self._answered(question) and not self._stop.wait(OWN_REST_S) for _ in range(TRIES))


def bus_main(args: argparse.Namespace) -> int:
    """Prints what each rest gave, and what to write; 0 when the configured rest will do, 1 otherwise."""
    tables = _tables(args)
    bus = tables.bus[args.bus]
    devices = [bound for bound in bind(tables) if tables.device[bound.name].bus == args.bus]
    questions = [read for bound in devices for read in bound.driver.reads[:1] if read.send and read.answered]
    try:
        with borrowed(args.state, bus.port, LONGEST_LOAN_S, "doctor", args.bus) as port:
            link = Link(bus.model_copy(update={"port": port}))
            try:
                measuring = Measuring(Exchange(link, NEVER), questions, link.seconds_for(4))
                advice = measuring.advise(_silent if args.json else _said)
            finally:
                link.close()
    except (DeviceError, PortError) as error:
        raise Refused(str(error)) from error
    if args.json:
        print(json.dumps(asdict(advice)))
    else:
        for line in _words(advice, bus.gap, len(measuring.questions), len(devices)):
            print(line)
    return 0 if advice.least_s is not None and bus.gap >= advice.least_s else 1


def _tables(args: argparse.Namespace) -> Config:
    if args.config is None:
        raise Refused(say("name the configuration: venue-gateway doctor CONFIG --bus {bus}", bus=args.bus))
    checked = check(args.config)
    if checked.config is None:
        raise ConfigError("\n".join(str(problem) for problem in checked.problems))
    if args.bus not in checked.config.bus:
        known = ", ".join(checked.config.bus) or "-"
        raise Refused(say("there is no bus {name}; there are: {known}", name=args.bus, known=known))
    return checked.config


def _silent(_: Step) -> None:
    """For programs, only the end counts."""


def _said(step: Step) -> None:
    rest = f"{step.rest_s * 1000:g}"
    print(say("rest {rest} ms: {failed} of {asked} answers bad", rest=rest, failed=step.failed, asked=step.asked))


def _words(advice: Advice, gap_s: float, heard: int, devices: int) -> Iterator[str]:
    if heard < devices:
        yield say("{silent} of {all} devices do not answer, and were left out", silent=devices - heard, all=devices)
    if heard == 1:
        yield say("one device alone: this is the rest that it wants for itself, too")
    if advice.echo:
        yield say("the line gives back what is sent (echo); that is allowed for")
    if advice.least_s is None or advice.recommended_s is None:
        yield say("more rest does not help: look at cable, termination, bias, speed and parity, and at the addresses")
        return
    least, recommended = f"{advice.least_s * 1000:g}", f'gap = "{advice.recommended_s * 1000:g}ms"'
    yield say("the least good rest is {least} ms; recommended: {line}", least=least, line=recommended)
    if gap_s < advice.least_s:
        yield say("the configured {gap} ms are too short", gap=f"{gap_s * 1000:g}")
    else:
        yield say("the configured {gap} ms will do", gap=f"{gap_s * 1000:g}")


def _nice(rest_s: float) -> float:
    return next((nice for nice in NICE_S if nice >= rest_s), rest_s)
