"""Every driver that is there, held to its vectors: true bytes give true values, damaged bytes give none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers import errors, library
from drivers.agreement import Agreement, tolerance
from drivers.base import Driver, Measurement, Quality, Read
from drivers.errors import BadFrame, DeviceError
from drivers.frames import Scanner
from drivers.quantities import QUANTITIES
from tests.kit_vectors import FOLDER, Case, all_cases, cases

EACH_DRIVER = pytest.mark.parametrize("name", library.names())
EACH_CASE = pytest.mark.parametrize("case", all_cases(), ids=str)

NOISE = (b"\x00", b"\xff", b"\x00\xff\x00", bytes(range(256)))
# USB and TCP carry a check of their own, below what a driver sees.
CHECKED_BELOW = {"hid", "tcp"}


@EACH_DRIVER
def test_every_driver_has_evidence(name: str) -> None:
    """A driver without at least three vectors, or with nothing but zeros in them, is no driver."""
    found = cases(name)

    assert len(found) >= 3, f"tests/vectors/{name}.toml needs three cases or more"
    assert any(any(reply) for case in found for reply in case.replies)
    assert any(number(want) for case in found for want in case.given.get("expect", {}).values())
    assert len(found) == len({case.name for case in found})


@EACH_DRIVER
def test_every_point_of_a_driver_has_a_vector(name: str) -> None:
    """No point is offered whose decoding nothing proves."""
    seen = {point for case in cases(name) for point in case.given.get("expect", {})}

    assert set() == set(library.find(name).points) - seen


def test_every_vector_file_has_its_driver() -> None:
    """A vector file without a driver of its name proves nothing to anybody."""

    assert set() == {path.stem for path in FOLDER.glob("*.toml")} - set(library.names())


@EACH_DRIVER
def test_a_driver_is_what_it_says(name: str) -> None:
    """The constant bears the file's name and has what listing and simulating it need."""
    driver = library.find(name)

    assert name == driver.name
    assert driver.title
    assert driver.reads
    assert driver.encode is not None


@EACH_CASE
def test_true_bytes_give_true_values(case: Case) -> None:
    """Each vector decodes to exactly its measurements (B12: sentinels and ranges included)."""
    driver = case.device()
    if "raises" in case.given:
        with pytest.raises(getattr(errors, case.given["raises"])):
            driver.decode(case.replies)
        return
    found = {m.name: m for m in driver.decode(case.replies)}

    assert case.given["expect"].keys() == found.keys()
    assert found.keys() <= set(driver.points)
    for point, want in case.given["expect"].items():
        check(found[point], want)


@EACH_CASE
def test_requests_are_the_documented_ones(case: Case) -> None:
    """What is sent is what the manual prints."""
    driver = case.device()
    for key, reads in (("request", driver.reads), ("start", driver.start)):
        if key in case.given:
            assert case.given[key] == [read.send.hex(" ") for read in reads]


@EACH_CASE
def test_damaged_bytes_give_no_value(case: Case) -> None:
    """Every truncation and every flipped bit is a DeviceError, or never trusted where frames carry no check."""
    driver = case.device()
    truth = [] if "raises" in case.given else driver.decode(case.replies)
    for index, reply in enumerate(case.replies):
        for length in range(len(reply)):
            found = attempt(driver, changed(case, index, reply[:length]))
            assert found is None or (driver.transport == "file" and found == truth), length
        for bit in range(8 * len(reply)):
            flipped = bytearray(reply)
            flipped[bit // 8] ^= 1 << bit % 8
            found = attempt(driver, changed(case, index, bytes(flipped)))
            if found is None or driver.transport in CHECKED_BELOW or (driver.transport == "file" and found == truth):
                continue
            assert not driver.checked, f"bit {bit} of reply {index} was flipped, and it decoded to {found}"
            assert_never_trusted(truth, found, bit)


@EACH_CASE
def test_frames_are_found_in_any_stream(case: Case) -> None:
    """Split anywhere, twice in one read, after garbage, after its own request: the same frame, and never another."""
    driver = case.device()
    if driver.transport not in {"serial", "tcp"}:
        pytest.skip("not a stream")
    for read, reply in zip(driver.reads, case.replies, strict=True):
        if not reply:
            continue
        assert [reply, reply] == Scanner(read.frame).feed(reply + reply)
        for at in range(len(reply) + 1):
            scanner = Scanner(read.frame)
            assert [reply] == scanner.feed(reply[:at]) + scanner.feed(reply[at:]), at
        scanner = Scanner(read.frame)
        assert [reply] == [f for i in range(len(reply)) for f in scanner.feed(reply[i : i + 1])]
        if driver.checked and driver.transport == "serial":
            assert_found_after_garbage(read, reply)


@EACH_CASE
def test_an_echo_is_never_an_answer(case: Case) -> None:
    """B4: the request itself, come back, decodes to nothing."""
    driver = case.device()
    if driver.transport != "serial":
        pytest.skip("no wire that could echo")
    for index, read in enumerate(driver.reads):
        if read.send and read.answered:
            assert attempt(driver, changed(case, index, read.send)) is None


@EACH_CASE
def test_what_was_decoded_encodes_again(case: Case) -> None:
    """`encode` is the inverse of `decode`, to the finest step of each quantity."""
    driver = case.device()
    truth = {} if "raises" in case.given else {m.name: m for m in driver.decode(case.replies)}
    if not truth or any(m.quality is not Quality.GOOD or m.value is None for m in truth.values()):
        pytest.skip("not all of it is values")
    assert driver.encode is not None
    again = driver.decode(driver.encode({name: m.value or 0.0 for name, m in truth.items()}))

    assert truth.keys() == {m.name for m in again}
    for m in again:
        assert m.quality is Quality.GOOD, m
        assert m.value == pytest.approx(truth[m.name].value, abs=QUANTITIES[m.quantity].step / 2)


@EACH_DRIVER
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_at_all(name: str, data: st.DataObject) -> None:
    """Whatever comes over the wire, a decoder raises DeviceError or nothing, and a framing BadFrame or nothing."""
    found = cases(name)
    if not found:
        pytest.fail("no vectors")
    case = data.draw(st.sampled_from(found))
    driver = case.device()
    replies = list(case.replies)
    index = data.draw(st.integers(0, len(replies) - 1))
    replies[index] = data.draw(spoilt(replies[index]))
    attempt(driver, tuple(replies))
    read = driver.reads[index]
    for frame in Scanner(read.frame).feed(replies[index]):
        assert len(frame) == read.frame(frame)


def assert_case_holds(case: Case) -> None:
    """All that a case proves, for one that lies elsewhere."""
    test_true_bytes_give_true_values(case)
    test_requests_are_the_documented_ones(case)
    test_damaged_bytes_give_no_value(case)
    test_frames_are_found_in_any_stream(case)
    test_an_echo_is_never_an_answer(case)


# ---- helpers ----------------------------------------------------------------------------------------------------


def number(want: Any) -> float:
    return (want.get("value") or 0.0) if isinstance(want, dict) else want


def check(found: Measurement, want: Any) -> None:
    if not isinstance(want, dict):
        want = {"value": want}
    assert Quality(want.get("quality", "good")) is found.quality, found
    assert want.get("reason") == found.reason
    if "value" in want:
        assert found.value == pytest.approx(want["value"], rel=1e-6, abs=1e-6)
    else:
        assert found.value is None


def changed(case: Case, index: int, reply: bytes) -> tuple[bytes, ...]:
    return (*case.replies[:index], reply, *case.replies[index + 1 :])


def attempt(driver: Driver, replies: tuple[bytes, ...]) -> list[Measurement] | None:
    """What it decodes to; None when it is refused, which is a DeviceError and nothing else."""
    try:
        return driver.decode(replies)
    except DeviceError:
        return None


def assert_never_trusted(truth: list[Measurement], found: list[Measurement], bit: int) -> None:
    """Alone it is SUSPECT; after a true one it is GOOD only where it cannot be told from the truth."""
    true = {m.name: m for m in truth}
    assert all(m.quality is not Quality.GOOD for m in Agreement().judge(found)), bit
    agreement = Agreement()
    agreement.judge(truth)
    for m in agreement.judge(found):
        if m.quality is Quality.GOOD:
            assert m.name in true
            assert m.value == pytest.approx(true[m.name].value, abs=tolerance(m)), bit


def assert_found_after_garbage(read: Read, reply: bytes) -> None:
    # A frame's own beginning is the worst garbage. Bytes after it let a false start run out of its length.
    begun = (reply[:1], reply[:1] * 2, reply[:2], reply[:3], reply[: len(reply) // 2], reply[:-1])
    for garbage in (*NOISE, *begun, read.send):
        if garbage == reply:  # functions 5 and 6 of Modbus: the reply is the request
            continue
        assert reply in Scanner(read.frame).feed(garbage + reply + reply), garbage.hex(" ")


def spoilt(reply: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that are nearly a reply, or not at all."""
    cut = st.integers(0, len(reply))
    splice = st.tuples(cut, st.binary(max_size=40), cut).map(lambda t: reply[: t[0]] + t[1] + reply[t[2] :])
    return st.one_of(st.binary(max_size=120), splice)


def test_a_framing_raises_only_bad_frames() -> None:
    """`Scanner` steps over BadFrame; any other DeviceError in a framing would stop a stream."""
    for case in all_cases():
        for read in case.device().reads:
            for noise in NOISE:
                try:
                    read.frame(noise)
                except BadFrame:
                    continue
