"""Every message that leaves over MQTT, but for events (`journal/chain.py` makes those): values in, bytes out.

Self-contained JSON in UTF-8. `docs/asyncapi.yaml` describes each with an example, and the tests hold every message
they see against it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Literal, NamedTuple

from drivers.quantities import QUANTITIES, Stream
from gateway import __version__
from gateway.environment.periods import PeriodSpan
from gateway.journal.chain import canonical, verify
from gateway.moment import Moment
from gateway.values import Event, Reading, Readings

SCHEMA = 1
COUNT_S = 900.0  # persons are counted by quarters of an hour


@dataclass(frozen=True, slots=True)
class Origin:
    """Who speaks: the same in every message of one run."""

    venue: str
    run: str
    zone: tzinfo
    simulated: bool = False

    @property
    def root(self) -> str:
        """What every topic of this venue begins with, without a slash at the end."""
        return f"{'exam-sim' if self.simulated else 'exam'}/v1/{self.venue}"


class Below(NamedTuple):
    """A message for `topic` below the root."""

    topic: str
    payload: bytes


def encode(message: Mapping[str, Any]) -> bytes:
    """Compact JSON. The same values give the same bytes, so that a state read back can be compared."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _head(origin: Origin, **fields: Any) -> dict[str, Any]:
    return {"schema": SCHEMA, "venue": origin.venue, "simulated": origin.simulated, **fields}


# ---- the connection ---------------------------------------------------------------------------------------------


def online(origin: Origin, now: Moment, *, session: str, nonce: str, details: Mapping[str, Any]) -> bytes:
    """Birth and its refresh. `nonce` goes into commands: this one and the one before it are valid."""
    return encode(
        _head(origin, state="online", run=origin.run, session=session, nonce=nonce)
        | {"time": now.text(origin.zone), "clock": now.clock.value, "version": __version__}
        | dict(details)
    )


def offline(origin: Origin, now: Moment, *, session: str, reason: Literal["lost", "stopped"]) -> bytes:
    """The will (`lost`, with the time of connecting) and the clean stop (`stopped`)."""
    return encode(
        _head(origin, state="offline", run=origin.run, session=session, reason=reason)
        | {"time": now.text(origin.zone), "clock": now.clock.value}
    )


# ---- what the gateway is ----------------------------------------------------------------------------------------


def meta(origin: Origin, *, streams: Sequence[Stream], config_sha256: str, key: str) -> Below:
    """`key`: the device's public key (`ed25519:...`), by which events are signed."""
    message = _head(origin, version=__version__, streams=list(streams), config_sha256=config_sha256, key=key)
    return Below("meta", encode(message))


def stream_meta(
    origin: Origin,
    stream: Stream,
    *,
    points: Sequence[Mapping[str, Any]] = (),
    rules: Sequence[Mapping[str, Any]] = (),
    contacts: Sequence[Mapping[str, Any]] = (),
) -> Below:
    """Points (`point`, `unit`, `place` ...), rules in force with set and edition, contacts (`name`, `kind`)."""
    message = _head(origin, stream=stream, points=list(points), rules=list(rules), contacts=list(contacts))
    return Below(f"{stream}/meta", encode(message))


# ---- states -----------------------------------------------------------------------------------------------------


def contact_state(
    origin: Origin,
    stream: Stream,
    name: str,
    *,
    kind: str,
    state: str,
    since: Moment,
    place: str = "",
    reason: str | None = None,
    seal: str | None = None,
) -> Below:
    """`since`: when the state was accepted; `reason` as `found-at-start`, or why it is unknown; `seal`: of a sealed
    door, unsealed, sealed, authorised or violated.
    """
    message = _head(origin, stream=stream, contact=name, kind=kind, place=place, state=state, reason=reason, seal=seal)
    message |= {"since": since.text(origin.zone), "clock": since.clock.value}
    return Below(f"{stream}/contact/{name}", encode(message))


def alarm_state(
    origin: Origin,
    stream: Stream,
    alarm: str,
    event: Event | None,
    fields: Mapping[str, Any],
    sign: Callable[[bytes], str],
) -> Below:
    """The alarm as it stands, with `event`, the last of this run about it: what was sent and never committed shows.

    `fields` carries at least `kind`, `severity`, `state`, `condition`, `activation`, `revision`, `since`. Signed over
    its canonical JSON without `sig`, so that the next run knows its own.
    """
    last = event and {"run": event.run, "seq": event.seq, "hash": event.hash, "number": event.number}
    message = _head(origin, stream=stream, alarm=alarm, run=origin.run) | dict(fields) | {"event": last}
    return Below(f"{stream}/alarm/{alarm}", encode(message | {"sig": sign(canonical(message))}))


def read_alarm_state(payload: bytes, key: str) -> dict[str, Any] | None:
    """An alarm's state that the gateway with this public key signed; None for anything else."""
    try:
        message = json.loads(payload)
        signature = message.pop("sig")
        return message if verify(key, canonical(message), signature) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def head(origin: Origin, now: Moment, stream: Stream, *, run: str | None, seq: int, hash_: str | None) -> Below:
    """The last event of a stream (`seq` 0 and nulls: none yet), so that a missing one shows."""
    message = _head(origin, stream=stream, run=run, seq=seq, hash=hash_)
    message |= {"time": now.text(origin.zone), "clock": now.clock.value}
    return Below(f"{stream}/head", encode(message))


# ---- answers ----------------------------------------------------------------------------------------------------


def response(
    origin: Origin,
    now: Moment,
    verb: str,
    *,
    id_: str | None,
    ok: bool,
    error: Mapping[str, str] | None = None,
    result: Mapping[str, Any] | None = None,
) -> Below:
    """What became of command `id_`; `error` in Chinese and English."""
    message = _head(origin, verb=verb, id=id_, ok=ok, time=now.text(origin.zone))
    message |= {"error": None if error is None else dict(error), "result": None if result is None else dict(result)}
    return Below(f"response/{verb}", encode(message))


# ---- records of sound levels -----------------------------------------------------------------------------------


def noise_record(
    origin: Origin,
    device: str,
    span: PeriodSpan,
    figures: Mapping[str, Any],
    about: Mapping[str, Any],
    historical: bool,
) -> Below:
    """One meter in one period. `indicative`: why its results are no evidence; empty: its certificate is in force."""
    message = _head(origin, stream="environment", device=device, **about, historical=historical)
    message |= {"period": span.kind, "name": span.name}
    message |= {"from": _second(span.start_s, origin.zone), "to": _second(span.end_s, origin.zone)}
    return Below(f"environment/noise/{device}", encode(message | dict(figures)))


def _second(at_s: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at_s, zone).isoformat(timespec="milliseconds")


# ---- readings ---------------------------------------------------------------------------------------------------


def unit_of(point: str) -> str:
    """The unit of `device/quantity` or `device/quantity_channel`; empty when the quantity is not in the list."""
    return QUANTITIES[name].unit if (name := _quantity(point)) else ""


def stream_of(point: str) -> Stream:
    """The branch a point's readings belong to; one that nobody knows stays with the gateway's own."""
    return QUANTITIES[name].stream if (name := _quantity(point)) else "gateway"


def _quantity(point: str) -> str | None:
    name = point.rpartition("/")[2]
    while name not in QUANTITIES:
        name, _, _ = name.rpartition("_")
        if not name:
            return None
    return name


def readings(origin: Origin, answers: Iterable[Readings], *, historical: bool) -> list[Below]:
    """One message for each stream and device: for each point its values in the order they came; counts of persons are
    messages of their own.

    Times are milliseconds after `from`. A value is null where there was none; `reason` says why it is not good.
    """
    batches: dict[tuple[Stream, str], dict[str, list[Reading]]] = {}
    counts: list[Below] = []
    for answer in answers:
        if answer.readings and _quantity(answer.readings[0].point) == "persons":
            counts.append(_count(origin, answer, historical=historical))
            continue
        for reading in answer.readings:
            batch = batches.setdefault((stream_of(reading.point), answer.device), {})
            batch.setdefault(reading.point, []).append(reading)
    return [
        Below(f"{stream}/reading/{device}", _batch(origin, stream, device, points, historical=historical))
        for (stream, device), points in batches.items()
    ] + counts


def _count(origin: Origin, answer: Readings, *, historical: bool) -> Below:
    """Who came through an entrance in the quarter of an hour that ends at the readings' moment."""
    to = answer.readings[0].at
    values = {reading.point.rpartition("/")[2]: reading.value for reading in answer.readings}
    valid = values.pop("persons_valid", None)
    message = _head(origin, stream="screening", device=answer.device, historical=historical)
    message |= {"from": to.after(-COUNT_S).text(origin.zone), "to": to.text(origin.zone), "clock": to.clock.value}
    message |= {name: None if value is None else round(value) for name, value in values.items()} | {"valid": valid}
    return Below(f"screening/count/{answer.device}", encode(message))


def _batch(
    origin: Origin, stream: Stream, device: str, points: Mapping[str, list[Reading]], *, historical: bool
) -> bytes:
    first = min((series[0].at for series in points.values()), key=lambda at: at.wall_ns)
    message = _head(origin, stream=stream, device=device, historical=historical)
    message |= {"from": first.text(origin.zone), "clock": first.clock.value}
    message["points"] = [_series(point, series, first) for point, series in points.items()]
    return encode(message)


def _series(point: str, series: list[Reading], first: Moment) -> dict[str, Any]:
    item: dict[str, Any] = {
        "point": point,
        "unit": unit_of(point),
        "after_ms": [(reading.at.wall_ns - first.wall_ns) // 1_000_000 for reading in series],
        "value": [reading.value for reading in series],
        "quality": [reading.quality.value for reading in series],
    }
    if any(reading.reason for reading in series):
        item["reason"] = [reading.reason for reading in series]
    return item
