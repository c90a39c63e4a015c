"""A Modbus device as data: a TOML profile becomes a `Driver`. `docs/adding-a-device.md` shows how to write one."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from drivers import modbus, registers
from drivers.base import Driver, Provision, Read
from drivers.schema import (
    ADDRESSES,
    KEYS,
    Function,
    Options,
    Point,
    Profile,
    ProfileError,
    Provisioning,
    Setting,
    fits,
    sentences,
    unknown,
)


def load(path: Path) -> Driver:
    """The driver that a profile describes. Raises ProfileError naming the file; OSError when it cannot be read."""
    try:
        profile = Profile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ProfileError(f"{path.name}: {sentences(error, KEYS)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path.name}: {error}") from error
    if profile.name != path.stem:
        raise ProfileError(f"{path.name}: its name is {profile.name!r}; it must be that of the file")
    return driver(profile)


def driver(profile: Profile) -> Driver:
    return _build(profile, profile.serial.address, [point for point in profile.point if point.fitted])


def at(profile: Profile, address: int | None, options: Mapping[str, object]) -> Driver:
    """The profile's driver at a bus address, with the options of the device's table. Raises ProfileError."""
    address = profile.serial.address if address is None else address
    if not ADDRESSES[0] <= address <= ADDRESSES[1]:
        raise ProfileError(f"address {address} is not in {ADDRESSES[0]} to {ADDRESSES[1]}")
    try:
        wanted = Options.model_validate(dict(options))
        for key in profile.required:
            if getattr(wanted, key) is None:
                raise ProfileError(f"{key!r} must be given: it differs between units of {profile.title}")
        serial = profile.serial.model_copy(
            update=wanted.model_dump(include={"baud", "parity", "stop_bits"}, exclude_none=True)
        )
        update = {"serial": serial, **wanted.model_dump(include={"function", "words"}, exclude_none=True)}
        return _build(profile.model_copy(update=update), address, _chosen(profile, wanted))
    except ValidationError as error:
        raise ProfileError(sentences(error, Options.model_fields)) from error


def _chosen(profile: Profile, wanted: Options) -> list[Point]:
    """The points of this unit, moved, scaled and coded as its options say."""
    names = [point.name for point in profile.point]
    scales = wanted.scale if isinstance(wanted.scale, dict) else dict.fromkeys(names, wanted.scale)
    unknown([*(wanted.points or ()), *wanted.range, *scales], names, "point")
    fitted = [p for p in profile.point if (p.name in wanted.points if wanted.points is not None else p.fitted)]
    shift = 0 if wanted.start is None else wanted.start - min(point.address for point in profile.point)
    chosen = []
    for point in fitted:
        update: dict[str, Any] = {"address": point.address + shift, "range": wanted.range.get(point.name, point.range)}
        if wanted.function is not None:
            update["function"] = wanted.function
        if scales.get(point.name) is not None:
            update["scale"] = scales[point.name]
        if point.codes is not None and wanted.codes is not None:
            update["codes"] = wanted.codes
        # validated again: a shift may leave the register space, a function may not fit the type
        chosen.append(Point.model_validate(point.model_dump() | update))
        fits(chosen[-1], chosen[-1].function or profile.function)
    if not chosen:
        raise ProfileError("points: at least one point must be there")
    for place in chosen:
        rivals = [
            p.name for p in chosen if p.mask is None and (p.function, p.address) == (place.function, place.address)
        ]
        if len(rivals) > 1:
            raise ProfileError(f"{' and '.join(rivals)} lie in the same register: a unit has one of them")
    return chosen


def _build(profile: Profile, address: int, points: Sequence[Point]) -> Driver:
    serial = profile.serial
    low_first = profile.words == "low-first"
    fields = [_field(point, point.function or profile.function, low_first) for point in points]
    names = tuple(item.name for item in fields)
    statuses = [
        registers.Status(registers.Place(s.function or profile.function, s.address), s.bits, s.points)
        for s in profile.status
    ]
    identity = _identity(profile, address)
    table = registers.Table(address, fields, statuses, profile.bridge, bytes.fromhex(serial.wake))
    return Driver(
        name=profile.name,
        title=profile.title,
        points=names,
        decode=table.decode,
        encode=table.encode,
        reads=table.reads(serial.timeout_s, serial.wake_s),
        baud=serial.baud,
        parity=serial.parity,
        stop_bits=serial.stop_bits,
        address=address,
        every_s=serial.every_s,
        warm_up_s=max(serial.warm_up_s, *(point.warm_up_s for point in points)),
        at=lambda address, options: at(profile, address, options),
        provision=_provision(profile.provision, address) if profile.provision else None,
        actions={name: _writes(address, action.writes) for name, action in profile.action.items()},
        identity=None if identity is None else Read(frame=modbus.reply(identity), send=identity),
        identify=None if identity is None else lambda answer: modbus.parse(identity, answer).hex(),
        ranges={item.name: (item.low, item.high) for item in fields if math.isfinite(item.high - item.low)},
        notes=profile.notes,
    )


def _field(point: Point, function: Function, low_first: bool) -> registers.Field:
    return registers.Field(
        name=point.name,
        quantity=point.quantity,
        channel=point.channel,
        place=registers.Place(function, point.address, point.type, low_first),
        scale=point.scale,
        offset=point.offset,
        low=point.range[0],
        high=point.range[1],
        mask=point.mask,
        codes=point.codes,
        sentinels=point.sentinels,
    )


def _identity(profile: Profile, unit: int) -> bytes | None:
    place = profile.identity
    if place is None:
        return None
    return modbus.read(unit, place.function or profile.function, place.address, place.count)


def _provision(settings: Provisioning, unit: int) -> Provision:
    def writes(setting: Setting, value: int) -> tuple[Read, ...]:
        if setting.codes is not None:
            if value not in setting.codes:
                raise ProfileError(f"{value} is not one of {', '.join(map(str, setting.codes))}")
        elif not setting.range[0] <= value <= setting.range[1]:
            raise ProfileError(f"{value} is not in {setting.range[0]} to {setting.range[1]}")
        raw = value if setting.codes is None else setting.codes[value]
        return _writes(unit, (*settings.before, (setting.register_, raw), *settings.after))

    address, baud = settings.address, settings.baud
    return Provision(
        address=None if address is None else lambda new: writes(address, new),
        baud=None if baud is None else lambda new: writes(baud, new),
        bauds=tuple(baud.codes or ()) if baud is not None else (),
        power_cycle=settings.power_cycle,
    )


def _writes(unit: int, pairs: Iterable[tuple[int, int]]) -> tuple[Read, ...]:
    requests = [modbus.write_register(unit, register, value) for register, value in pairs]
    return tuple(Read(frame=modbus.reply(request), send=request) for request in requests)
