"""Coverage-guided fuzzing of every framing and decoder: `make fuzz`, or this file with libFuzzer's options.

Any bytes, and any damage to true frames, give measurements or a DeviceError; anything else ends the run with the bytes
that did it. What bit flips may do to a value is held by `test_vectors.py`: a fuzzer would only recompute the checksum.
Needs atheris, which is no dependency of the project.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found]

if __name__ == "__main__":  # the instrumented import has to be the first one
    with atheris.instrument_imports(include=["drivers"]):
        from drivers import library
        from drivers.errors import DeviceError
        from drivers.frames import Scanner

        for _name in library.names():
            library.find(_name)

from tests.kit_vectors import Case, all_cases

CASES: list[Case] = all_cases()
DRIVERS = [case.device() for case in CASES]


def one(data: bytes) -> None:
    """Two bytes choose the case, the third the reply, the fourth whether it comes first; the rest is from the wire."""
    if len(data) < 4:
        return
    chosen = int.from_bytes(data[:2], "big") % len(CASES)
    case, driver = CASES[chosen], DRIVERS[chosen]
    index = data[2] % len(case.replies)
    noise = data[4:]
    wire = case.replies[index] + noise if data[3] & 1 else noise
    for frame in Scanner(driver.reads[index].frame).feed(wire):
        replies = (*case.replies[:index], frame, *case.replies[index + 1 :])
        try:
            driver.decode(replies)
        except DeviceError:
            continue
    try:
        driver.decode((*case.replies[:index], noise, *case.replies[index + 1 :]))
    except DeviceError:
        return


def corpus(folder: Path) -> None:
    """True frames to begin with: without them no fuzzer finds a CRC."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(CASES):
        for index, reply in enumerate(case.replies):
            for mode in (0, 1):
                head = number.to_bytes(2, "big") + bytes((index, mode))
                (folder / f"{case.driver}-{number}-{index}-{mode}").write_bytes(head + reply)


if __name__ == "__main__":
    seeds = Path(sys.argv[1]) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else Path("build/fuzz")
    corpus(seeds)
    arguments = [argument for argument in sys.argv[1:] if argument != str(seeds)] or ["-max_total_time=60"]
    atheris.Setup([sys.argv[0], str(seeds), "-max_len=2048", *arguments], one)
    atheris.Fuzz()
