"""A code for every error that people read: `E-7K3QX`, its place in docs/errors.md.

It is made of the English message, so there is no list of codes that could be forgotten, and a support person who is
read five letters over the telephone finds the sentence in both languages. It changes when the sentence does.
"""

from __future__ import annotations

import base64
import hashlib

from gateway.catalogue import Said, sentence
from gateway.errors import ConfigError, Refused, Unavailable

_LETTERS = 5
# Where no sentence of ours is at hand (a foreign program's words, several problems at once): by what to do next.
GENERAL: dict[type[Exception], str] = {
    ConfigError: "E-CONFIGURATION",
    Refused: "E-REFUSED",
    Unavailable: "E-UNAVAILABLE",
}


def code(message: str) -> str:
    """Of a catalogue message. Base 32 has no 0, 1 and 8, which are misread."""
    return "E-" + base64.b32encode(hashlib.sha256(message.encode()).digest())[:_LETTERS].decode()


def code_of(error: Exception) -> str:
    """Of an error for people."""
    text = sentence(error)
    if isinstance(text, Said):
        return code(text.message)
    given = getattr(error, "code", None)  # by a gateway that answered over its socket
    return str(given) if given else GENERAL.get(type(error), "E-REFUSED")
