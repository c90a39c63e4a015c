"""The door for receipts and commands: only what is signed, fresh, allowed and new comes in."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.configuration.config import Person, Station
from gateway.errors import Refused
from gateway.moment import NANO, Moment
from gateway.persons.people import new_key, public_text
from gateway.persons.signing import MAX_BYTES, REMEMBERED, Door, make_command, make_receipt, sign
from gateway.values import Inbound

NOW = Moment(1_780_800_000 * NANO, 1_000 * NANO)
COUNTY, CITY, LI, WANG = (new_key() for _ in range(4))
HASH = "ab" * 32
TIME = "2026-06-07T09:00:00+08:00"


@pytest.fixture
def door() -> Door:
    return make_door()


def make_door() -> Door:
    persons = [
        Person(id="li-wei", name="李伟", may=("ack",), key=public_text(LI)),
        Person(id="wang", name="王", may=("ack", "reset")),
    ]
    stations = [
        Station(id="county", key=public_text(COUNTY), streams=("custody", "gateway")),
        Station(id="city", key=public_text(CITY), streams=("environment",)),
    ]
    return Door(persons, stations)


def known(hash_: str) -> Any:
    return "custody" if hash_ == HASH else None


def inbound(topic: str, payload: bytes, *, retained: bool = False) -> Inbound:
    return Inbound(topic, payload, retained, "mqtt", NOW)


def receipt(key: Any = COUNTY, station: str = "county", hash_: str = HASH) -> bytes:
    return make_receipt(key, station=station, hash_=hash_, time=TIME)


def command(key: Any = LI, verb: str = "ack", **fields: Any) -> bytes:
    given = {"id_": "c1", "by": "li-wei", "nonce": "n2", "alarm": "leak-button", "activation": "a1", "revision": 3}
    return make_command(key, verb, **(given | fields))


def test_a_signed_receipt_counts(door: Door) -> None:
    """A station that serves the stream has the event; the signature is over RFC 8785 JSON without `sig`."""
    got = door.receipt(inbound("receipt/county", receipt()), known)

    assert (HASH, "county", "custody", TIME) == (got.hash, got.station, got.stream, got.time)

    fields = json.loads(receipt())
    signature = base64.b64decode(fields.pop("sig"))
    COUNTY.public_key().verify(signature, rfc8785.dumps(fields))
    spaced = json.dumps(json.loads(receipt()), indent=2).encode()

    assert HASH == door.receipt(inbound("receipt/county", spaced), known).hash


@pytest.mark.parametrize(
    ("topic", "payload", "words"),
    [
        ("receipt/county", receipt(CITY), "signature"),
        ("receipt/city", receipt(), "another name"),
        ("receipt/nobody", receipt(station="nobody"), "no station"),
        ("receipt/county", receipt(hash_="cd" * 32), "nobody here knows"),
        ("receipt/city", receipt(CITY, "city"), "does not serve"),
        ("receipt/county", receipt().replace(b"09:00", b"10:00"), "signature"),
        ("receipt/county", receipt(hash_="xy"), "not as agreed"),
        ("receipt/county", sign(COUNTY, {"hash": HASH, "station": "county", "time": TIME, "more": 1}), "not as agreed"),
        ("receipt/county", sign(COUNTY, {"hash": HASH, "station": "county", "time": 1}), "not as agreed"),
    ],
)
def test_any_other_receipt_changes_nothing(door: Door, topic: str, payload: bytes, words: str) -> None:
    """A foreign key, another name, an unknown event or stream, an edited or extended message."""
    with pytest.raises(Refused, match=words):
        door.receipt(inbound(topic, payload), known)


def test_a_signed_command_comes_in_once(door: Door) -> None:
    """By a named person who may; the same again is refused."""
    message = inbound("command/ack", command(note="看到了"))
    got = door.command(message, ("n1", "n2"))

    assert ("ack", "li-wei", "leak-button", "a1", 3, "看到了", "c1") == (
        got.verb,
        got.by,
        got.alarm,
        got.activation,
        got.revision,
        got.note,
        got.id,
    )

    with pytest.raises(Refused, match="came before"):
        door.command(message, ("n1", "n2"))


def test_a_station_may_ask_for_events(door: Door) -> None:
    """`resend` and `ping` are signed by a station."""
    arguments = {"stream": "custody", "run": "r", "first": 1, "last": 5}
    got = door.command(inbound("command/resend", command(COUNTY, "resend", by="county", arguments=arguments)), ("n2",))

    assert ("resend", "county", arguments) == (got.verb, got.by, dict(got.arguments))


@pytest.mark.parametrize(
    ("topic", "payload", "words"),
    [
        ("command/ack", command(WANG), "signature"),
        ("command/ack", command(nonce="old"), "too old"),
        ("command/reset", command(), "another name"),
        ("command/reset", command(verb="reset"), "may not reset"),
        ("command/ack", command(by="nobody"), "no person"),
        ("command/ack", command(WANG, by="wang"), "with a key"),
        ("command/resend", command(LI, "resend"), "no station"),
        ("command/ack", command(by="li wei"), "not as agreed"),
        ("command/ack", command(note="x" * 1001), "not as agreed"),
        ("command/ack", command(revision=-1), "not as agreed"),
        ("command/ack", command(arguments={"a": "b"}).replace(b'"b"', b"[1]"), "not as agreed"),
        ("command/ack", command().replace(b'"revision":3', b'"revision":3,"revision":4'), "twice"),
        ("command/ack", command().replace(b'"revision":3', b'"revision":NaN'), "not JSON"),
        ("command/ack", command().replace(b"c1", b"c2"), "signature"),
        ("command/ack", command().replace(b'"c1"', b'"\\ud800"'), "not as agreed"),
        ("command/ack", command(note="a").replace(b'"a"', b'"\\ud800"'), "not"),
        ("command/ack", b"", "not JSON"),
        ("command/ack", b"[]", "no object"),
        ("command/ack", b"\xff", "not JSON"),
        ("command/ack", b"[" * 4000, "deeply"),
        ("command/ack", b"]" * 100 + b"[" * 4000, "not JSON|deeply"),
        ("command/ack", b" " * (MAX_BYTES + 1), "too long"),
    ],
)
def test_any_other_command_changes_nothing(door: Door, topic: str, payload: bytes, words: str) -> None:
    """C15: foreign key, old nonce, other verb, no right, oversized, deep, doubled keys, not JSON."""
    with pytest.raises(Refused, match=words):
        door.command(inbound(topic, payload), ("n1", "n2"))


def test_a_refused_command_does_not_use_up_its_id(door: Door) -> None:
    """Somebody who copies an id cannot keep the real command out."""
    with pytest.raises(Refused):
        door.command(inbound("command/ack", command(WANG)), ("n2",))

    assert "c1" == door.command(inbound("command/ack", command()), ("n2",)).id


def test_a_retained_command_is_refused(door: Door) -> None:
    """A stored command would be carried out again at each connecting."""
    with pytest.raises(Refused, match="retained"):
        door.command(inbound("command/ack", command(), retained=True), ("n2",))


def test_memory_for_ids_is_bounded(door: Door) -> None:
    """Ids are remembered far longer than a nonce lives, and not for ever."""
    for number in range(REMEMBERED + 10):
        door._remember(f"c{number}")

    assert REMEMBERED == len(door._seen) == len(door._order)


DOOR = make_door()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def refused(topic: str, payload: bytes) -> bool:
    """Whether both doors refuse it; any other exception is the test's failure."""
    for work in (lambda message: DOOR.receipt(message, known), lambda message: DOOR.command(message, ("n2",))):
        try:
            work(inbound(topic, payload))
        except Refused:
            continue
        return False
    return True


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["receipt/county", "command/ack"]), st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(topic: str, payload: bytes) -> None:
    """C15: no bytes bring down the door."""
    assert refused(topic, payload)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(json.loads(command()))) | st.text(),
    JSON,
)
def test_any_field_may_be_anything(name: str, value: Any) -> None:
    """C15: a command with one field replaced by anything at all is refused, never an error."""
    fields = json.loads(command())
    before = fields.get(name)
    payload = json.dumps(fields | {name: value}).encode()

    assert value == before or refused("command/ack", payload)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(receipt()) - 1), st.integers(1, 255))
def test_no_changed_byte_is_accepted(place: int, change: int) -> None:
    """C15: a receipt with any one byte changed is refused (or says the same in other white space)."""
    payload = bytearray(receipt())
    payload[place] ^= change
    try:
        same = json.loads(payload) == json.loads(receipt())
    except ValueError:
        same = False

    assert same or refused("receipt/county", bytes(payload))


def test_a_receipt_stays_good_when_it_comes_by_the_other_broker(door: Door) -> None:
    """A receipt through either broker counts."""
    message = replace(inbound("receipt/county", receipt()), sink="second")

    assert HASH == door.receipt(message, known).hash
