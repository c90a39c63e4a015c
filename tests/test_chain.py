"""The chain of events: its form, its hashes, its signatures, its key."""

import base64
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.quantities import Stream
from gateway.journal import chain
from gateway.journal.chain import BadEvent, Chain, Head, Identity
from gateway.moment import Moment

NOW = Moment(1_780_794_723_123_456_789, 5_000_000_000)
FIELDS = {
    "alarm": "leak-button",
    "kind": "leak",
    "transition": "raised",
    "value": None,
    "text": {"zh": "泄漏", "en": "leak"},
}


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity.open(tmp_path_factory.mktemp("state"), NOW)


def fresh(
    identity: Identity, run: str = "9f2c61d0a4e81b37", number: int = 0, heads: dict[Stream, Head] | None = None
) -> Chain:
    return Chain(run, "zj-no1", number, heads or {}, identity)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"b": 1, "a": [True, None, "x"]}, b'{"a":[true,null,"x"],"b":1}'),
        ({"v": 55.0, "w": 58.4, "x": 1e21, "y": 1e-7}, b'{"v":55,"w":58.4,"x":1e+21,"y":1e-7}'),
        ({"zh": "考点", "q": '"\n\u001f'}, '{"q":"\\"\\n\\u001f","zh":"考点"}'.encode()),
        ({"nan": float("nan"), "inf": float("inf")}, b'{"inf":null,"nan":null}'),
        ({"lone": "a\ud800b"}, b'{"lone":"a?b"}'),
        ({"big": 2**60}, b'{"big":"1152921504606846976"}'),
        ({1: (1, 2)}, b'{"1":[1,2]}'),
    ],
)
def test_canonical(value: dict[Any, Any], form: bytes) -> None:
    """The bytes are RFC 8785's; what JSON cannot carry becomes harmless instead of losing an event."""
    actual = chain.canonical(value)

    assert form == actual


def test_hash_by_hand(identity: Identity) -> None:
    """The hash is SHA-256 over the canonical JSON without hash, sig and historical, as integrators compute it."""
    event = fresh(identity).make("custody", FIELDS, at=NOW)
    read = json.loads(event.body)
    rest = {k: v for k, v in read.items() if k not in {"hash", "sig", "historical"}}
    by_hand = hashlib.sha256(
        json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()

    assert by_hand == read["hash"]
    assert by_hand == event.hash
    assert base64.b64encode(base64.b64decode(read["sig"])).decode() == read["sig"]


def test_sequence_and_links(identity: Identity) -> None:
    """Streams count and link for themselves; numbers run over all of them."""
    made = fresh(identity, number=41)
    events = [made.make(stream, FIELDS, at=NOW) for stream in ("custody", "gateway", "custody")]
    bodies = [json.loads(e.body) for e in events]

    assert [42, 43, 44] == [e.number for e in events]
    assert [1, 1, 2] == [e.seq for e in events]
    assert [None, None, events[0].hash] == [b["previous"] for b in bodies]


def test_new_run_names_the_one_before(identity: Identity) -> None:
    """A run's first event in a stream counts from 1 and names the last committed event of the run before."""
    last = Head("aaaaaaaaaaaaaaaa", 7, "f" * 64)
    event = fresh(identity, heads={"custody": last}).make("custody", FIELDS, at=NOW)

    assert (1, "f" * 64) == (event.seq, json.loads(event.body)["previous"])


def test_read_event(identity: Identity) -> None:
    """A reader proves form, hash and signature, also of a copy that is marked historical."""
    event = fresh(identity).make("custody", FIELDS, at=NOW)
    late = chain.as_historical(event.body)

    assert "leak-button" == chain.read_event(event.body, identity.public)["alarm"]
    assert chain.read_event(late, identity.public)["historical"] is True
    assert len(event.body) == len(late) + 1


def test_mark_is_only_the_field(identity: Identity) -> None:
    """A note that quotes the mark's own text is left as it is."""
    note = ',"historical":false,'
    event = fresh(identity).make("custody", {**FIELDS, "a": note, "note": note}, at=NOW)
    late = chain.read_event(chain.as_historical(event.body), identity.public)

    assert (note, note, True) == (late["a"], late["note"], late["historical"])


@given(data=st.data())
def test_every_changed_byte_is_found(identity: Identity, data: st.DataObject) -> None:
    """Whatever single byte of a body is replaced, removed or added: it is no longer this gateway's event."""
    body = fresh(identity).make("custody", FIELDS, at=NOW).body
    at = data.draw(st.integers(0, len(body) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])
    edit = data.draw(
        st.sampled_from([body[:at] + byte + body[at + 1 :], body[:at] + body[at + 1 :], body[:at] + byte + body[at:]])
    )
    if edit == body:
        return

    with pytest.raises(BadEvent):
        chain.read_event(edit, identity.public)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"\xff", b'{"a":1,"a":1}', b"[" * 100_000, b'{"hash":"00","historical":false}']
)
def test_hostile_bodies(identity: Identity, body: bytes) -> None:
    """Bytes that are no event raise BadEvent and nothing else."""
    with pytest.raises(BadEvent):
        chain.read_event(body, identity.public)


def test_foreign_signature(identity: Identity, tmp_path: Path) -> None:
    """An event signed by another device's key is refused."""
    body = fresh(Identity.open(tmp_path, NOW)).make("custody", FIELDS, at=NOW).body

    with pytest.raises(BadEvent, match="signature"):
        chain.read_event(body, identity.public)


def test_key_is_made_once_and_kept_secret(tmp_path: Path) -> None:
    """The key is made at the first start, mode 0600, and is the same ever after; its public half stands beside it."""
    first, second = Identity.open(tmp_path, NOW), Identity.open(tmp_path, NOW)

    assert first.public == second.public
    assert first.problem is None
    assert 0o600 == (tmp_path / "device.key").stat().st_mode & 0o777
    assert first.public + "\n" == (tmp_path / "device.pub").read_text()


@pytest.mark.parametrize("content", [b"", b"\0" * 57, b"ed25519:AAAA\n"])
def test_damaged_key(tmp_path: Path, content: bytes) -> None:
    """F5: a torn, zeroed or short key file is put aside, a new key made, and that is said."""
    (tmp_path / "device.key").write_bytes(content)
    identity = Identity.open(tmp_path, NOW)

    assert "device.key was damaged and is now device.key.20260607T011203Z.bad" == identity.problem
    assert content == (tmp_path / "device.key.20260607T011203Z.bad").read_bytes()
    assert identity.public == Identity.open(tmp_path, NOW).public


def test_no_card_for_the_key(tmp_path: Path) -> None:
    """F8: when the key cannot be kept, the run goes on with one of its own, and says so."""
    identity = Identity.open(tmp_path / "not" / "there", NOW)

    assert "device.key: No such file or directory" == identity.problem
    assert chain.verify(identity.public, b"x", identity.sign(b"x"))


def test_uuid7() -> None:
    """Ids are version 7, sort by time and do not repeat within the same nanosecond."""
    ids = [uuid.UUID(chain.uuid7(NOW.wall_ns + step)) for step in (0, 300, 1_000_000)]

    assert [7, 7, 7] == [i.version for i in ids]
    assert {uuid.RFC_4122} == {i.variant for i in ids}
    assert NOW.wall_ns // 1_000_000 == ids[0].int >> 80
    assert sorted(ids) == ids
    assert 1000 == len({chain.uuid7(NOW.wall_ns) for _ in range(1000)})


def test_run_names() -> None:
    """Each start has a name of its own of 16 hex digits."""
    names = {chain.new_run() for _ in range(100)}

    assert 100 == len(names)
    assert {16} == {len(n) for n in names}
