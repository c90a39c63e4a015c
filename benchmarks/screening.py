"""Counts and verdicts of the entry screening on synthetic crowds whose truth is known.

    python -m benchmarks.screening [--persons 2000] [--seed 1]

Each crowd is a stream of an infrared thermometer: a wall at ambient temperature, people with skin temperatures drawn
round 36.5 (one in fifty has a fever), who stay and follow each other at random, seen through the sensor's time
constant and noise. The truth of a person is the highest noisy value while they were there.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.configuration.screening import Screening
from gateway.moment import NANO, ClockState, Moment
from gateway.screening.persons import Peaks, Person, judge


@dataclass(frozen=True)
class Crowd:
    name: str
    every_s: float
    ambient: float
    noise: float  # standard deviation, degC
    lag_s: float  # time constant of the sensor
    stay_s: tuple[float, float]
    gap_s: tuple[float, float]


CROWDS = (
    Crowd("one by one", 0.1, 26.0, 0.05, 0.10, (0.8, 2.5), (0.8, 5.0)),
    Crowd("close behind each other", 0.1, 26.0, 0.05, 0.10, (0.6, 1.5), (0.35, 0.8)),
    Crowd("shoulder to shoulder", 0.1, 26.0, 0.05, 0.10, (0.6, 1.5), (0.2, 0.4)),
    Crowd("a noisy module, asked five times a second", 0.2, 24.0, 0.12, 0.15, (1.0, 2.5), (0.9, 3.0)),
    Crowd("a hot morning", 0.1, 33.0, 0.05, 0.10, (0.8, 2.5), (0.8, 5.0)),
)


@dataclass
class Result:
    persons: int
    counted: int
    missed: int  # measured peaks at or over the threshold that no person of ours has
    false_alarms: int  # ours that did not pass, though the truth passed
    undecided: int
    seconds: float
    samples: int


def play(crowd: Crowd, persons: int, seed: int) -> Result:
    """One crowd through `Peaks`; the truth is kept beside it."""
    settings = Screening(point="gate/object_temperature", present_above=max(30.0, crowd.ambient + 1.2))
    samples, truth = _stream(crowd, persons, random.Random(seed))
    peaks = Peaks(settings, crowd.every_s)
    begun = time.process_time()
    found = [person for at, value in samples if (person := peaks.add(at, value, crowd.ambient)) is not None]
    last = peaks.silence(Moment(0, samples[-1][0].mono_ns + 60 * NANO, ClockState.SYNCHRONISED))
    found += [last] if last is not None else []
    took = time.process_time() - begun
    missed, false = _compare(truth, found, settings)
    undecided = sum(person.verdict == "undecided" for person in found)
    return Result(persons, len(found), missed, false, undecided, took, len(samples))


def _compare(truth: list[tuple[float, float, float]], found: list[Person], settings: Screening) -> tuple[int, int]:
    """By time: who of the truth at or over the threshold was not stopped, and who was stopped without a cause."""
    stopped = [person for person in found if person.verdict != "passed"]
    missed = sum(
        1
        for begin, end, peak in truth
        if judge(peak, settings) != "passed"
        and not any(begin - 0.5 <= person.at.mono_ns / NANO <= end + 0.5 for person in stopped)
    )
    causes = [(begin, end) for begin, end, peak in truth if judge(peak, settings) != "passed"]
    false = sum(1 for person in stopped if not any(b - 0.5 <= person.at.mono_ns / NANO <= e + 0.5 for b, e in causes))
    return missed, false


def _stream(
    crowd: Crowd, persons: int, rng: random.Random
) -> tuple[list[tuple[Moment, float]], list[tuple[float, float, float]]]:
    at, seen = 10.0, crowd.ambient
    plan = list(_people(crowd, persons, rng))
    samples: list[tuple[Moment, float]] = []
    truth = []
    for gap, stay, skin in plan:
        for length, target in ((gap, crowd.ambient), (stay, skin)):
            begin, highest = at, -100.0
            while at < begin + length:
                seen += (target - seen) * (1 - math.exp(-crowd.every_s / crowd.lag_s))
                value = round(seen + rng.gauss(0, crowd.noise), 2)
                samples.append((Moment(round(at * NANO), round(at * NANO), ClockState.SYNCHRONISED), value))
                highest = max(highest, value)
                at += crowd.every_s
        truth.append((begin, at, highest))
    return samples, truth


def _people(crowd: Crowd, persons: int, rng: random.Random) -> Iterator[tuple[float, float, float]]:
    for _ in range(persons):
        fever = rng.random() < 0.02
        skin = rng.uniform(37.2, 39.5) if fever else rng.gauss(36.5, 0.2)
        yield rng.uniform(*crowd.gap_s), rng.uniform(*crowd.stay_s), skin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    heads = ("persons", "counted", "error", "missed", "false", "undecided", "us/sample")
    print(f"{'crowd':44}" + "".join(f"{head:>11}" for head in heads))
    for crowd in CROWDS:
        r = play(crowd, args.persons, args.seed)
        error, each = f"{(r.counted - r.persons) / r.persons:+.2%}", f"{r.seconds / r.samples * 1e6:.2f}"
        cells = (r.persons, r.counted, error, r.missed, r.false_alarms, r.undecided, each)
        print(f"{crowd.name:44}" + "".join(f"{cell:>11}" for cell in cells))


if __name__ == "__main__":
    main()
