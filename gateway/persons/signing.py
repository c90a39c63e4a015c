"""The door for what comes from a broker: receipts and commands, every byte hostile until its signature is proven.

A subscriber cannot see who published a message, so each carries an Ed25519 signature (base64) over its canonical JSON
(RFC 8785) without `sig`. Pure: what is known of stations, persons, events and nonces is passed in. Everything that is
not exactly right is `Refused`, in words for people, and nothing else is ever raised.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drivers.quantities import Stream
from gateway.catalogue import N_, say
from gateway.configuration.config import Person, Station
from gateway.errors import Refused
from gateway.journal.chain import verify
from gateway.values import Command, Inbound

MAX_BYTES: Final = 8 * 1024
MAX_DEPTH: Final = 32
REMEMBERED: Final = 4096  # ids of commands; only proven ones are remembered, and a nonce is valid for a minute
STATION_VERBS: Final = frozenset({"resend", "ping"})

Name = Annotated[str, Field(min_length=1, max_length=96, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
Signature = Annotated[str, Field(min_length=88, max_length=88)]
M = TypeVar("M", bound="Signed")
Scalar = str | Annotated[int, Field(ge=-(2**53), le=2**53)] | Annotated[float, Field(allow_inf_nan=False)] | bool | None


class Signed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sig: Signature


class ReceiptMessage(Signed):
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    station: Name
    time: Annotated[str, Field(max_length=64)]


class CommandMessage(Signed):
    verb: Name
    id: Name
    by: Name
    nonce: Name
    alarm: Name | None = None
    activation: Name | None = None
    revision: Annotated[int, Field(ge=0, le=2**53)] | None = None
    note: Annotated[str, Field(max_length=1000)] | None = None
    arguments: Annotated[dict[Name, Scalar], Field(max_length=16)] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A station has the event with this hash."""

    hash: str
    station: str
    stream: Stream
    time: str  # by the station's clock


class Door:
    """Owned by the engine's thread."""

    def __init__(self, persons: Sequence[Person], stations: Sequence[Station]) -> None:
        self._order: deque[str] = deque()
        self._seen: set[str] = set()
        self.know(persons, stations)

    def know(self, persons: Sequence[Person], stations: Sequence[Station]) -> None:
        """From now on these; the commands that came before stay remembered."""
        self._persons = {person.id: person for person in persons}
        self._stations = {station.id: station for station in stations}

    def receipt(self, inbound: Inbound, known: Callable[[str], Stream | None]) -> Receipt:
        """The receipt, if it is signed by a station that serves the stream of the event which `known` finds."""
        message, fields = _read(inbound, ReceiptMessage)
        station = self._stations.get(message.station)
        if station is None:
            raise Refused(say("no station {station} is in the configuration", station=repr(message.station)))
        if inbound.topic != f"receipt/{message.station}":
            raise Refused(say("the receipt of {station} came under another name", station=message.station))
        _prove(station.key, fields, message.sig)
        stream = known(message.hash)
        if stream is None:
            raise Refused(say("{station} signed for an event that nobody here knows", station=message.station))
        if stream not in station.streams:
            raise Refused(say("{station} does not serve the stream {stream}", station=message.station, stream=stream))
        return Receipt(message.hash, message.station, stream, message.time)

    def command(self, inbound: Inbound, nonces: Sequence[str]) -> Command:
        """The command, if it is fresh, signed by its person (or station), who may do so, and new.

        `nonces`: those of the last two `status` messages at the broker that brought it.
        """
        if inbound.retained:
            raise Refused(say("a retained command is not carried out"))
        message, fields = _read(inbound, CommandMessage)
        if inbound.topic != f"command/{message.verb}":
            raise Refused(say("the command {verb} came under another name", verb=message.verb))
        _prove(self._key_of(message), fields, message.sig)
        if message.nonce not in nonces:
            raise Refused(say("the command of {by} is too old; send it again", by=message.by))
        self._remember(message.id)
        return Command(
            verb=message.verb,
            by=message.by,
            at=inbound.at,
            alarm=message.alarm,
            activation=message.activation,
            revision=message.revision,
            note=message.note,
            arguments=message.arguments,
            id=message.id,
        )

    def _key_of(self, message: CommandMessage) -> str:
        """The public key of who may do this."""
        if message.verb in STATION_VERBS:
            station = self._stations.get(message.by)
            if station is None:
                raise Refused(say("no station {station} is in the configuration", station=repr(message.by)))
            return station.key
        person = self._persons.get(message.by)
        if person is None or person.key is None:
            raise Refused(say("no person {by} with a key is in the configuration", by=repr(message.by)))
        if message.verb not in person.may:
            text = N_("{by} may not {verb}; the configuration's may = [...] says who may")
            raise Refused(say(text, by=message.by, verb=message.verb))
        return person.key

    def _remember(self, id_: str) -> None:
        if id_ in self._seen:
            raise Refused(say("the command {id} came before", id=id_))
        self._seen.add(id_)
        self._order.append(id_)
        if len(self._order) > REMEMBERED:
            self._seen.discard(self._order.popleft())


# ---- making them ------------------------------------------------------------------------------------------------


def make_receipt(key: Ed25519PrivateKey, *, station: str, hash_: str, time: str) -> bytes:
    return sign(key, {"hash": hash_, "station": station, "time": time})


def make_command(
    key: Ed25519PrivateKey,
    verb: str,
    *,
    id_: str,
    by: str,
    nonce: str,
    alarm: str | None = None,
    activation: str | None = None,
    revision: int | None = None,
    note: str | None = None,
    arguments: Mapping[str, Scalar] | None = None,
) -> bytes:
    """For the topic `command/{verb}`. The verb is signed too, or a reset could be made of an acknowledgement."""
    message: dict[str, Any] = {"verb": verb, "id": id_, "alarm": alarm, "activation": activation}
    message |= {"revision": revision, "by": by, "note": note, "nonce": nonce}
    if arguments:
        message["arguments"] = dict(arguments)
    return sign(key, message)


def sign(key: Ed25519PrivateKey, message: Mapping[str, Any]) -> bytes:
    """The message as canonical JSON, with its signature."""
    signature = base64.b64encode(key.sign(rfc8785.dumps(dict(message)))).decode()
    return rfc8785.dumps({**message, "sig": signature})


# ---- reading them -----------------------------------------------------------------------------------------------


def _read(inbound: Inbound, model: type[M]) -> tuple[M, dict[str, Any]]:
    fields = _fields(inbound.payload)
    try:
        return model.model_validate(fields), fields
    except ValidationError as error:
        raise not_as_agreed(error) from error


def not_as_agreed(error: ValidationError) -> Refused:
    """The first of what is wrong with a message."""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(repr(part) for part in problem["loc"])
    return Refused(say("a message is not as agreed: {where}: {why}", where=where, why=problem["msg"]))


def _fields(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_BYTES:
        raise Refused(say("a message of {size} bytes is too long", size=len(payload)))
    if _deep(payload):
        raise Refused(say("a message is not as agreed: {where}: {why}", where="JSON", why="nested too deeply"))
    try:
        fields = json.loads(payload.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(say("a message is not JSON: {why}", why=str(error)[:80])) from error
    if not isinstance(fields, dict):
        raise Refused(say("a message is not JSON: {why}", why="no object"))
    return fields


def _deep(payload: bytes) -> bool:
    """More brackets open than any message of ours has; those inside strings count as well, which does no harm."""
    depth = 0
    for byte in payload:
        if byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif byte in b"]}":
            depth -= 1
    return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key stands there twice")
    return fields


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _prove(key: str, fields: Mapping[str, Any], signature: str) -> None:
    unsigned = {name: value for name, value in fields.items() if name != "sig"}
    try:
        data = rfc8785.dumps(unsigned)
    except (rfc8785.CanonicalizationError, ValueError) as error:
        raise Refused(say("a message is not JSON: {why}", why=str(error)[:80])) from error
    if not verify(key, data, signature):
        raise Refused(say("a signature is not right"))
