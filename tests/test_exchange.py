"""What comes after a question, byte by byte: pure, against Modbus frames made by an independent CRC."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import modbus
from drivers.base import Driver, Measurement, Quality, Read
from drivers.errors import BadChecksum, BadFrame, DeviceError, Timeout
from gateway.moment import Moment
from gateway.sources.exchange import Confused, Garbled, Reply
from gateway.sources.marking import Marking
from tests.kit_bus import crc


def framed(text: str) -> bytes:
    body = bytes.fromhex(text)
    return body + crc(body)


ASK = framed("01 03 00 00 00 01")
GOOD = framed("01 03 02 02 47")
READ = Read(modbus.reply(ASK), ASK)
WRITE = framed("01 06 07 d0 00 02")
CONFIRM = Read(modbus.reply(WRITE), WRITE)


def outcome(read: Read, data: bytes, *, echo: bool | None = None, step: int = 1) -> bytes | type[Exception]:
    reply = Reply(read, echo)
    try:
        for start in range(0, len(data), step):
            frame = reply.feed(data[start : start + step])
            if frame is not None:
                return frame
        return reply.finish()
    except DeviceError as error:
        return type(error)


@pytest.mark.parametrize("step", [1, 3, 100])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (GOOD, GOOD),
        (ASK + GOOD, GOOD),
        (b"\x00" + GOOD, GOOD),
        (b"\x01" + GOOD, GOOD),
        (b"\x01\x03\x02" + GOOD, GOOD),
        (b"\xff\x00" + ASK + GOOD, GOOD),
        (framed("02 03 02 02 47") + GOOD, GOOD),
        (b"", Timeout),
        (ASK, Timeout),
        (ASK[:5], Timeout),
        (GOOD[:4], Timeout),
        (ASK + GOOD[:4], Timeout),
        (GOOD[:-1] + b"\x00", BadChecksum),
        (framed("02 03 02 02 47"), BadFrame),
        (framed("01 04 02 02 47"), BadFrame),
        (bytes.fromhex("01 00 00 80 00"), Garbled),
        (bytes.fromhex("f8 e0 12 77 31 08"), Garbled),
        (b"\xf8", BadFrame),
        (framed("01 83 06"), framed("01 83 06")),
    ],
)
def test_what_comes_is_told_for_what_it_is(data: bytes, expected: object, step: int) -> None:
    """B4, B5: echo, noise, pieces, other units, wrong parity and silence, however the bytes are split."""
    assert outcome(READ, data, step=step) == expected


def test_two_answers_are_none() -> None:
    """B2: two answers to one question cannot be told apart, so neither is taken."""
    assert outcome(READ, GOOD + GOOD, step=100) == Confused


def test_an_answer_that_repeats_its_question() -> None:
    """B4: the confirmation of a write equals the question: taken at once, unless the line is known to echo."""
    assert outcome(CONFIRM, WRITE) == WRITE
    assert outcome(CONFIRM, WRITE, echo=True) == Timeout
    assert outcome(CONFIRM, WRITE + WRITE, echo=True) == WRITE


@given(st.binary(max_size=64))
def test_random_bytes_never_become_an_answer(data: bytes) -> None:
    """B5: whatever comes, it is an error by name, or a frame whose check is right."""
    result = outcome(READ, data, step=5)

    assert isinstance(result, bytes) or issubclass(result, DeviceError)
    assert not isinstance(result, bytes) or result[-2:] == crc(result[:-2])


def at(seconds: float) -> Moment:
    return Moment(0, 0).after(seconds)


def marking(**fields: object) -> Marking:
    return Marking("dev", Driver("d", "D", ("co2",), lambda _: [], (), **fields))


def test_warm_up_is_marked_from_the_first_answer_on() -> None:
    """A value of a device that has just come up is INVALID with the reason, and cold again after it was lost."""
    judge = marking(warm_up_s=60.0)

    def quality(seconds: float) -> tuple[Quality, str | None]:
        (reading,) = judge.mark([Measurement("co2", 400.0)], at(seconds)).readings
        return reading.quality, reading.reason

    assert quality(5) == (Quality.INVALID, "warm-up")
    assert quality(64.9) == (Quality.INVALID, "warm-up")
    assert quality(65) == (Quality.GOOD, None)
    judge.lost()
    assert quality(100) == (Quality.INVALID, "warm-up")


def test_a_reason_of_the_device_is_kept_in_warm_up() -> None:
    """The device's own reason says more than "warm-up" does."""
    spoilt = Measurement("co2", None, Quality.INVALID, "sensor fault")

    assert marking(warm_up_s=60.0).mark([spoilt], at(0)).readings[0].reason == "sensor fault"


def test_frames_without_a_check_need_a_second() -> None:
    """One frame without a check is suspect; what was before a silence confirms nothing after it."""
    judge = marking(checked=False)

    def quality(value: float) -> Quality:
        return judge.mark([Measurement("co2", value)], at(0)).readings[0].quality

    assert [quality(600), quality(601), quality(9000), quality(602)] == ["suspect", "good", "suspect", "good"]
    judge.lost()
    assert quality(602) is Quality.SUSPECT
