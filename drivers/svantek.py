"""Svantek SVAN 971 / 973 / 977 / 979 and SV 307 sound level meters (class 1), serial text.

    #1,S1;                        starts a measurement          #1,S0;   stops it
    #2,1,S?,R?,V?,v?;             asks for results of profile 1
    #2,1,v0,V0,S46.35,R43.91;     answers; a result that is not available is a question mark;  #2,?;  none is

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


def framing(profile: int) -> Framing:
    head = f"#2,{profile},".encode()

    def frame(data: bytes) -> int:
        if data[: len(NOTHING)] == NOTHING[: len(data)]:
            return len(NOTHING) if len(data) >= len(NOTHING) else 0
        if data[: len(head)] != head[: len(data)]:
            raise BadFrame(f"not results of profile {profile}: {data[:8]!r}")
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


def decode(frame: Framing, level: str, replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(frame, reply)
    if data == NOTHING:
        raise NotReady("no results: start a measurement on the meter")
    results = {r[:1].decode(): r[1:].decode() for r in data[5:-1].split(b",")}
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


def encode(profile: int, level: str, values: Mapping[str, float]) -> tuple[bytes, ...]:
    shown = values.get(level, values.get("laeq", 40.0))
    return (f"#2,{profile},v0,V0,S{shown:.2f},R{values.get('laeq', shown):.2f};".encode(),)


def build(profile: int, level: str, baud: int) -> Driver:
    frame = framing(profile)
    return Driver(
        name="svantek",
        title="Svantek SVAN 97x / SV 307 sound level meter (class 1)",
        points=(level, "laeq"),
        decode=partial(decode, frame, level),
        encode=partial(encode, profile, level),
        reads=(Read(frame, f"#2,{profile},S?,R?,V?,v?;".encode()),),
        start=(Read(frame, START, pause_s=0.5, answered=False),),
        baud=baud,
        warm_up_s=10.0,
        checked=False,
        evidence=True,
        at=at,
        notes=(
            'Option: detector = "slow" if the profile is set so; the meter does not say. Its filter must be A.',
            "Option: profile = 1 (the default), 2 or 3. Option: baud, as set on the meter.",
            "Its Leq is that of the measurement's own period: set a short one that repeats.",
        ),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("svantek", address, given)
    level = POINTS[options.one_of("detector", tuple(POINTS), "fast")]
    profile = options.one_of("profile", (1, 2, 3), 1)
    baud = options.one_of("baud", (9600, 19200, 38400, 57600, 115200), 115200)
    options.end()
    return build(profile, level, baud)


DRIVER = build(1, "laf", 115200)
