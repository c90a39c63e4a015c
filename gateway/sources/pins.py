"""The board's pins: which chip they are on, the library that reads them, and who holds a line.

The library is named, never guessed: gpiozero's own search ends in "Unable to load any default pin factory!", which
hides the cause, or in a back end without edges. The chip is found by its label, because its number changes between
boards and kernels (a Pi 5 has its pins on gpiochip4 with an old kernel and on gpiochip0 with a new one).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.catalogue import N_, say

LABELS = {  # newest first
    "pinctrl-rp1": "Raspberry Pi 5",
    "pinctrl-bcm2711": "Raspberry Pi 4",
    "pinctrl-bcm2835": "Raspberry Pi 3 and older",
}
_CHIPINFO = 0x8044B401  # GPIO_GET_CHIPINFO_IOCTL of linux/gpio.h: char name[32], char label[32], u32 lines
_CHIPINFO_SIZE = 68


class PinTrouble(Exception):
    """Pins cannot be used; the text says why and what helps."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A gpiozero pin factory with what it raises, and who holds a line, as far as that can be known."""

    factory: Any
    name: str  # for people: library, chip and board
    errors: tuple[type[Exception], ...]
    holder: Callable[[int], str | None]


def choose_chip(chips: Mapping[int, str]) -> int | None:
    """The number of the chip that has the header's pins, from chip numbers to labels; None when none has."""
    for label in LABELS:
        numbers = [number for number, its_label in chips.items() if its_label == label]
        if numbers:
            return min(numbers)  # newer kernels list the Pi 5's chip twice, once under its old number
    return None


def read_chips(folder: Path = Path("/dev")) -> dict[int, str]:
    """Labels of all GPIO chips by number. Raises PinTrouble naming a chip that may not be opened when none may."""
    chips: dict[int, str] = {}
    refused: list[OSError] = []
    for path in sorted(folder.glob("gpiochip*")):
        number = path.name.removeprefix("gpiochip")
        try:
            if number.isdecimal():
                chips[int(number)] = _label(path)
        except OSError as error:
            refused.append(error)
    if refused and not chips:
        raise PinTrouble(
            say(
                N_("{file} cannot be opened ({cause}): the program's user must be in the group gpio"),
                file=refused[0].filename or folder,
                cause=refused[0].strerror,
            )
        ) from refused[0]
    return chips


def _label(path: Path) -> str:
    info = bytearray(_CHIPINFO_SIZE)
    chip = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(chip, _CHIPINFO, info)
    finally:
        os.close(chip)
    return info[32:64].split(b"\0")[0].decode(errors="replace")


def real_backend(folder: Path = Path("/dev")) -> Backend:
    """The board's own pins through lgpio. Raises PinTrouble."""
    chips = read_chips(folder)
    chip = choose_chip(chips)
    if chip is None:
        found = ", ".join(f"gpiochip{number} ({label})" for number, label in chips.items()) or say(N_("none"))
        raise PinTrouble(say(N_("no GPIO chip of a Raspberry Pi is here; found: {found}"), found=found))
    try:
        import lgpio  # noqa: PLC0415  only on a board
        from gpiozero import GPIOZeroError  # noqa: PLC0415  75 ms, only with contacts
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415
    except ImportError as error:
        message = N_("the library lgpio cannot be loaded ({cause}): install exam-venue-gateway[pi]")
        raise PinTrouble(say(message, cause=error)) from error
    errors: tuple[type[Exception], ...] = (GPIOZeroError, OSError, lgpio.error)
    try:
        factory = LGPIOFactory(chip=chip)
    except errors as error:
        raise PinTrouble(say(N_("gpiochip{chip} cannot be used: {cause}"), chip=chip, cause=error)) from error

    def holder(pin: int) -> str | None:
        try:
            user = lgpio.gpio_get_line_info(factory._handle, pin)[4]  # noqa: SLF001  no public name for it
        except lgpio.error:
            return None
        return str(user) or None

    name = f"lgpio, gpiochip{chip} ({chips[chip]}, {LABELS[chips[chip]]})"
    return Backend(factory, name, errors, holder)


def given_backend(factory: Any, *, simulate: bool) -> Backend:
    """A factory made elsewhere. Raises PinTrouble for simulated pins unless a simulation was asked for."""
    from gpiozero import GPIOZeroError  # noqa: PLC0415  75 ms, only with contacts
    from gpiozero.pins.mock import MockFactory  # noqa: PLC0415

    if isinstance(factory, MockFactory) and not simulate:
        raise PinTrouble(say(N_("the pins are simulated: nothing real is watched; simulated pins need --simulate")))
    return Backend(factory, type(factory).__name__, (GPIOZeroError, OSError), lambda _: None)
