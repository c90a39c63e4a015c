"""The values that travel between the gateway's threads. All frozen; a thread owns what it makes until it sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from drivers.base import Quality
from drivers.contact import ContactState as ContactState  # noqa: PLC0414  part of the vocabulary: offered from here too
from drivers.quantities import Stream
from gateway.moment import Moment

STREAMS: tuple[Stream, ...] = ("custody", "screening", "environment", "gateway")
Severity = Literal["critical", "high", "medium", "low"]
ContactKind = Literal["seal", "leak", "tamper", "power", "fire", "flood", "patrol", "other"]
CUSTODY_KINDS: frozenset[str] = frozenset({"seal", "leak", "tamper"})


# ---- what sources tell the engine -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """What the gateway knows of one point at one moment. `value` is None when there is none; never a stand-in."""

    point: str  # "device/name", as rules and topics write it
    value: float | None
    quality: Quality
    at: Moment
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """One answer of one device: all its points at one moment."""

    device: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """A device did not answer usably. `cause` is the error's class name (Timeout, BadChecksum ...)."""

    device: str
    cause: str
    detail: str
    at: Moment


@dataclass(frozen=True, slots=True)
class BusState:
    """A port was opened (`error` is None) or failed. `devices` share its fate. `lent`: on purpose, for a time."""

    bus: str
    devices: tuple[str, ...]
    error: str | None
    at: Moment
    lent: bool = False


@dataclass(frozen=True, slots=True)
class LineHealth:
    """How well one device is heard, over the last minute. A share of damaged answers that grows is an ageing cable."""

    bus: str
    device: str
    asked: int
    answered: int
    silent: int  # no answer, or half of one
    damaged: int  # the check failed
    strange: int  # no frame of this device: another unit's, or none at all
    latency_s: float | None  # the slowest answer
    echo: bool | None  # the line gives back what is sent
    at: Moment


@dataclass(frozen=True, slots=True)
class Edge:
    """A raw level of one line of a contact, unfiltered: from an edge, from the level poll, or read at start."""

    contact: str
    line: int  # 0: pin, 1: pin_other
    level: bool  # True is electrically high
    at: Moment
    source: Literal["edge", "poll", "start"] = "edge"


@dataclass(frozen=True, slots=True)
class ContactFault:
    """A pin cannot be used (`error`, for people), or can be used again (None). `lines`: those that cannot be read."""

    contact: str
    error: str | None
    at: Moment
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineState:
    """How the machine itself is: by alarm (`platform.py`), what is wrong in words, or None. Not known: left out."""

    troubles: Mapping[str, str | None]
    at: Moment


@dataclass(frozen=True, slots=True)
class Tick:
    """Once a second, through the same inbox as the data; carries the watchdog's ping."""

    at: Moment


# ---- what people and far sides ask ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """A wish to act, already authenticated (`by` is a person of the configuration), not yet judged."""

    verb: str
    by: str
    at: Moment
    alarm: str | None = None
    activation: str | None = None
    revision: int | None = None
    note: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None  # of the request over MQTT; its response names it
    peer: str | None = None  # "uid 1000" over the local socket
    witness: str | None = None  # a second person, proven in the same request
    reply: Callable[[dict[str, Any]], None] | None = None  # thread-safe: puts and returns


@dataclass(frozen=True, slots=True)
class Question:
    """A wish to know, from the local socket; answered by `reply`, changes nothing."""

    verb: str
    at: Moment
    arguments: Mapping[str, Any]
    reply: Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message as it came from a broker: every byte hostile. The engine's thread verifies it."""

    topic: str  # below the root: "receipt/county-command", "command/ack"
    payload: bytes
    retained: bool
    sink: str  # "mqtt" or "second"
    at: Moment


# ---- what writers and sinks tell the engine ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """Events up to `number` are on the card."""

    number: int
    at: Moment


@dataclass(frozen=True, slots=True)
class StorageState:
    """A writer's card trouble (`error`) or its end (None). `waiting`: what is in memory only; `lost`: given up."""

    store: Literal["events", "readings", "latches"]
    error: str | None
    waiting: int
    lost: int
    at: Moment


@dataclass(frozen=True, slots=True)
class SetAside:
    """A damaged file of the record was renamed to `file` and a new one begun; what it still owed was taken over."""

    store: Literal["events", "readings", "latches", "key"]
    file: str
    at: Moment


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of a stream."""

    run: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file of old readings is gone: so many, of which no far side has some. `kept`: their minute records are."""

    file: str
    count: int
    undelivered: int
    kept: bool
    at: Moment


@dataclass(frozen=True, slots=True)
class AgedOut:
    """The oldest `count` events are to leave the record, up to `anchors`, its last one of each stream that left.

    They go when an event that states this is on the card. `total`: with all that left before; `newest_ns`: the latest
    time of one of them (wall clock).
    """

    anchors: Mapping[Stream, Head]
    count: int
    total: int
    newest_ns: int
    at: Moment


@dataclass(frozen=True, slots=True)
class ConfigurationState:
    """The configuration in force, and the one that was given instead and refused, with what is wrong with it."""

    sha256: str
    refused_sha256: str | None
    problems: str
    at: Moment


@dataclass(frozen=True, slots=True)
class ConfigurationWaits:
    """A changed file was given in a session. `why`: it said why it cannot wait, and was taken at once."""

    sha256: str
    why: str | None
    at: Moment


@dataclass(frozen=True, slots=True)
class SinkState:
    """A sink's link: connected, or why not, in words that a person can act on."""

    sink: str
    state: Literal["connected", "connecting", "refused", "unreachable", "bad-certificate", "bad-clock", "stopped"]
    detail: str
    at: Moment
    branches: tuple[str, ...] = ()  # 3.1.1: streams that were proven by reading one's own message back


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker of `sink` took event `number` (PUBACK). Acceptance, not delivery."""

    sink: str
    number: int
    at: Moment


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The broker of `sink` refused event `number` (`code` from 128, or None: its copy never came back over 3.1.1), or
    took it and nobody listens (16). It is sent again; whoever escalates need not wait for that.
    """

    sink: str
    number: int
    code: int | None
    at: Moment


@dataclass(frozen=True, slots=True)
class Canary:
    """Our own `status` came back through the broker of `sink`: the whole way there and back works, so quickly."""

    sink: str
    round_trip_s: float  # real seconds
    at: Moment


@dataclass(frozen=True, slots=True)
class CertificateEnds:
    """Of the certificates that the link of `sink` needs, the one that ends first (wall clock)."""

    sink: str
    file: str
    subject: str
    ends_ns: int
    at: Moment


@dataclass(frozen=True, slots=True)
class DuplicateIdentity:
    """Somebody else speaks as this gateway at the broker of `sink`: a copied card, most likely."""

    sink: str
    detail: str
    at: Moment


@dataclass(frozen=True, slots=True)
class PointsRefused:
    """A database will never take `count` points, for this reason; they were put aside in a file, and it goes on."""

    sink: str
    count: int
    reason: str
    at: Moment


@dataclass(frozen=True, slots=True)
class PathState:
    """A way of escalation that does not lead through a broker works (`error` is None) or does not, in words."""

    path: Literal["modem", "siren"]
    error: str | None
    at: Moment


@dataclass(frozen=True, slots=True)
class RemoteSetting:
    """The platform of `sink` has set something here (`done`), or wished to; `what` in words of `say`."""

    sink: str
    what: str
    done: bool
    at: Moment


@dataclass(frozen=True, slots=True)
class SeenRetained:
    """One of our own retained states as the broker holds it, read back after connecting or when somebody changed it."""

    sink: str
    topic: str  # below the root
    payload: bytes
    at: Moment
    live: bool = False  # published just now by somebody else, not found at connecting
    known: bool = False  # the broker had taken this run's own state of that topic before


# ---- what the engine hands out ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notice:
    """What goes by a way on which strangers may listen: which alarm and since when, and nothing of what happened."""

    alarm: str
    kind: str
    raised: Moment | None
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One transition, numbered, chained and signed: `body` is the message, byte for byte the same everywhere.

    `number` counts all events of this gateway in the order they happened and is the journal's key and every cursor's
    unit; (`run`, `stream`, `seq`) is what the outside sees.
    """

    number: int
    stream: Stream
    run: str
    seq: int
    id: str
    hash: str
    body: bytes
    alarm: str
    urgent: bool  # leak, seal, tamper and their faults: published when stored or after 20 ms, whichever is first
    needs_receipt: bool  # leaves the queue only on a signed receipt
    at: Moment
