"""Who may act and who may receive: PINs for the local socket, keys for receipts and commands over MQTT."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_PREFIX = "ed25519:"
_PIN_PREFIX = "scrypt:"
_COST, _BLOCK, _LANES = 2**14, 8, 1  # 16 MiB and some 50 ms a try: RFC 7914's interactive parameters
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
