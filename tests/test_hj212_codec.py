"""HJ 212's frames and data segments: every known frame both ways, every damage refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.hj212.editions import edition_of
from gateway.hj212.frame import LARGEST, Damaged, Frame, Splitter, crc_modbus, crc_standard, wrap
from gateway.hj212.segment import BadSegment, Packets, Segment, encode, parse, parts, written

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "hj212_frames.toml").read_text())["case"]
EXAMPLE = CASES[0]["frame"].encode() + b"\r\n"
SEGMENT = EXAMPLE[6:-6]
by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])


def split(data: bytes) -> list[Frame | Damaged]:
    return list(Splitter().feed(data))


def fields(segment: Segment) -> dict[str, str]:
    found = {"QN": segment.qn, "ST": segment.st, "CN": segment.cn, "PW": segment.pw, "MN": segment.mn}
    found["Flag"] = str(segment.flag)
    if segment.packets is not None:
        found |= {"PNUM": str(segment.packets.total), "PNO": str(segment.packets.number)}
    return {name: value for name, value in found.items() if value is not None}


@by_name
def test_a_known_frame_is_read(case: dict[str, Any]) -> None:
    """Each of the 32 frames is one good frame of its dialect with exactly its fields and values."""
    (frame,) = split(case["frame"].encode() + b"\r\n")

    assert isinstance(frame, Frame)
    segment = parse(frame.segment)

    assert case.get("dialect", "standard") == frame.dialect
    assert case["head"] == fields(segment)
    assert case["items"] == [[f"{name}={value}" for name, value in item] for item in segment.items]


@by_name
def test_a_known_frame_is_written(case: dict[str, Any]) -> None:
    """What was read of each frame is written again as the same bytes, blanks and stray commas excepted."""
    segment = parse(case["frame"][6:-4].encode())
    if not case.get("written", True):
        assert case["frame"][6:-4].replace("; ", ";").encode() == encode(segment)
        return

    assert case["frame"].encode() + b"\r\n" == wrap(encode(segment), case.get("dialect", "standard"))


@pytest.mark.parametrize(
    ("data", "standard", "modbus"),
    [
        (b"", 0xFFFF, 0xFFFF),
        (b"\x00", 0x4040, 0x40BF),
        (b"A", 0x7080, 0x707F),
        (b"QN=", 0x7200, 0x60D4),
        (b"123456789", 0x2F80, 0x4B37),
        (SEGMENT, 0x1C80, 0x0759),
        (CASES[1]["frame"][6:-4].encode(), 0x2200, 0xCCF4),
    ],
)
def test_both_dialects_of_the_crc(data: bytes, standard: int, modbus: int) -> None:
    """The CRC of HJ 212 is not that of MODBUS; both are as calculated by others."""

    assert (standard, modbus) == (crc_standard(data), crc_modbus(data))


def test_two_messages_can_share_a_crc() -> None:
    """The standard's CRC has 256 values: a level of 47.6 and one of 42.7 share one: form is checked beside it."""
    head = b"QN=20260608150130250;ST=23;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime="
    louder, quieter = (head + b"20260608150130;LA-Rtd=" + level + b"&&" for level in (b"47.6", b"42.7"))

    assert (0x0280, 0x0280) == (crc_standard(louder), crc_standard(quieter))


@pytest.mark.parametrize(
    ("data", "damages"),
    [
        (EXAMPLE.replace(b"##0101", b"##01O1"), ["length"]),
        (EXAMPLE.replace(b"##0101", b"##0100"), ["tail"]),
        (EXAMPLE.replace(b"##0101", b"##0102") + EXAMPLE, ["tail", "good"]),
        (EXAMPLE.replace(b"1C80", b"1C81"), ["crc"]),
        (EXAMPLE.replace(b"1C80", b"1c80"), ["good"]),
        (EXAMPLE.replace(b"1C80", b"1C8G"), ["crc"]),
        (EXAMPLE.removesuffix(b"\r\n") + EXAMPLE, ["tail", "good"]),
        (EXAMPLE.replace(b"RtdInterval=30", b"RtdInterval=31"), ["crc"]),
        (b"##1025" + b"x" * 1031 + EXAMPLE, ["length", "good"]),
        (b"##9999", ["length"]),
        (b"noise" + EXAMPLE + b"noise" + EXAMPLE, ["junk", "good", "junk", "good"]),
        (b"#" + EXAMPLE, ["length", "good"]),
        (EXAMPLE[:-1], []),
        (b"##", []),
        (b"#", []),
        (b"", []),
    ],
)
def test_damage_is_named_and_dropped(data: bytes, damages: list[str]) -> None:
    """What is no frame is told as what is wrong with it, and the good frame behind it is still found."""

    assert damages == ["good" if isinstance(found, Frame) else found.damage for found in split(data)]


@pytest.mark.parametrize(
    ("change", "qnrtn"),
    [
        ((b"QN=20160801085857223", b"QN=2016080108585722"), 7),
        ((b"QN=20160801085857223", b"QN=20161301085857223"), 7),
        ((b"QN=20160801085857223;", b""), 7),
        ((b"ST=32", b"ST=3"), 5),
        ((b"CN=1062", b"CN=10.2"), 8),
        ((b"PW=100000", b"PW=1000000"), 3),
        ((b"PW=100000;", b""), 3),
        ((b"MN=010000A8900016F000169DC0", b"MN=010000A8900016F000169DC00"), 4),
        ((b"MN=0", b"MN=-"), 4),
        ((b"Flag=5", b"Flag=256"), 6),
        ((b"Flag=5", b"Flag=7"), 6),
        ((b"Flag=5", b"Flag=5;PNUM=2;PNO=1"), 6),
        ((b"Flag=5", b"Flag=7;PNUM=2;PNO=3"), 100),
        ((b"Flag=5", b"Flag=7;PNO=1;PNUM=2"), 100),
        ((b"ST=32;CN=1062", b"CN=1062;ST=32"), 5),
        ((b"CP=&&", b"CP="), 100),
        ((b"30&&", b"30"), 100),
        ((b"30&&", b"30&&x"), 100),
        ((b"30&&", b"30;&&"), None),
        ((b"RtdInterval=30", b"RtdInterval"), 100),
        ((b"RtdInterval=30", b"Rtd Interval=30"), 100),
        ((b"RtdInterval=30", b"\xff"), 100),
        ((b"RtdInterval=30", b"R=" + b"3" * 949), 100),
    ],
)
def test_a_wrong_segment_is_refused(change: tuple[bytes, bytes], qnrtn: int | None) -> None:
    """Each field out of its place, width or alphabet is refused with the code that the standard has for it."""
    data = SEGMENT.replace(*change)

    assert data != SEGMENT
    if qnrtn is None:
        assert parse(SEGMENT) == parse(data)
        return
    with pytest.raises(BadSegment) as refused:
        parse(data)

    assert qnrtn == refused.value.qnrtn


@pytest.mark.parametrize(
    ("flag", "edition"), [(0, "2005"), (3, "2005"), (4, "2017"), (5, "2017"), (7, "2017"), (8, "2025"), (11, "2025")]
)
def test_flag_tells_the_edition(flag: int, edition: str) -> None:
    """The upper six bits of Flag name the edition, and our own Flag for it is the table's."""
    found = edition_of(flag)

    assert found is not None
    assert (edition, flag) == (found.name, found.flag(answer=bool(flag & 1), packets=bool(flag & 2)))


def test_an_unknown_edition_is_none() -> None:
    """A Flag of an edition to come is not taken for one we know."""

    assert edition_of(12) is None


# ---- properties

names = st.sampled_from(["DataTime", "LA-Rtd", "LA-Flag", "a34004-Avg", "L95-NightData", "x", "9", "Leq-Data_2"])
values = st.text(st.sampled_from('059.+-:/aZ_#"é考点\U0001f50a'), min_size=1, max_size=12)
pairs = st.tuples(names, values)
segments = st.builds(
    Segment,
    qn=st.just("20260608150130250"),
    st=st.sampled_from(["22", "23", "91"]),
    cn=st.integers(0, 9999).map(lambda n: f"{n:04d}"),
    pw=st.sampled_from(["1", "123456", "aB,=&#"]),
    mn=st.integers(0, 16**24 - 1).map(lambda n: f"{n:024X}"),
    flag=st.sampled_from([0, 4, 5, 8, 9]),
    items=st.lists(st.lists(pairs, min_size=1, max_size=3).map(tuple), max_size=12).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(segments, st.sampled_from(["standard", "modbus"]), st.lists(st.integers(1, 40), max_size=8))
def test_what_is_written_is_read(segment: Segment, dialect: Any, cuts: list[int]) -> None:
    """Any segment survives encoding, framing, arriving in pieces and parsing."""
    data, splitter, found = b"stray" + wrap(encode(segment), dialect), Splitter(), []
    for size in cuts:
        found += splitter.feed(data[:size])
        data = data[size:]
    found += splitter.feed(data)
    frames = [each for each in found if isinstance(each, Frame)]

    assert [segment] == [parse(frame.segment) for frame in frames]


@settings(max_examples=60, deadline=None)
@given(st.lists(pairs.map(lambda pair: (pair,)), min_size=1, max_size=120), st.integers(60, 950))
def test_parts_keep_everything_in_order(items: list[Any], most: int) -> None:
    """Packets hold every item once, in order, each begins with the time, and none is longer than allowed."""
    time = (("DataTime", "20260608150000"),)
    packets = parts(time, items, most)

    assert items == [item for packet in packets for item in packet[1:]]
    assert all(packet[0] == time and (len(packet) == 2 or len(written(packet)) <= most) for packet in packets)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b"##", b"##0101", b"\r\n", EXAMPLE])), max_size=20))
def test_no_bytes_are_too_much(chunks: list[bytes]) -> None:
    """Whatever arrives, in whatever pieces: nothing is raised but BadSegment, and no more than a frame is kept."""
    splitter = Splitter()
    for chunk in chunks:
        for found in splitter.feed(chunk):
            if isinstance(found, Frame):
                try:
                    segment = parse(found.segment)
                except BadSegment:
                    continue

                assert isinstance(segment.packets, Packets | None)

    assert splitter.waiting < LARGEST
