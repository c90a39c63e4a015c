"""A device that says lines of text in its maker's own form (temperature gates, tunnels), told by a pattern.

    pattern = "T={body_temperature:5} A={ambient_temperature:5}"      "T= 36.6 A= 25.1" CR LF

- Fixed places only: plain text stands for itself, `{point:width}` for a number of so many characters, blanks round it
  allowed, `{:width}` for characters to pass over. A point is a quantity of `drivers/quantities.py`, with `_channel`
  where there are several of one. No regular expressions: a line is compared in one pass, whatever it is.
- `end` is what ends a line (CR LF unless said); `ask` what is sent for each, where the device does not talk by itself.
- What is no number in a number's place (dashes, letters) is a value that is not there.
No check: the text, the length and, for temperatures of people, the range 10-45 degC are required, and a value
counts when a second agrees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from string import Formatter

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Measurement, Read, quantity_of
from drivers.errors import BadFrame
from drivers.frames import whole
from drivers.quantities import QUANTITIES

LONGEST = 256
_NUMBER = re.compile(r" *([+-]?\d{1,9}(?:\.\d{1,6})?) *")
SCREENING = (10.0, 45.0)  # degC
ANY = (-1e9, 1e9)


@dataclass(frozen=True, slots=True)
class Line:
    """A pattern, taken apart: where plain text stands, and which characters are which point's number."""

    texts: tuple[tuple[int, bytes], ...]
    numbers: tuple[tuple[str, int, int], ...]  # point, first character, width
    length: int

    def frame(self, data: bytes) -> int:
        for start, text in self.texts:
            if data[start : start + len(text)] != text[: max(0, len(data) - start)]:
                raise BadFrame(f"not a line of the pattern: {data[: self.length]!r}")
        if len(data) < self.length:
            return 0
        if not all(0x20 <= byte < 0x7F for _, start, width in self.numbers for byte in data[start : start + width]):
            raise BadFrame(f"not a line of text: {data[: self.length]!r}")
        return self.length


def parse(pattern: str, end: str) -> Line:
    """Raises ValueError, with a sentence for people, where the pattern cannot be understood."""
    texts: list[tuple[int, bytes]] = []
    numbers: list[tuple[str, int, int]] = []
    at = 0
    try:
        pieces = [*Formatter().parse(pattern), (end, None, None, None)]
    except ValueError as error:
        raise ValueError(f"pattern cannot be read: {error}") from None
    for text, point, width, conversion in pieces:
        if text:
            if not text.isascii():
                raise ValueError(f"pattern must be ASCII: {text!r}")
            texts.append((at, text.encode("ascii")))
            at += len(text)
        if point is None:
            continue
        if conversion or not (width or "").isascii() or not (width or "").isdecimal() or not 1 <= int(width or 0) <= 32:
            raise ValueError(f'in the pattern write "{{{point}:5}}": the number of characters must be 1 to 32')
        if point and quantity_of(point) is None:
            raise ValueError(f"{point!r} in the pattern is not a quantity")
        if point and point in (name for name, _, _ in numbers):
            raise ValueError(f"{point!r} stands in the pattern twice: add _ and a name to tell them apart")
        if point:
            numbers.append((point, at, int(width or 0)))
        at += int(width or 0)
    if not end or not numbers or at > LONGEST:
        raise ValueError(f"pattern needs an end, at least one point, and at most {LONGEST} characters")
    return Line(tuple(texts), tuple(numbers), at)


def decode(line: Line, replies: tuple[bytes, ...]) -> list[Measurement]:
    (reply,) = replies
    data = whole(line.frame, reply)
    return [_value(name, data[start : start + width].decode("ascii")) for name, start, width in line.numbers]


def _value(name: str, text: str) -> Measurement:
    quantity = quantity_of(name) or name
    channel = name[len(quantity) + 1 :]
    match = _NUMBER.fullmatch(text)
    if match is None:
        return invalid(quantity, f"no number: {text!r}", channel=channel)
    low, high = SCREENING if QUANTITIES[quantity].kind == "screening" else ANY
    return within(quantity, float(match[1]), low, high, channel)


def encode(line: Line, values: Mapping[str, float]) -> tuple[bytes, ...]:
    data = bytearray(b" " * line.length)
    for start, text in line.texts:
        data[start : start + len(text)] = text
    for name, start, width in line.numbers:
        default = 30.0 if QUANTITIES[quantity_of(name) or name].kind == "screening" else 0.0
        data[start : start + width] = _fit(values.get(name, default), width)
    return (bytes(data),)


def _fit(value: float, width: int) -> bytes:
    """The number with as many decimals, up to three, as its place has room for."""
    for decimals in (3, 2, 1, 0):
        text = f"{value:.{decimals}f}"
        if len(text) <= width:
            return text.rjust(width).encode()
    raise ValueError(f"{value} does not fit into {width} characters")


def build(pattern: str, end: str, ask: str, baud: int) -> Driver:
    line = parse(pattern, end)
    return Driver(
        name="textline",
        title="Lines of text by a pattern (temperature gates and others)",
        points=tuple(name for name, _, _ in line.numbers),
        decode=partial(decode, line),
        encode=partial(encode, line),
        reads=(Read(line.frame, ask.encode(), timeout_s=3.0),),
        baud=baud,
        checked=False,
        at=at,
        notes=(
            'Option, required: pattern = "T={body_temperature:5} A={ambient_temperature:5}", as the maker prints it.',
            'Options: end (default CR LF, "\\r\\n"), ask (what to send for a line; nothing by default), baud.',
            "A line has no check: a value counts when a second agrees with it.",
        ),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("textline", address, given)
    pattern, end = options.text("pattern"), options.text("end", "\r\n")
    ask = options.text("ask") if "ask" in given else ""
    baud = options.one_of("baud", (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200), 9600)
    options.end()
    return build(pattern, end, ask, baud)


DRIVER = build("T={body_temperature:5} A={ambient_temperature:5}", "\r\n", "", 9600)
