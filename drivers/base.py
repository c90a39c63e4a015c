"""What a driver is: a datasheet in a docstring, a `decode`, and one constant `DRIVER`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from drivers.quantities import QUANTITIES


class Quality(StrEnum):
    """How far a value may be trusted. Only `GOOD` is ever compared with a limit."""

    GOOD = "good"
    SUSPECT = "suspect"  # plausible, but unproven: no check in the frame and not yet confirmed, or a flat line
    INVALID = "invalid"  # the device answered, and the answer is not a value: warm-up, sentinel, out of range, fault
    MISSING = "missing"  # no answer: set by the gateway, never by a driver


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value as the device said it, in the unit of its quantity (`drivers/quantities.py`).

    `value` is None exactly when the device gave no number at all; an unusable number (out of range, say) may be kept
    for the record with quality INVALID and its `reason`. `channel` tells several values of one quantity apart.
    """

    quantity: str
    value: float | None
    quality: Quality = Quality.GOOD
    reason: str | None = None
    channel: str = ""

    @property
    def name(self) -> str:
        """The point's name below its device: `temperature`, or `velocity_x` for channel x."""
        return f"{self.quantity}_{self.channel}" if self.channel else self.quantity


# Length of the good frame at the start of the buffer; 0 when more bytes are needed. Raises BadFrame (or BadChecksum)
# when no frame can start here: whoever reads then drops ONE byte and asks again.
Framing = Callable[[bytes], int]


@dataclass(frozen=True, slots=True)
class Read:
    """One exchange: what is sent (nothing, for a device that talks by itself) and how its reply is recognised."""

    frame: Framing
    send: bytes = b""
    # Between sending and reading, where the device needs it. On I2C: 0 = one transaction with a repeated start,
    # more = write, stop, wait, read (a conversion).
    pause_s: float = 0.0
    timeout_s: float = 1.0  # from the last byte sent, or from the wish to read, to the whole reply
    size: int = 0  # bytes to ask for where the transport must be told (I2C, HID); 0 on streams
    # False: a setting or a wake-up that is not (always) answered: send it, pause, go on; its reply is b"".
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Provision:
    """What is sent to give a device its bus address and speed. Each is proven by reading with the new setting."""

    address: Callable[[int], tuple[Read, ...]] | None = None  # from the present address; ValueError when out of range
    baud: Callable[[int], tuple[Read, ...]] | None = None
    bauds: tuple[int, ...] = ()  # the speeds that `baud` can set
    power_cycle: bool = False  # the new setting holds only after switching off and on


Transport = Literal["serial", "i2c", "hid", "file", "tcp"]


@dataclass(frozen=True, slots=True)
class Driver:
    """Everything the gateway needs to know of a device. `decode` is pure and raises only `DeviceError`."""

    name: str
    title: str  # maker and model, for people
    points: tuple[str, ...]  # names of the measurements that `decode` can yield (see Measurement.name)
    decode: Callable[[tuple[bytes, ...]], list[Measurement]]  # one reply per entry of `reads`
    reads: tuple[Read, ...]
    start: tuple[Read, ...] = ()  # sent once each time the device comes up, before the first read
    transport: Transport = "serial"
    baud: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    address: int | None = None  # bus address where the device has one
    every_s: float = 1.0  # shortest sensible interval between reads
    warm_up_s: float = 0.0  # after coming up, values are INVALID with reason "warm-up" for so long
    checked: bool = True  # False: frames carry no check, so a value stays SUSPECT until two agree
    evidence: bool = False  # True only for instruments whose class permits evidence (class 1 or 2 sound level meters)
    # The same driver for another address or with options of the device's table in the configuration (start register,
    # scale ...). Raises ValueError with a sentence for people when an option is unknown or out of range.
    at: Callable[[int | None, Mapping[str, object]], Driver] | None = None
    # The inverse of `decode`, for the simulator and for round-trip tests: values by point name to one reply per read.
    encode: Callable[[Mapping[str, float]], tuple[bytes, ...]] | None = None
    provision: Provision | None = None
    actions: Mapping[str, tuple[Read, ...]] = field(default_factory=dict)  # documented settings, when a person asks
    # Where the unit can say who it is: the question for its serial number, and the number in the answer. Asked each
    # time the unit comes up, so that swapped adapters are refused and not mislabelled.
    identity: Read | None = None
    identify: Callable[[bytes], str] | None = None
    introduce: Callable[[str], bytes] | None = None  # the inverse of `identify`, for the simulator
    # What each point can truly measure, where it is data: for people; `decode` judges by it.
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=())  # traps that an installer should know, one sentence each

    def __post_init__(self) -> None:
        for point in self.points:
            if quantity_of(point) is None:
                raise ValueError(f"driver {self.name}: point {point!r} is not a quantity of drivers/quantities.py")


def quantity_of(point: str) -> str | None:
    """The quantity that a point's name belongs to: itself, or what stands before `_channel`."""
    while point not in QUANTITIES:
        point, separator, _ = point.rpartition("_")
        if not separator:
            return None
    return point
