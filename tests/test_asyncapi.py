"""`docs/asyncapi.yaml` says what the gateway publishes, and its examples are what it says."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import asyncapi
import pytest
import yaml

from drivers.base import Quality
from gateway import payloads
from gateway.moment import NANO, Moment
from gateway.payloads import Origin
from gateway.persons import signing
from gateway.persons.people import new_key
from gateway.values import STREAMS, Event, Reading, Readings

NOW = Moment(1_780_800_000 * NANO, 1_000 * NANO)
ORIGIN = Origin("zj-no1", "9f2c61d0a4e81b37", ZoneInfo("Asia/Shanghai"))
MESSAGES = asyncapi.document()["components"]["messages"]
EVENT = Event(1, "custody", ORIGIN.run, 1, "i", "ab" * 32, b"{}", "leak-button", True, True, NOW)


def topic_of(name: str) -> str:
    address = str(asyncapi.document()["channels"][name]["address"])
    return address.replace("{venue}", "zj-no1").replace("{stream}", "environment").replace("{name}", "x")


@pytest.mark.parametrize("name", list(asyncapi.document()["channels"]))
def test_every_message_has_examples_that_are_right(name: str) -> None:
    """Each channel has a message, each message an example, each example fits its schema."""
    examples = [json.dumps(each["payload"]).encode() for each in MESSAGES[name]["examples"]]

    assert examples
    assert [] == [problem for each in examples for problem in asyncapi.problems(topic_of(name), each)]


@pytest.mark.parametrize("name", list(asyncapi.document()["channels"]))
def test_a_message_without_a_field_does_not_pass(name: str) -> None:
    """The schemas mean something: a missing field or a wrong type is found."""
    example: dict[str, Any] = MESSAGES[name]["examples"][0]["payload"]
    required = asyncapi.document()["components"]["schemas"][name]["required"]
    for field in required:
        less = json.dumps({key: value for key, value in example.items() if key != field}).encode()
        wrong = json.dumps(example | {field: [[]]}).encode()

        assert asyncapi.problems(topic_of(name), less)
        assert asyncapi.problems(topic_of(name), wrong)


def sign(_data: bytes) -> str:
    return "A" * 86 + "=="


def emitted() -> list[tuple[str, bytes]]:
    """One of each kind of message, from the functions that make them."""
    reading = Reading("gate-noise/laf", 58.4, Quality.GOOD, NOW)
    gone = Reading("gate-noise/laf", None, Quality.INVALID, NOW.after(1), "warm-up")
    fields = {"kind": "leak", "severity": "critical", "state": "normal", "condition": False, "activation": None}
    fields |= {"revision": 0, "since": None, "text": {"zh": "", "en": ""}, "life": {}}
    key = new_key()
    below = [
        payloads.Below("status", payloads.online(ORIGIN, NOW, session="0" * 16, nonce="0" * 32, details={"x": 1})),
        payloads.Below("status", payloads.offline(ORIGIN, NOW, session="0" * 16, reason="stopped")),
        payloads.meta(ORIGIN, streams=STREAMS, config_sha256="ab" * 32, key=f"ed25519:{'A' * 43}="),
        payloads.stream_meta(ORIGIN, "custody", contacts=[{"name": "door", "kind": "seal", "place": ""}]),
        payloads.contact_state(ORIGIN, "custody", "door", kind="seal", state="cut", since=NOW),
        payloads.alarm_state(ORIGIN, "custody", "leak-button", EVENT, fields, sign),
        payloads.alarm_state(ORIGIN, "custody", "leak-button", None, fields, sign),
        payloads.head(ORIGIN, NOW, "custody", run=None, seq=0, hash_=None),
        payloads.head(ORIGIN, NOW, "custody", run=ORIGIN.run, seq=1, hash_=EVENT.hash),
        payloads.response(ORIGIN, NOW, "ping", id_="c1", ok=True, result={}),
        *payloads.readings(ORIGIN, [Readings("gate-noise", (reading, gone))], historical=True),
        payloads.Below("receipt/county", signing.make_receipt(key, station="county", hash_="ab" * 32, time="t")),
        payloads.Below("command/ack", signing.make_command(key, "ack", id_="1", by="li-wei", nonce="n")),
    ]
    return [(f"{ORIGIN.root}/{each.topic}", each.payload) for each in below]


@pytest.mark.parametrize(("topic", "payload"), emitted())
def test_what_is_emitted_is_what_is_described(topic: str, payload: bytes) -> None:
    """The functions that make messages keep to the document."""
    assert [] == asyncapi.problems(topic, payload)


def test_units_and_streams_follow_the_quantity() -> None:
    """A point's branch and unit come from the one list, channels and statistics included; unknown ones stay inside."""
    table = {
        "m/laf": ("dB(A)", "environment"),
        "m/laeq_1min": ("dB(A)", "environment"),
        "m/velocity_x": ("mm/s", "environment"),
        "m/body_temperature": ("degC", "screening"),
        "m/temperature_out": ("degC", "environment"),
        "m/nothing_known": ("", "gateway"),
        "nothing": ("", "gateway"),
    }

    assert table == {point: (payloads.unit_of(point), payloads.stream_of(point)) for point in table}


def test_a_state_is_known_by_its_signature() -> None:
    """Only what this gateway signed is read back as its own; any other bytes are nothing, never an error."""
    for payload in (b"", b"{}", b"[]", b"null", b'{"sig":1}', b'{"sig":"x"}', b"[" * 5000, b"\xff"):
        assert payloads.read_alarm_state(payload, f"ed25519:{'A' * 43}=") is None


def test_the_document_is_asyncapi_3() -> None:
    """Every reference in it leads somewhere."""
    document = asyncapi.document()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [each for item in value.values() for each in references(item)]
        return [each for item in value for each in references(item)] if isinstance(value, list) else []

    assert "3.0.0" == document["asyncapi"]
    for reference in references(document):
        at: Any = document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]

        assert at

    assert yaml.safe_load(asyncapi.FILE.read_text(encoding="utf-8")) == document
