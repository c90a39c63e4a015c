"""Values in Modbus registers: where they lie, how few requests fetch them, what a raw number means, and back again."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from drivers import modbus
from drivers._values import invalid, spoil, within
from drivers.base import Measurement, Read
from drivers.errors import BadFrame

Type = Literal["u16", "i16", "u32", "i32", "f32", "bit"]
WIDTH = {"bit": 1, "u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2}  # registers, or bits of functions 1 and 2
_STRUCT = {kind: struct.Struct(code) for kind, code in zip(WIDTH, (">B", ">H", ">h", ">I", ">i", ">f"), strict=True)}
_UNSIGNED = {1: 0xFFFF, 2: 0xFFFFFFFF}
_BITS = frozenset({modbus.READ_COILS, modbus.READ_INPUTS})
Raw = Callable[[list[bytes]], float]  # the number at a place, unscaled, from the data of all blocks
_DIGITS = 6  # decimals kept: takes away what binary multiplication adds to 0.1 x 532


@dataclass(frozen=True, slots=True)
class Place:
    """Something that lies in registers."""

    function: int
    address: int
    type: Type = "u16"
    low_first: bool = False  # the low word of 32 bits comes first

    @property
    def width(self) -> int:
        return WIDTH[self.type]


@dataclass(frozen=True, slots=True)
class Field:
    """A value: raw x scale + offset, in the unit of its quantity."""

    name: str  # of the point
    quantity: str
    channel: str
    place: Place
    scale: float = 1.0
    offset: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    mask: int | None = None  # of a u16: only these bits, shifted down
    codes: Mapping[int, float] | None = (
        None  # of the raw, unsigned number: only these raw numbers have a meaning, and this is it
    )
    sentinels: Mapping[int, str] = field(default_factory=dict)  # unsigned raw numbers that are no values: why


@dataclass(frozen=True, slots=True)
class Status:
    """A word of error bits: the reasons why the named points (all, when none is named) have no value now."""

    place: Place
    bits: Mapping[int, str]
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One request and what it fetches."""

    function: int
    start: int
    count: int

    def request(self, unit: int) -> bytes:
        return modbus.read(unit, self.function, self.start, self.count)


def plan(places: Sequence[Place], bridge: int, most: int = modbus.MAX_REGISTERS) -> tuple[Block, ...]:
    """As few requests as fetch all places: neighbours together, over holes of up to `bridge` registers."""
    blocks: list[Block] = []
    for place in sorted(places, key=lambda place: (place.function, place.address)):
        end = place.address + place.width
        if blocks:
            last = blocks[-1]
            count = max(end - last.start, last.count)
            hole = place.address - (last.start + last.count)
            if last.function == place.function and hole <= bridge and count <= most:
                blocks[-1] = Block(last.function, last.start, count)
                continue
        blocks.append(Block(place.function, place.address, place.width))
    return tuple(blocks)


class Table:
    """The registers of one device: its reads, and `decode` and `encode` between replies and measurements."""

    def __init__(
        self, unit: int, fields: Sequence[Field], statuses: Sequence[Status], bridge: int, wake: bytes = b""
    ) -> None:
        self.fields = tuple(fields)
        self.blocks = plan([f.place for f in fields] + [s.place for s in statuses], bridge)
        self.requests = tuple(block.request(unit) for block in self.blocks)
        self._values = [_measure(f, self._raw(f.place)) for f in self.fields]
        self._faults = [(self._raw(s.place), s) for s in statuses]
        self._wake = wake

    def reads(self, timeout_s: float, wake_s: float) -> tuple[Read, ...]:
        """The requests, each behind the wake-up that a sleeping device needs."""
        found: list[Read] = []
        for request in self.requests:
            frame = modbus.reply(request)
            if self._wake:
                found.append(Read(frame, self._wake, pause_s=wake_s, answered=False))
            found.append(Read(frame, request, timeout_s=timeout_s))
        return tuple(found)

    def decode(self, replies: tuple[bytes, ...]) -> list[Measurement]:
        """Every value of one round of replies. Raises DeviceError."""
        if self._wake:
            replies = replies[1::2]
        if len(replies) != len(self.requests):
            raise BadFrame(f"{len(replies)} replies to {len(self.requests)} requests")
        data = [modbus.parse(request, reply) for request, reply in zip(self.requests, replies, strict=True)]
        found = [value(data) for value in self._values]
        for raw, status in self._faults:
            word = int(raw(data))
            reason = "; ".join(reason for bit, reason in status.bits.items() if word >> bit & 1)
            if reason:
                points = status.points or [m.name for m in found]
                found = [m for each in found for m in (spoil([each], reason) if each.name in points else [each])]
        return found

    def encode(self, values: Mapping[str, float]) -> tuple[bytes, ...]:
        """The replies of a device whose points have these values; its status words say that all is well."""
        data = [bytearray((b.count + 7) // 8 if b.function in _BITS else 2 * b.count) for b in self.blocks]
        for item in self.fields:
            if item.name not in values:
                raise ValueError(f"no value for {item.name}")
            index, offset = self._find(item.place)
            _put(data[index], offset, item, values[item.name])
        replies = [modbus.answer(request, bytes(block)) for request, block in zip(self.requests, data, strict=True)]
        return tuple(part for reply in replies for part in ((b"", reply) if self._wake else (reply,)))

    def _find(self, place: Place) -> tuple[int, int]:
        """Which block a place lies in, and how far from the block's first register."""
        return next(
            (index, place.address - block.start)
            for index, block in enumerate(self.blocks)
            if block.function == place.function and block.start <= place.address < block.start + block.count
        )

    def _raw(self, place: Place) -> Raw:
        index, offset = self._find(place)
        if place.type == "bit":
            byte, bit = divmod(offset, 8)
            return lambda data: data[index][byte] >> bit & 1
        start, unpack = 2 * offset, _STRUCT[place.type].unpack_from
        if place.low_first and place.width == 2:
            return lambda data: unpack(_swapped(data[index][start : start + 4]))[0]
        return lambda data: unpack(data[index], start)[0]


def _measure(item: Field, raw_of: Raw) -> Callable[[list[bytes]], Measurement]:
    """The judge of one value: its meaning, its range."""
    quantity, channel, scale, offset, low, high = (
        item.quantity, item.channel, item.scale, item.offset, item.low, item.high
    )  # fmt: skip
    plain = item.mask is None and item.codes is None and not item.sentinels

    def measure(data: list[bytes]) -> Measurement:
        raw = raw_of(data)
        if not plain:
            raw, reason = _meaning(item, int(raw))
            if reason:
                return invalid(quantity, reason, channel=channel)
        value = round(raw * scale + offset, _DIGITS)
        if not math.isfinite(value):
            return invalid(quantity, "not a number", channel=channel)
        return within(quantity, value, low, high, channel)

    return measure


def _meaning(item: Field, raw: int) -> tuple[float, str | None]:
    """The number behind masks and codes, or the reason why there is none."""
    word = raw & _UNSIGNED[item.place.width]
    if word in item.sentinels:
        return 0, item.sentinels[word]
    if item.mask is not None:
        raw = (word & item.mask) >> _shift(item.mask)
    if item.codes is None:
        return raw, None
    meaning = item.codes.get(raw)
    return (0, f"unknown code {raw}") if meaning is None else (meaning, None)


def _put(block: bytearray, offset: int, item: Field, value: float) -> None:
    """Writes a value into a block's data. Raises ValueError when the registers cannot hold it."""
    raw = (value - item.offset) / item.scale
    if item.codes is not None:
        raw = next((code for code, meaning in item.codes.items() if meaning == value), math.nan)
    start, kind = 2 * offset, item.place.type
    try:
        if kind == "bit":
            block[offset // 8] |= round(raw) << offset % 8
            return
        if item.mask is not None:
            raw = round(raw) << _shift(item.mask) | int.from_bytes(block[start : start + 2], "big")
        packed = _STRUCT[kind].pack(raw if kind == "f32" else round(raw))
    except (struct.error, OverflowError, ValueError) as error:
        raise ValueError(f"{item.name} = {value} cannot be held in {kind}") from error
    block[start : start + len(packed)] = _swapped(packed) if item.place.low_first else packed


def _shift(mask: int) -> int:
    """How far the lowest bit of a mask is from bit 0."""
    return (mask & -mask).bit_length() - 1


def _swapped(data: bytes) -> bytes:
    return data[2:] + data[:2]
