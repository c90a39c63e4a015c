"""What each part of a frame means, in words: for `hj212 show`, the doctor and whoever talks to a platform's people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from gateway.catalogue import N_, say
from gateway.hj212.editions import edition_of
from gateway.hj212.segment import Segment
from gateway.hj212.uploads import Channel

SYSTEMS: Mapping[str, str] = {
    "22": N_("air quality"),
    "23": N_("acoustic environment"),
    "36": N_("noise source"),
    "39": N_("dust of a construction site"),
    "91": N_("interaction of systems"),
}
COMMANDS: Mapping[str, str] = {
    "1013": N_("notice: our clock is not set"),
    "2011": N_("real-time values"),
    "2031": N_("values of a day"),
    "2051": N_("values of some minutes"),
    "2061": N_("values of an hour"),
    "2081": N_("when the gateway started"),
    "9015": N_("heartbeat"),
}
FLAGS: Mapping[str, str] = {
    "N": N_("normal"),
    "F": N_("stopped"),
    "M": N_("maintenance, warming up, or set aside for wind or rain"),
    "S": N_("set by hand"),
    "D": N_("fault"),
    "C": N_("calibration"),
    "T": N_("out of its range"),
    "B": N_("no communication with the instrument"),
}
_LEVELS: Mapping[str, str] = {
    "LA": N_("A-weighted sound level"),
    "Leq": N_("equivalent level"),
    "Ldn": N_("day-night level"),
    "Ld": N_("equivalent level of the day hours"),
    "Ln": N_("equivalent level of the night hours"),
    "LMx": N_("maximum level"),
    "LMn": N_("minimum level"),
}
_SUFFIXES: Mapping[str, str] = {
    "Rtd": N_("now"),
    "Min": N_("minimum"),
    "Avg": N_("mean"),
    "Max": N_("maximum"),
    "Data": N_("of the whole period"),
    "DayData": N_("of the day hours"),
    "NightData": N_("of the night hours"),
}


def lines(segment: Segment, channels: tuple[Channel, ...]) -> Iterator[tuple[str, str]]:
    """Each field and value of a segment as it is written, with its meaning. The password is not shown."""
    if segment.qn is not None:
        yield f"QN={segment.qn}", say("identifies this exchange: {time}", time=_moment(segment.qn))
    yield f"ST={segment.st}", _known(SYSTEMS, segment.st)
    yield f"CN={segment.cn}", _known(COMMANDS, segment.cn)
    yield "PW=******", say("password of the platform, not shown here")
    yield f"MN={segment.mn}", say("number of this station")
    edition = edition_of(segment.flag)
    name = edition.name if edition is not None else "?"
    wanted = say("an answer is wanted") if segment.wants_answer else say("no answer is wanted")
    yield f"Flag={segment.flag}", say("edition {edition}; {wanted}", edition=name, wanted=wanted)
    if segment.packets is not None:
        total, number = segment.packets.total, segment.packets.number
        yield f"PNUM={total};PNO={number}", say("packet {number} of {total}", number=number, total=total)
    for item in segment.items:
        for key, value in item:
            yield f"{key}={value}", meaning(key, value, channels)


def meaning(name: str, value: str, channels: tuple[Channel, ...]) -> str:
    """One value of CP."""
    if name == "DataTime":
        return say("of this time: {time}", time=_moment(value))
    if name == "RestartTime":
        return say("the gateway started: {time}", time=_moment(value))
    code, _, suffix = name.rpartition("-")
    channel = next((each for each in channels if each.code == code), None)
    if suffix == "Flag":
        return say("{what}: {state}", what=_factor(code, channel), state=_known(FLAGS, value))
    unit = channel.unit if channel is not None else next((c.unit for c in channels if c.factor.code == "LA"), "")
    what, when = _factor(code, channel), _known(_SUFFIXES, suffix)
    return say("{what}, {when}: {value} {unit}", what=what, when=when, value=value, unit=unit)


def _factor(code: str, channel: Channel | None) -> str:
    if channel is not None and code not in _LEVELS:
        return say(channel.factor.title)
    if code[1:].isdigit():
        return say("level exceeded for {percent} % of the time", percent=code[1:])
    return _known(_LEVELS, code)


def _known(words: Mapping[str, str], code: str) -> str:
    return say(words[code]) if code in words else code


def _moment(stamp: str) -> str:
    try:
        return datetime.strptime(stamp[:14], "%Y%m%d%H%M%S").strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  as written
    except ValueError:
        return stamp
