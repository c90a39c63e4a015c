"""What passes between a connection to a broker (`link.py`) and whoever owns it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Publication(NamedTuple):
    topic: str
    payload: bytes
    retain: bool = False
    expires_s: int | None = None  # MQTT 5 only: the broker may drop it when nobody took it in time


@dataclass(frozen=True, slots=True)
class Acked:
    """PUBACK: `code` is MQTT 5's reason (0 taken, 16 taken but nobody listens, from 128 refused); 0 over 3.1.1."""

    mid: int
    code: int


@dataclass(frozen=True, slots=True)
class Granted:
    """SUBACK: one code for each filter, from 128 refused."""

    mid: int
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: bytes
    retained: bool


Happening = Acked | Granted | Message
