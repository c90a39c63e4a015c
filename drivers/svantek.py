"""Svantek SVAN 971 / 973 / 977 / 979 and SV 307 sound level meters (class 1), serial text.

    #1,S1;                        starts a measurement          #1,S0;   stops it
    #2,1,S?,R?,V?,v?;             asks for results of profile 1
    #2,1,v0,V0,S46.35,R43.91;     answers; a result that is not available is a question mark;  #2,?;  none is

- Newer meters (SVAN 979 and others) want to be told which results: `#2,c,1,...` those of the last second, `a` averaged,
  `i` of now; the answer repeats the letter. The option `results` sends it.
- S: the level as the profile's filter and detector make it; R: Leq of the measurement's own period.
- V: overload 0/1. v: 0 fits, 2 too quiet earlier in this period, 3 too quiet now.
The text has no check; a value counts when a second agrees. What filter and detector the profile has is not in the
answer: they are set on the meter, and `detector` in the configuration must say the same.
Sources: SV 971A, SV 973 and SVAN 979 user's manuals, remote control functions #1 and #2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.errors import BadFrame, NotReady
from drivers.frames import whole

LONGEST = 96
START, STOP = b"#1,S1;", b"#1,S0;"
NOTHING = b"#2,?;"
_RESULT = re.compile(rb"[SR](?:\?|-?\d{1,3}\.\d{1,2})|[Vv]\d")  # flags are always known: V? is our own echo
POINTS = {"fast": "laf", "slow": "las"}


def framing(head: bytes) -> Framing:
    """Answers that begin so, or say that there is nothing."""

    def frame(data: bytes) -> int:
        if data[: len(NOTHING)] == NOTHING[: len(data)]:
            return len(NOTHING) if len(data) >= len(NOTHING) else 0
        if data[: len(head)] != head[: len(data)]:
            raise BadFrame(f"not the results asked for: {data[:8]!r}")
        end = data.find(b";", 0, LONGEST)
        if end < 0:
            if len(data) >= LONGEST or not data.isascii() or not data.decode().isprintable():
                raise BadFrame("results without an end")
            return 0
        results = data[len(head) : end].split(b",")
        if len({r[:1] for r in results}) != len(results) or not all(map(_RESULT.fullmatch, results)):
            raise BadFrame(f"not results: {data[: end + 1]!r}")
        return end + 1

    return frame


def decode(frame: Framing, head: bytes, level: str, replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    if data == NOTHING:
        raise NotReady("no results: start a measurement on the meter")
    results = {r[:1].decode(): r[1:].decode() for r in data[len(head) : -1].split(b",")}
    if results.keys() != set("SRVv"):
        raise BadFrame(f"asked for S, R, V and v, and got {', '.join(results)}")
    found = []
    for point, code in ((level, "S"), ("laeq", "R")):
        if results[code] == "?":
            found.append(invalid(point, "not available on the meter"))
        elif results["V"] != "0":
            found.append(invalid(point, "overload", float(results[code])))
        elif results["v"] == "3" or (results["v"] != "0" and code == "R"):
            found.append(invalid(point, "too quiet for the range", float(results[code])))
        else:
            found.append(within(point, float(results[code]), 0, 150))
    return found


def encode(head: bytes, level: str, values: Mapping[str, float]) -> tuple[bytes, ...]:
    shown = values.get(level, values.get("laeq", 40.0))
    return (head + f"v0,V0,S{shown:.2f},R{values.get('laeq', shown):.2f};".encode(),)


def build(profile: int, results: str, level: str, baud: int) -> Driver:
    head = f"#2,{results},{profile},".encode() if results else f"#2,{profile},".encode()
    frame = framing(head)
    return Driver(
        name="svantek",
        title="Svantek SVAN 97x / SV 307 sound level meter (class 1)",
        points=(level, "laeq"),
        decode=partial(decode, frame, head, level),
        encode=partial(encode, head, level),
        reads=(Read(frame, head + b"S?,R?,V?,v?;"),),
        start=(Read(frame, START, pause_s=0.5, answered=False),),
        baud=baud,
        warm_up_s=10.0,
        checked=False,
        evidence=True,
        at=at,
        notes=(
            'Option: detector = "slow" if the profile is set so; the meter does not say. Its filter must be A.',
            "Option: profile = 1 (the default), 2 or 3. Option: baud, as set on the meter.",
            'Option: results = "c" (last second), "i" (now) or "a" (averaged), for newer meters that ask for it.',
            "Its Leq is that of the measurement's own period: set a short one that repeats.",
        ),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("svantek", address, given)
    level = POINTS[options.one_of("detector", tuple(POINTS), "fast")]
    profile = options.one_of("profile", (1, 2, 3), 1)
    baud = options.one_of("baud", (9600, 19200, 38400, 57600, 115200), 115200)
    results = options.one_of("results", ("", "a", "i", "c"), "")
    options.end()
    return build(profile, results, level, baud)


DRIVER = build(1, "", "laf", 115200)
