"""Who may act and who may receive: PINs for the local socket, keys for receipts and commands over MQTT."""

from __future__ import annotations

import argparse
import base64
import getpass
import hashlib
import hmac
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.catalogue import say
from gateway.configuration.config import Verb
from gateway.errors import ConfigError, Refused
from gateway.values import STREAMS

KEY_PREFIX = "ed25519:"
_PIN_PREFIX = "scrypt:"
_COST, _BLOCK, _LANES = 2**14, 8, 1  # 16 MiB and some 50 ms a try: RFC 7914's interactive parameters
SHORTEST_PIN = 4
_SALT_BYTES, _HASH_BYTES = 16, 32


def pin_hash(pin: str) -> str:
    """`scrypt:SALT:HASH` (base64), as `pin` of a `[[person]]` carries it."""
    salt = os.urandom(_SALT_BYTES)
    return _PIN_PREFIX + ":".join(base64.b64encode(part).decode() for part in (salt, _scrypt(pin, salt)))


def pin_matches(stored: str, pin: str) -> bool:
    """Whether `pin` is the one behind `stored`; False also when `stored` is not a PIN's hash."""
    try:
        salt, expected = (base64.b64decode(part, validate=True) for part in stored.removeprefix(_PIN_PREFIX).split(":"))
    except ValueError:
        return False
    return hmac.compare_digest(_scrypt(pin, salt), expected)


def _scrypt(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=_COST, r=_BLOCK, p=_LANES, dklen=_HASH_BYTES)


def new_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


# ---- keys -------------------------------------------------------------------------------------------------------


def public_text(key: Ed25519PrivateKey) -> str:
    """`ed25519:...`, as `key` of a `[[person]]` or `[[station]]` carries it."""
    return KEY_PREFIX + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def write_key(path: Path, key: Ed25519PrivateKey) -> None:
    """A key file that only its owner can read. Raises FileExistsError: a key is never overwritten."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(KEY_PREFIX.encode() + base64.b64encode(key.private_bytes_raw()) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_key(path: Path) -> Ed25519PrivateKey:
    """The private key of a file: `ed25519:` and base64, or PEM. Raises ConfigError, also when others can read it."""
    try:
        data = path.read_bytes()
        if path.stat().st_mode & 0o077:
            raise ConfigError(say("the key file {file} can be read by others: chmod 600 {file}", file=path))
        if data.startswith(b"-----BEGIN"):
            key = load_pem_private_key(data, password=None)
            if not isinstance(key, Ed25519PrivateKey):
                raise ConfigError(say("the key in {file} is no Ed25519 key", file=path))
            return key
        text = data.decode("ascii").strip().removeprefix(KEY_PREFIX)
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text, validate=True))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(say("the key file {file} cannot be used: {why}", file=path, why=error)) from error


# ---- `person add` and `station add` -----------------------------------------------------------------------------


def person_main(args: argparse.Namespace) -> int:
    """Prints the `[[person]]` stanza: with a PIN asked for at the terminal, or a key made in `--key-file`."""
    lines = ["[[person]]", f"id = {_quoted(args.id)}", f"name = {_quoted(args.name or args.id)}"]
    lines.append(f"may = {json.dumps(_listed(args.may, get_args(Verb)))}")
    if args.key_file is not None:
        lines.append(f"key = {_quoted(_made(args.key_file))}")
    else:
        lines.append(f"pin = {_quoted(pin_hash(_asked_pin()))}")
    print("\n".join(lines))
    return 0


def station_add_main(args: argparse.Namespace) -> int:
    """Makes a station's key and prints its `[[station]]` stanza for the venues."""
    if args.id is None:
        raise Refused(say("name the station: station add ID"))
    path = args.key_file or Path(f"{args.id}.key")
    streams = _listed(args.streams, STREAMS)
    lines = ["[[station]]", f"id = {_quoted(args.id)}", f"key = {_quoted(_made(path))}"]
    lines.append(f"streams = {json.dumps(streams)}")
    print("\n".join(lines))
    return 0


def _listed(given: Sequence[str], known: Sequence[str]) -> list[str]:
    """Words, separated by spaces or commas. Raises Refused for one that the configuration would not take."""
    words = [word for part in given for word in part.split(",") if word]
    for word in words:
        if word not in known:
            raise Refused(say("{given} is none of: {known}", given=repr(word), known=", ".join(known)))
    return words


def _made(path: Path) -> str:
    key = new_key()
    try:
        write_key(path, key)
    except FileExistsError as error:
        raise Refused(say("{file} is there already; a key is never overwritten", file=path)) from error
    except OSError as error:
        raise Refused(say("{file} cannot be written: {why}", file=path, why=error.strerror)) from error
    return public_text(key)


def _asked_pin() -> str:
    """From a terminal, twice; else one line of standard input. Never from the command line, which others can see."""
    if not sys.stdin.isatty():
        pin = sys.stdin.readline().rstrip("\n")
    else:
        pin = getpass.getpass(say("PIN: "))
        if getpass.getpass(say("the same again: ")) != pin:
            raise Refused(say("the two were not the same"))
    if len(pin) < SHORTEST_PIN:
        raise Refused(say("a PIN has at least {count} characters", count=SHORTEST_PIN))
    return pin


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
