"""What a profile and a device's options may say: the models that read them, and their complaints in words.

A profile holds no expressions, conditions, templates or includes. A device that needs a formula is a module.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from drivers import registers
from drivers.quantities import QUANTITIES

Register = Annotated[int, Field(ge=0, le=0xFFFF)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
Function = Literal[1, 2, 3, 4]
Words = Literal["high-first", "low-first"]
Span = tuple[float, float]
ADDRESSES = (1, 254)  # 248-254 are reserved by the standard and used all the same (Senseair 0xFE, Renke up to 254)


class ProfileError(ValueError):
    """A profile, or the options given to one, cannot be used; the text says where and why."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Serial(Strict):
    """The line as the device leaves the factory, and its manners."""

    baud: int = Field(default=9600, ge=1200, le=921600)
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    address: int = Field(default=1, ge=ADDRESSES[0], le=ADDRESSES[1])
    every_s: float = Field(default=1.0, gt=0)  # shortest sensible interval between reads
    warm_up_s: float = Field(default=0.0, ge=0)
    timeout_s: float = Field(default=1.0, gt=0)
    wake: str = Field(default="", pattern=r"^([0-9a-fA-F]{2} ?)*$")  # hex, sent before each request
    wake_s: float = Field(default=0.0, ge=0)


class Point(Strict):
    """One value: `raw x scale + offset` in `unit`."""

    quantity: str
    unit: str  # must be the quantity's own; written out so that a wrong scale strikes the eye
    address: Register
    range: Span  # what the device can truly measure, in `unit`; beyond it a value is invalid
    channel: str = Field(default="", pattern=r"^[a-z0-9_]*$")
    function: Function | None = None
    type: registers.Type = "u16"
    scale: float = 1.0
    offset: float = 0.0
    mask: Register | None = None
    codes: dict[int, float] | None = None
    sentinels: dict[int, str] = Field(default_factory=dict)
    fitted: bool = True  # False: only where the device's stanza names it in `points`
    warm_up_s: float = Field(default=0.0, ge=0)  # of this element; the slowest one that is fitted counts for all

    @property
    def name(self) -> str:
        return f"{self.quantity}_{self.channel}" if self.channel else self.quantity

    @model_validator(mode="after")
    def _sound(self) -> Point:
        known = QUANTITIES.get(self.quantity)
        if known is None:
            raise ValueError(
                f"quantity {self.quantity!r} is not in drivers/quantities.py{nearest(self.quantity, QUANTITIES)}"
            )
        if self.unit != known.unit:
            raise ValueError(
                f"{self.quantity} is in {known.unit!r}, not {self.unit!r}: give the scale that makes it so"
            )
        if self.scale == 0 or not self.range[0] < self.range[1]:
            raise ValueError("scale must not be 0, and range is [low, high]")
        if self.type == "f32" and (self.codes is not None or self.sentinels):
            raise ValueError("codes and sentinels are of whole numbers, not of f32")
        if self.mask is not None and (self.type != "u16" or self.mask == 0):
            raise ValueError("a mask belongs to a u16 and has bits")
        return self


class Status(Strict):
    """A register of error bits; a set bit takes the value from the points named, or from all."""

    address: Register
    function: Function | None = None
    bits: dict[Annotated[int, Field(ge=0, le=15)], str]
    points: tuple[str, ...] = ()


class Setting(Strict):
    """A register that is written to configure the device: `codes[value]`, or the value itself."""

    register_: Register = Field(alias="register")
    range: tuple[int, int] = ADDRESSES
    codes: dict[int, int] | None = None


class Identity(Strict):
    """The registers that hold the unit's own serial number, where it has one: swapped adapters are then noticed."""

    address: Register
    count: int = Field(default=1, ge=1, le=16)
    function: Function | None = None


class Provisioning(Strict):
    address: Setting | None = None
    baud: Setting | None = None
    before: tuple[tuple[Register, Register], ...] = ()  # (register, value) written first: an unlock
    after: tuple[tuple[Register, Register], ...] = ()  # and afterwards: a save
    power_cycle: bool = False


class Action(Strict):
    """A documented setting that a person may ask for, by name: registers written one after the other."""

    writes: tuple[tuple[Register, Register], ...] = Field(min_length=1)  # (register, value)
    note: str = ""


class Profile(Strict):
    """A whole file."""

    name: Name
    title: str = Field(min_length=1)
    source: str = Field(min_length=1)
    function: Function = 3
    words: Words = "high-first"
    bridge: int = Field(default=0, ge=0, le=100)  # undefined registers that may be read over to save a request
    required: tuple[Literal["start", "scale", "points", "codes", "function"], ...] = ()  # options the stanza must give
    serial: Serial = Serial()
    point: tuple[Point, ...]
    status: tuple[Status, ...] = ()
    identity: Identity | None = None
    provision: Provisioning | None = None
    action: dict[str, Action] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Profile:
        names = [point.name for point in self.point]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two points are called {name!r}: give them channels")
        for status in self.status:
            unknown(status.points, names, "point")
        for point in self.point:
            fits(point, point.function or self.function)
        if not self.point:
            raise ValueError("a profile has at least one [[point]]")
        return self


def _number_or_table(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | dict):
        raise ValueError("a number, or a table { point = number }")  # noqa: TRY004  pydantic collects ValueErrors
    return value


Scale = Annotated[float | dict[str, float], BeforeValidator(_number_or_table)]


class Options(Strict):
    """What the device's table in the configuration may add to `driver`, `bus`, `address`, `every` and `place`."""

    start: Register | None = None  # the lowest register of the map; all others move with it
    function: Function | None = None
    scale: Scale | None = None  # for all points, or by point
    range: dict[str, Span] = Field(default_factory=dict)  # by point
    codes: dict[int, float] | None = None  # of the points that have codes: raw number to meaning
    points: tuple[str, ...] | None = None  # the points that this unit really has
    words: Words | None = None
    baud: int | None = Field(default=None, ge=1200, le=921600)
    parity: Literal["N", "E", "O"] | None = None
    stop_bits: Literal[1, 2] | None = None


# For the hint that an unknown key may be a known one misspelt.
KEYS = {
    field.alias or name
    for model in (Profile, Serial, Point, Status, Identity, Provisioning, Setting, Action)
    for name, field in model.model_fields.items()
}


def fits(point: Point, function: Function) -> None:
    if (point.type == "bit") != (function in {1, 2}):
        raise ProfileError(f"{point.name}: functions 1 and 2 read bits, 3 and 4 read registers")


def sentences(error: ValidationError, known: Iterable[str] = ()) -> str:
    """The complaints of pydantic as `where: what`, one after the other; an unknown key names the nearest known one."""
    said = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in item["loc"])
        what = item["msg"].removeprefix("Value error, ").replace("tuple", "list").replace("Tuple", "List")
        if item["type"] == "extra_forbidden":
            what = f"no such key{nearest(str(item['loc'][-1]), known)}"
        said.append(f"{where}: {what}" if where else what)
    return "; ".join(said)


def unknown(names: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raises ProfileError for the first name that is not known, with the nearest that is."""
    known = tuple(known)
    for name in names:
        if name not in known:
            raise ProfileError(f"no {what} {name!r}{nearest(name, known)}; there are {', '.join(known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing."""
    found = difflib.get_close_matches(name, tuple(known), 1)
    return f" (did you mean {found[0]!r}?)" if found else ""
