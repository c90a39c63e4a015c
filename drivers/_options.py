"""A device's options and address from its configuration table; every complaint is a sentence for whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T", str, int)


class Options:
    """Takes the options one by one and refuses, at `end`, what nobody took. Raises ValueError throughout."""

    def __init__(self, driver: str, address: int | None, given: Mapping[str, object]) -> None:
        self._driver = driver
        self._address = address
        self._address_known = False
        self._left = dict(given)
        self._known: list[str] = []

    def address(self, choices: Sequence[int], default: int) -> int:
        """The bus address: one of the choices that the hardware offers."""
        self._address_known = True
        if self._address is None:
            return default
        if self._address not in choices:
            shown = [f"0x{c:02x}" for c in choices] if len(choices) <= 16 else [f"{choices[0]} to {choices[-1]}"]
            raise ValueError(f"address of a {self._driver} must be {_either(shown)}, not {self._address}")
        return self._address

    def one_of(self, name: str, choices: Sequence[T], default: T | None = None) -> T:
        """One of a few values; without a default it must be given."""
        value = self._take(name, default)
        for choice in choices:
            if choice == value and type(choice) is type(value):
                return choice
        shown = _either([repr(c) for c in choices])
        if value is None:
            raise ValueError(f"{name} must be said for a {self._driver}: {shown}")
        raise ValueError(f"{name} of a {self._driver} must be {shown}, not {value!r}")

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float | None:
        """A number from low to high; None only where that is the default."""
        value = self._take(name, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{name} of a {self._driver} must be a number from {low:g} to {high:g}, not {value!r}")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise ValueError(f"{name} of a {self._driver} must be true or false, not {value!r}")  # noqa: TRY004  bad input, not a bug
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """Some text; without a default it must be given."""
        value = self._take(name, default)
        if value is None:
            raise ValueError(f"{name} must be said for a {self._driver}")
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name} of a {self._driver} must be text in quotes, not {value!r}")
        return value

    def end(self) -> None:
        """Nothing may be left over: a misspelt option would otherwise silently do nothing."""
        if self._address is not None and not self._address_known:
            raise ValueError(f"a {self._driver} has no address: remove the line")
        for name in self._left:
            near = get_close_matches(name, self._known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(self._known) or 'none'}"
            raise ValueError(f"a {self._driver} has no option {name!r}; {hint}")

    def _take(self, name: str, default: object) -> object:
        self._known.append(name)
        return self._left.pop(name, default)


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
