"""Profiles: strictly read, planned into few requests, changed by options, and the same backwards."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import library, modbus
from drivers.agreement import Agreement
from drivers.base import Driver, Measurement, Quality
from drivers.errors import BadFrame
from drivers.profile import at, driver, load
from drivers.registers import Block, Place, plan
from drivers.schema import Profile, ProfileError

PROFILES = Path(library.__file__).parent / "profiles"
HEAD = 'name = "mine"\ntitle = "Mine"\nsource = "its manual, page 4"\n'
POINT = '[[point]]\nquantity = "laf"\nunit = "dB(A)"\naddress = 0\nscale = 0.1\nrange = [30, 120]\n'


def made(text: str) -> Driver:
    return driver(Profile.model_validate(tomllib.loads(text)))


def reply(made_driver: Driver, *words: int) -> tuple[bytes, ...]:
    data = b"".join(word.to_bytes(2, "big") for word in words)
    return (modbus.answer(made_driver.reads[0].send, data),)


def values(measurements: list[Measurement]) -> dict[str, float | None]:
    return {m.name: m.value for m in measurements}


# ---- reading a profile ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            HEAD + POINT.replace("laf", "laff"),
            "point.0: quantity 'laff' is not in drivers/quantities.py (did you mean 'laf'?)",
        ),
        (HEAD + POINT.replace("dB(A)", "dB"), "point.0: laf is in 'dB(A)', not 'dB': give the scale that makes it so"),
        (HEAD + POINT.replace("scale", "scal"), "point.0.scal: no such key (did you mean 'scale'?)"),
        (HEAD + POINT.replace("range = [30, 120]\n", ""), "point.0.range: Field required"),
        (HEAD + POINT.replace("[30, 120]", "[120, 30]"), "point.0: scale must not be 0, and range is [low, high]"),
        (HEAD + POINT.replace("0.1", "0"), "point.0: scale must not be 0, and range is [low, high]"),
        (HEAD + POINT + POINT, "two points are called 'laf': give them channels"),
        (HEAD + POINT + 'type = "bit"\n', "laf: functions 1 and 2 read bits, 3 and 4 read registers"),
        (HEAD, "point: Field required"),
        (HEAD + "point = []\n", "a profile has at least one [[point]]"),
        (
            HEAD + POINT + 'type = "f32"\nsentinels = { 1 = "x" }\n',
            "point.0: codes and sentinels are of whole numbers, not of f32",
        ),
        (HEAD + POINT + 'type = "i16"\nmask = 3\n', "point.0: a mask belongs to a u16 and has bits"),
        (
            HEAD + POINT + '[[status]]\naddress = 1\nbits = { 0 = "x" }\npoints = ["lef"]\n',
            "no point 'lef' (did you mean 'laf'?); there are laf",
        ),
        (HEAD.replace("mine", "yours") + POINT, "its name is 'yours'; it must be that of the file"),
        ("name = ", "Invalid value (at end of document)"),
    ],
)
def test_a_wrong_profile_is_told_in_words(tmp_path: Path, text: str, complaint: str) -> None:
    """Whoever writes a profile reads the file, the key, and what would be right."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ProfileError) as told:
        load(path)

    assert f"mine.toml: {complaint}" == str(told.value)


def test_profiles_hold_nothing_but_data() -> None:
    """No expressions, templates or includes: a string is never evaluated."""
    bad = HEAD + POINT.replace("scale = 0.1", 'scale = "1/10"')
    with pytest.raises(ValueError, match="unable to parse string as a number"):
        made(bad)


# ---- meaning ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "scale", "high", "words", "expected"),
    [
        ("u16", 0.1, 6553.5, (532,), 53.2),
        ("u16", 1, 70000, (0xFFFF,), 65535),
        ("i16", 0.1, 100, (0xFF9B,), -10.1),
        ("u32", 1, 1e6, (1, 0xE240), 123456),
        ("i32", 0.01, 1e6, (0xFFFF, 0xFF85), -1.23),
        ("f32", 1, 1e6, (0x43DB, 0x8C2E), 439.095154),
    ],
)
def test_types_and_word_orders(kind: str, scale: float, high: float, words: tuple[int, ...], expected: float) -> None:
    """Every type, and the same number with the low word first."""
    text = (
        HEAD
        + "{order}"
        + POINT.replace("0.1", str(scale)).replace("[30, 120]", f"[-{high}, {high}]")
        + f'type = "{kind}"\n'
    )
    high_first, low_first = made(text.format(order="")), made(text.format(order='words = "low-first"\n'))

    assert {"laf": expected} == values(high_first.decode(reply(high_first, *words)))
    assert {"laf": expected} == values(low_first.decode(reply(low_first, *reversed(words))))
    assert reply(high_first, *words) == high_first.encode({"laf": expected})
    assert reply(low_first, *reversed(words)) == low_first.encode({"laf": expected})


@pytest.mark.parametrize(
    ("extra", "words", "value", "reason"),
    [
        ("sentinels = { 32767 = 'no probe' }\n", (0x7FFF,), None, "no probe"),
        ("type = 'i16'\nsentinels = { 65535 = 'probe broken' }\n", (0xFFFF,), None, "probe broken"),
        ("", (0x7FFF,), 3276.7, "out of range 30 to 120"),
        ("", (0,), 0.0, "out of range 30 to 120"),
        ("", (9999,), 999.9, "out of range 30 to 120"),
        ("type = 'f32'\n", (0x7FC0, 0), None, "not a number"),
        ("type = 'f32'\n", (0xFF80, 0), None, "not a number"),
        ("codes = { 1 = 50.0 }\n", (2,), None, "unknown code 2"),
    ],
)
def test_what_is_no_value_says_why(extra: str, words: tuple[int, ...], value: float | None, reason: str) -> None:
    """B12: sentinels, 0x7FFF, 999.9, NaN and unknown codes are invalid with their reason, never good and never 0."""
    mine = made(HEAD + POINT + extra)

    assert [Measurement("laf", value, Quality.INVALID, reason)] == mine.decode(reply(mine, *words))


def test_a_status_word_takes_the_values_it_speaks_of() -> None:
    """Error bits name their points; a bit that nobody knows takes nothing."""
    second = POINT.replace('"laf"', '"temperature"').replace("dB(A)", "degC").replace("address = 0", "address = 1")
    status = '[[status]]\naddress = 2\nbits = { 1 = "microphone", 4 = "supply" }\npoints = ["laf"]\n'
    mine = made(HEAD + POINT + second + status)

    assert [("laf", None), ("temperature", None)] == [
        (m.name, m.reason) for m in mine.decode(reply(mine, 532, 300, 0x8001))
    ]
    assert [("laf", "microphone; supply"), ("temperature", None)] == [
        (m.name, m.reason) for m in mine.decode(reply(mine, 532, 300, 0x12))
    ]


def test_masks_take_their_bits() -> None:
    """Two values in one register do not disturb one another, in both directions."""
    low = POINT.replace("address = 0", "address = 0\nmask = 0x00FF").replace("30, 120", "0, 300")
    high = low.replace("0x00FF", "0xFF00").replace("unit", 'channel = "b"\nunit')
    mine = made(HEAD + low + high)

    assert {"laf": 3.5, "laf_b": 12.0} == values(mine.decode(reply(mine, 0x7823)))
    assert reply(mine, 0x7823) == mine.encode({"laf": 3.5, "laf_b": 12.0})


def test_the_number_of_replies_is_that_of_the_reads() -> None:
    """A reply too few is no reason for a wrong pairing."""
    mine = made(HEAD + POINT)
    with pytest.raises(BadFrame):
        mine.decode(())


@pytest.mark.parametrize(
    ("value", "complaint"), [(7000.0, "cannot be held in u16"), (-1.0, "cannot be held"), (None, "no value for laf")]
)
def test_what_cannot_be_encoded(value: float | None, complaint: str) -> None:
    """A simulated device says so when its registers cannot hold what it is told."""
    mine = made(HEAD + POINT)
    with pytest.raises(ValueError, match=complaint):
        mine.encode({} if value is None else {"laf": value})


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_values_come_back_from_the_wire(path: Path, data: st.DataObject) -> None:
    """Every shipped profile: any value of its range, encoded and decoded, is the same to half its resolution."""
    profile = Profile.model_validate(tomllib.loads(path.read_text()))
    mine = driver(profile)
    points = {p.name: p for p in profile.point if p.name in mine.points}
    drawn = {name: data.draw(drawable(point)) for name, point in points.items()}
    assert mine.encode is not None
    found = mine.decode(mine.encode(drawn))

    assert drawn.keys() == {m.name for m in found}
    for m in found:
        assert m.quality is Quality.GOOD, m
        assert drawn[m.name] == pytest.approx(m.value, abs=points[m.name].scale / 2 + 1e-6)


def drawable(point: Any) -> st.SearchStrategy[float]:
    if point.codes is not None:
        return st.sampled_from(sorted(point.codes.values()))
    if point.mask is not None or point.type == "bit":
        return st.integers(0, 1).map(float)
    return st.floats(*point.range)


# ---- requests ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "bridge", "expected"),
    [
        ([Place(3, 0), Place(3, 1)], 0, (Block(3, 0, 2),)),
        ([Place(3, 5), Place(3, 0)], 0, (Block(3, 0, 1), Block(3, 5, 1))),
        ([Place(3, 5), Place(3, 0)], 4, (Block(3, 0, 6),)),
        ([Place(3, 5), Place(3, 0)], 3, (Block(3, 0, 1), Block(3, 5, 1))),
        ([Place(3, 0), Place(4, 1)], 9, (Block(3, 0, 1), Block(4, 1, 1))),
        ([Place(3, 0, "u32"), Place(3, 1)], 0, (Block(3, 0, 2),)),
        ([Place(3, 0), Place(3, 0)], 0, (Block(3, 0, 1),)),
        ([Place(3, address) for address in range(130)], 0, (Block(3, 0, 125), Block(3, 125, 5))),
        ([Place(2, 0, "bit"), Place(2, 7, "bit")], 15, (Block(2, 0, 8),)),
    ],
)
def test_neighbours_come_in_one_request(places: list[Place], bridge: int, expected: tuple[Block, ...]) -> None:
    """As few requests as the holes and the longest frame allow."""

    assert expected == plan(places, bridge)


# ---- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "address", "options", "complaint"),
    [
        ("renke_rs_zs", 1, {"strat": 1}, "strat: no such key (did you mean 'start'?)"),
        ("renke_rs_zs", 0, {}, "address 0 is not in 1 to 254"),
        ("renke_rs_zs", 255, {}, "address 255 is not in 1 to 254"),
        ("renke_rs_zs", 1, {"scale": "ten"}, "scale: a number, or a table { point = number }"),
        ("renke_rs_zs", 1, {"scale": float("nan")}, "finite number"),
        ("renke_rs_zs", 1, {"points": "laf"}, "points: Input should be a valid list"),
        ("renke_rs_zs", 1, {"scale": 0}, "scale must not be 0"),
        ("renke_rs_zs", 1, {"points": ["leq"]}, "no point 'leq'"),
        ("renke_rs_zs", 1, {"points": []}, "at least one point"),
        ("renke_rs_zs", 1, {"range": {"laf": [1, 1]}}, "range is [low, high]"),
        ("renke_rs_zs", 1, {"function": 2}, "functions 1 and 2 read bits, 3 and 4 read registers"),
        ("xy_md02", 1, {"start": 0xFFFF}, "address: Input should be less than or equal to 65535"),
        ("renke_byh_m", 1, {}, "'points' must be given: it differs between units"),
        ("renke_byh_m", 1, {"points": ["co2", "pm2_5"]}, "pm2_5 and co2 lie in the same register"),
        ("renke_immersion", 1, {"start": 1}, "'codes' must be given"),
        ("modbus_noise", 1, {"start": 1}, "'scale' must be given"),
    ],
)
def test_a_wrong_option_is_told_in_words(name: str, address: int, options: dict[str, object], complaint: str) -> None:
    """`at` says what is wrong, and names the nearest where it can."""
    found = library.find(name)
    assert found.at is not None
    with pytest.raises(ProfileError) as told:
        found.at(address, options)

    assert complaint in str(told.value)


def test_options_change_what_they_name_and_nothing_else() -> None:
    """Address, register, scale, function, baud, parity and range by option; the driver itself stays as it was."""
    before = library.find("xy_md02")
    assert before.at is not None
    line = {"baud": 19200, "parity": "E", "stop_bits": 2}
    unit = {"start": 0, "scale": {"humidity": 0.01}, "function": 3, "range": {"temperature": [0, 50]}}
    changed = before.at(9, {**line, **unit, "points": ["temperature", "humidity"]})
    found = changed.decode((modbus.answer(changed.reads[0].send, bytes.fromhex("0258 1770")),))

    assert (19200, "E", 2, 9) == (changed.baud, changed.parity, changed.stop_bits, changed.address)
    assert modbus.read(9, 3, 0, 2) == changed.reads[0].send
    assert {"temperature": 60.0, "humidity": 60.0} == values(found)
    assert [Quality.INVALID, Quality.GOOD] == [m.quality for m in found]
    assert modbus.read(1, 4, 1, 2) == before.reads[0].send


def test_only_a_slow_element_makes_a_box_slow() -> None:
    """Dust and CO2 need a minute, noise does not: a box without them counts at once."""
    box = library.find("renke_byh_m")
    assert box.at is not None

    assert (2.0, 60.0) == tuple(box.at(1, {"points": points}).warm_up_s for points in (["laf"], ["laf", "pm10"]))


def test_the_order_of_words_is_an_option() -> None:
    """Some makers send the low word first, and say so nowhere."""
    mine = made(HEAD + POINT.replace("30, 120", "0, 1e9") + 'type = "u32"\n')
    assert mine.at is not None
    turned = mine.at(1, {"words": "low-first"})

    assert {"laf": 12345.6} == values(turned.decode(reply(turned, 0xE240, 1)))


# ---- settings ---------------------------------------------------------------------------------------------------


WTVB01_TO_81 = ["50 06 00 69 b5 88 22 a1", "50 06 00 1a 00 51 64 70", "50 06 00 00 00 00 84 4b"]


@pytest.mark.parametrize(
    ("name", "what", "value", "expected"),
    [
        ("renke_rs_zs", "address", 2, ["01 06 07 d0 00 02 08 86"]),
        ("renke_rs_zs", "baud", 9600, ["01 06 07 d1 00 02 59 46"]),
        ("xy_md02", "baud", 9600, ["01 06 01 02 25 80 32 c6"]),
        ("witmotion_wtvb01", "address", 0x51, WTVB01_TO_81),
    ],
)
def test_address_and_speed_are_set_as_documented(name: str, what: str, value: int, expected: list[str]) -> None:
    """What `provision` sends is what the manual prints, unlock and save included."""
    settings_of = library.find(name).provision
    reads = getattr(settings_of, what)(value)

    assert expected == [read.send.hex(" ") for read in reads]
    assert all(len(read.send) == read.frame(read.send) for read in reads)  # a write is confirmed by its own bytes


@pytest.mark.parametrize(("what", "value"), [("address", 0), ("address", 255), ("baud", 12345)])
def test_a_setting_beyond_the_manual_is_refused(what: str, value: int) -> None:
    """A device is never given an address or speed at which it could not be found again."""
    settings_of = library.find("renke_rs_zs").provision
    with pytest.raises(ProfileError, match=str(value)):
        getattr(settings_of, what)(value)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("abc-off", ["fe 06 00 1f 00 00 ac 03"]),
        ("background-calibration", ["fe 06 00 00 00 00 9d c5", "fe 06 00 01 7c 06 6c c7"]),
    ],
)
def test_documented_actions(action: str, expected: list[str]) -> None:
    """Senseair S8: what switches its calibration is what its manual prints."""

    assert expected == [read.send.hex(" ") for read in library.find("senseair_s8").actions[action]]


def test_a_unit_says_who_it_is() -> None:
    """B7: the serial number of a Senseair S8 is asked for in one request and compared as text."""
    s8 = library.find("senseair_s8")
    assert s8.identity is not None
    assert s8.identify is not None
    answer = modbus.answer(s8.identity.send, bytes.fromhex("00a1 b2c3"))

    assert modbus.read(0xFE, 4, 29, 2) == s8.identity.send
    assert "00a1b2c3" == s8.identify(answer)
    with pytest.raises(BadFrame):
        s8.identify(answer[:-1])


# ---- frames without a check -------------------------------------------------------------------------------------


def test_two_agree_before_a_value_is_good() -> None:
    """The first is suspect; one wild value is suspect and does not unseat what was true before it."""
    agreement = Agreement()
    heard = [50.1, 51.3, 178.0, 51.0, 82.0, 82.5]
    judged = [agreement.judge([Measurement("laf", level)])[0].quality.value for level in heard]

    assert ["suspect", "good", "suspect", "good", "suspect", "good"] == judged


def test_silence_and_invalid_values_confirm_nothing() -> None:
    """After a loss the first value is suspect again; what the device itself calls invalid stays so."""
    agreement = Agreement()
    broken = Measurement("laf", 50.0, Quality.INVALID, "fault")

    assert [broken, broken] == agreement.judge([broken]) + agreement.judge([broken])
    assert agreement.judge([Measurement("laf", 50.0)])[0].quality is Quality.SUSPECT
    agreement.clear()
    assert agreement.judge([Measurement("laf", 50.0)])[0].quality is Quality.SUSPECT


def test_each_point_is_confirmed_by_itself() -> None:
    """Channels and quantities do not confirm one another, and people differ by less than a degree."""
    agreement = Agreement()
    agreement.judge([Measurement("object_temperature", 36.4), Measurement("temperature", 20.0)])
    found = agreement.judge([Measurement("object_temperature", 37.1), Measurement("temperature", 20.8)])

    assert [Quality.SUSPECT, Quality.GOOD] == [m.quality for m in found]


def test_at_starts_from_the_profile() -> None:
    """Asked again for another address, a driver forgets its options: nothing is carried over unseen."""
    profile = Profile.model_validate(tomllib.loads((PROFILES / "renke_rs_zs.toml").read_text()))
    moved = at(profile, 3, {"start": 14})
    assert moved.at is not None

    assert modbus.read(4, 3, 0, 1) == moved.at(4, {}).reads[0].send
