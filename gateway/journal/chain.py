"""Events that cannot be altered unseen: canonical JSON, hashes that name the one before, the device's signature.

    body = canonical({..., run, seq, previous, hash, sig, historical})         RFC 8785, UTF-8: one form and no other
    hash = SHA-256 (hex) of canonical(event without hash, sig, historical)
    sig  = Ed25519 (base64) by the device's key over the 64 characters of hash

Each stream is a chain of its own. Within a run `seq` counts 1, 2, 3 ... and `previous` is the hash before; a run's
first event in a stream names the last committed one of the run before, or null when there is none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from drivers.quantities import Stream
from gateway.journal.files import set_aside, stamp, write_durably
from gateway.moment import Moment
from gateway.values import Event
from gateway.values import Head as Head  # noqa: PLC0414  part of the chain's vocabulary: offered from here too

UNHASHED = ("hash", "sig", "historical")
KEY_FILE, PUBLIC_FILE = "device.key", "device.pub"
_KEY_PREFIX = "ed25519:"
_LIVE, _HISTORICAL = b',"historical":false,', b',"historical":true,'
_LARGEST_INT = 2**53 - 1


# ---- the form ---------------------------------------------------------------------------------------------------


def canonical(value: Mapping[str, Any]) -> bytes:
    """RFC 8785 bytes. What JSON cannot carry (NaN, lone surrogates, huge integers) is made harmless, never an error."""
    return rfc8785.dumps(_plain(value))


def _plain(value: Any) -> Any:
    """An event must never fail to be made over a stray character in somebody's note."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_INT:
        return str(value)
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def hash_of(event: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the event's canonical JSON without `hash`, `sig` and `historical`."""
    return hashlib.sha256(canonical({key: item for key, item in event.items() if key not in UNHASHED})).hexdigest()


def as_historical(body: bytes) -> bytes:
    """The same event, marked as sent late. Hash and signature stay good: they do not cover the mark."""
    # Inside a JSON string every quote has a backslash before it, so this text can only be the field itself.
    return body.replace(_LIVE, _HISTORICAL, 1)


def uuid7(wall_ns: int) -> str:
    """A UUID of version 7 (RFC 9562, the sub-millisecond fraction in rand_a): sorts by time, unique by chance."""
    milliseconds, rest_ns = divmod(wall_ns, 1_000_000)
    fraction = (rest_ns << 12) // 1_000_000
    tail = int.from_bytes(os.urandom(8), "big") & (2**62 - 1)
    number = (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | tail
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# ---- the device's key -------------------------------------------------------------------------------------------


class Identity:
    """The device's Ed25519 key. `problem` says in words why it could not be kept or read; None when all is well."""

    def __init__(self, key: Ed25519PrivateKey, problem: str | None = None) -> None:
        self._key = key
        self.problem = problem
        self.public = public_text(key.public_key())

    @classmethod
    def open(cls, directory: Path, now: Moment) -> Identity:
        """The key of this state directory, made at its first start (mode 0600; it never leaves the directory).

        A card that cannot be read or written does not stop the gateway: it then signs with a key of this run only.
        """
        path = directory / KEY_FILE
        problem = None
        try:
            if path.exists():
                key = _read_key(path.read_bytes())
                if key is not None:
                    _publish(directory, key)
                    return cls(key)
                aside = set_aside(path, stamp(now), "bad")
                if (directory / PUBLIC_FILE).exists():  # what the lost key has signed can still be verified
                    set_aside(directory / PUBLIC_FILE, stamp(now), "old")
                problem = f"{KEY_FILE} was damaged and is now {aside.name}"
            key = Ed25519PrivateKey.generate()
            write_durably(path, _KEY_PREFIX.encode() + base64.b64encode(key.private_bytes_raw()) + b"\n", 0o600)
            _publish(directory, key)
        except OSError as error:
            return cls(Ed25519PrivateKey.generate(), f"{KEY_FILE}: {error.strerror or error}")
        return cls(key, problem)

    def sign(self, data: bytes) -> str:
        """The signature in base64."""
        return base64.b64encode(self._key.sign(data)).decode()


def _read_key(data: bytes) -> Ed25519PrivateKey | None:
    try:
        text = data.decode("ascii").strip()
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.removeprefix(_KEY_PREFIX), validate=True))
    except ValueError:
        return None


def _publish(directory: Path, key: Ed25519PrivateKey) -> None:
    """Keep the public half beside it, so that a verifier needs no access to the secret one."""
    path, text = directory / PUBLIC_FILE, public_text(key.public_key()) + "\n"
    if not path.exists() or path.read_text() != text:
        write_durably(path, text.encode(), 0o644)


def public_keys(directory: Path) -> list[str]:
    """The public keys that this state directory's events may be signed by: the present one first. Raises OSError."""
    paths = [directory / PUBLIC_FILE, *sorted(directory.glob(f"{PUBLIC_FILE}.*.old"))]
    return [path.read_text("ascii").strip() for path in paths if path.exists()]


def public_text(key: Ed25519PublicKey) -> str:
    """`ed25519:` and base64, as configurations and `meta` carry public keys."""
    return _KEY_PREFIX + base64.b64encode(key.public_bytes_raw()).decode()


def verify(public: str, data: bytes, signature: str) -> bool:
    """Whether `signature` (base64, strictly its one form) over `data` is by the key `public` (`ed25519:...`)."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key = base64.b64decode(public.removeprefix(_KEY_PREFIX), validate=True)
        if base64.b64encode(raw).decode() != signature:
            return False
        Ed25519PublicKey.from_public_bytes(key).verify(raw, data)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


# ---- the chain --------------------------------------------------------------------------------------------------


class Chain:
    """Numbers, chains and signs this run's events, each once. Owned by the engine's thread.

    `number` is the last one ever used; `heads` are the last committed events of each stream. An event that was
    made is part of the chain, whatever becomes of it: it is never made again under another number.
    """

    def __init__(self, run: str, venue: str, number: int, heads: Mapping[Stream, Head], identity: Identity) -> None:
        self.run, self.venue, self.number = run, venue, number
        self.heads: dict[Stream, Head] = dict(heads)
        self._identity = identity

    def make(
        self,
        stream: Stream,
        fields: Mapping[str, Any],
        *,
        at: Moment,
        urgent: bool = False,
        needs_receipt: bool = False,
    ) -> Event:
        """One event of `fields` (at least `alarm`); adds id, venue, stream, run, seq, previous, hash, sig."""
        head = self.heads.get(stream)
        seq = head.seq + 1 if head is not None and head.run == self.run else 1
        event = {
            "schema": 1,
            "id": uuid7(at.wall_ns),
            **fields,
            "venue": self.venue,
            "stream": stream,
            "run": self.run,
            "seq": seq,
            "previous": head.hash if head is not None else None,
            "historical": False,
        }
        event["hash"] = digest = hash_of(event)
        event["sig"] = self._identity.sign(digest.encode())
        self.heads[stream] = Head(self.run, seq, digest)
        self.number += 1
        return Event(
            number=self.number,
            stream=stream,
            run=self.run,
            seq=seq,
            id=str(event["id"]),
            hash=digest,
            body=canonical(event),
            alarm=str(event["alarm"]),
            urgent=urgent,
            needs_receipt=needs_receipt,
            at=at,
        )


def new_run() -> str:
    """A name for one start of the program: 16 random hex digits."""
    return os.urandom(8).hex()


# ---- checking one event -----------------------------------------------------------------------------------------


class BadEvent(Exception):
    """A body is not an event as this gateway makes them; the text says in what way."""


def read_event(body: bytes, public: str | None = None) -> dict[str, Any]:
    """The event of `body`, proven: one canonical form, hash right, signed by `public` if given. Raises BadEvent.

    Copies marked historical are accepted here: hash and signature do not cover the mark.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadEvent("not JSON") from error
    if not isinstance(event, dict):
        raise BadEvent("not a JSON object")
    try:
        same = rfc8785.dumps(event) == body  # also finds a key that stands there twice
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise BadEvent("not canonical JSON") from error
    if not same:
        raise BadEvent("not canonical JSON")
    if not isinstance(event.get("historical"), bool) or event.get("hash") != hash_of(event):
        raise BadEvent("its hash does not fit its content")
    if public is not None and not verify(public, str(event["hash"]).encode(), str(event.get("sig"))):
        raise BadEvent("its signature is not by this gateway's key")
    return event
