"""The data segment of HJ 212: `QN=..;ST=..;CN=..;PW=..;MN=..;Flag=..;[PNUM=..;PNO=..;]CP=&&..&&`.

In CP `;` separates items, `,` joins several values of one item: `a34004-Rtd=28,a34004-Flag=N;a34002-Rtd=51`.
Read strictly (order, widths, digits), with the two liberties that the standard's own print takes: blanks round names,
and CRC over the bytes as they came. Written exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MOST_CP = 950  # characters between the && signs
MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)  # that a minute file may have
FIELDS = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO")
Item = tuple[tuple[str, str], ...]  # names and values that a comma joins

_QN = re.compile(r"20[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9][0-9]{3}")
# What QnRtn says of a field that is wrong: "the PW is wrong" ...
REFUSALS = {"PW": 3, "MN": 4, "ST": 5, "Flag": 6, "QN": 7, "CN": 8}
UNKNOWN = 100
PASSWORD = re.compile(r"[!-:<-~]{1,6}")
_SHAPES = {
    "QN": _QN,
    "ST": re.compile(r"[0-9A-Z]{2}"),
    "CN": re.compile(r"[0-9]{4}"),
    "PW": PASSWORD,
    "MN": re.compile(r"[0-9A-Za-z]{1,24}"),
    "Flag": re.compile(r"[0-9]{1,3}"),
    "PNUM": re.compile(r"[1-9][0-9]{0,3}"),
    "PNO": re.compile(r"[1-9][0-9]{0,3}"),
}
_NAME = re.compile(r"[0-9A-Za-z_-]{1,48}")
_VALUE = re.compile(r"[^;,=&\x00-\x1f\x7f]*")


class BadSegment(ValueError):
    """Not a data segment; `qnrtn` is what an answer would say of it."""

    def __init__(self, what: str, field: str = "") -> None:
        super().__init__(what)
        self.qnrtn = REFUSALS.get(field, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Packets:
    """This is packet `number` of `total`."""

    total: int
    number: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One message. `qn` is None where an answer of 2005 carries it inside CP."""

    qn: str | None
    st: str
    cn: str
    pw: str
    mn: str
    flag: int
    items: tuple[Item, ...] = ()
    packets: Packets | None = None

    @property
    def wants_answer(self) -> bool:
        return bool(self.flag & 1)

    @property
    def exchange(self) -> str | None:
        """The QN that tells which exchange this belongs to, from the head or from CP."""
        return self.qn or self.value("QN")

    def value(self, name: str) -> str | None:
        return next((value for item in self.items for key, value in item if key == name), None)


def single(pairs: Iterable[tuple[str, str]]) -> tuple[Item, ...]:
    """Items of one value each."""
    return tuple((pair,) for pair in pairs)


def parse(data: bytes) -> Segment:
    """Raises BadSegment."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise BadSegment("not UTF-8") from None
    head, found, rest = text.partition("CP=&&")
    content, closed, after = rest.partition("&&")
    if not found or not closed or after.strip():
        raise BadSegment("no CP=&&...&&")
    if len(content) > MOST_CP:
        raise BadSegment(f"CP of {len(content)} characters")
    fields = _fields(head)
    items = tuple(_items(content))
    if "QN" not in fields and not any(name == "QN" for item in items for name, _ in item):
        raise BadSegment("QN is missing", "QN")
    flag = int(fields["Flag"])
    return Segment(
        fields.get("QN"),
        fields["ST"],
        fields["CN"],
        fields["PW"],
        fields["MN"],
        flag,
        items,
        _packets(flag, fields),
    )


def _fields(head: str) -> dict[str, str]:
    if not head.endswith(";"):
        raise BadSegment("no ; before CP")
    fields: dict[str, str] = {}
    order = -1
    for part in head[:-1].split(";"):
        name, _, value = part.strip().partition("=")
        place = FIELDS.index(name) if name in FIELDS else -1
        if place <= order:
            raise BadSegment(f"{name!r} is not a field here", name)
        if _SHAPES[name].fullmatch(value) is None:
            raise BadSegment(f"{name} is not one", name)
        fields[name], order = value, place
    missing = next((name for name in FIELDS[1:6] if name not in fields), None)
    if missing is not None:
        raise BadSegment(f"{missing} is missing", missing)
    if int(fields["Flag"]) > 255:
        raise BadSegment("Flag over 255", "Flag")
    return fields


def _packets(flag: int, fields: dict[str, str]) -> Packets | None:
    present = {"PNUM", "PNO"} & fields.keys()
    without = flag == 3 and not present  # 2005 equipment in the field sets the bit and has no numbers
    if len(present) != (2 if flag & 2 else 0) and not without:
        raise BadSegment("packet numbers and Flag contradict each other", "Flag")
    if not present:
        return None
    total, number = int(fields["PNUM"]), int(fields["PNO"])
    if number > total:
        raise BadSegment("PNO over PNUM")
    return Packets(total, number)


def _items(content: str) -> Iterator[Item]:
    for written in content.split(";"):
        if not written.strip():  # a ; at the end, or none at all
            continue
        item = []
        for pair in written.split(","):
            name, equals, value = pair.strip().partition("=")
            if not equals or _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
                raise BadSegment(f"{pair[:40]!r} is no value")
            item.append((name, value))
        yield tuple(item)


def encode(segment: Segment) -> bytes:
    """The inverse of `parse`. ValueError when CP would be longer than the standard allows."""
    content = written(segment.items)
    if len(content) > MOST_CP:
        raise ValueError(f"CP of {len(content)} characters; the standard allows {MOST_CP}")
    head = f"QN={segment.qn};" if segment.qn is not None else ""
    head += f"ST={segment.st};CN={segment.cn};PW={segment.pw};MN={segment.mn};Flag={segment.flag};"
    if segment.packets is not None:
        head += f"PNUM={segment.packets.total};PNO={segment.packets.number};"
    return f"{head}CP=&&{content}&&".encode()


def written(items: Iterable[Item]) -> str:
    return ";".join(",".join(f"{name}={value}" for name, value in item) for item in items)


def parts(first: Item, items: Iterable[Item], most: int = MOST_CP) -> list[tuple[Item, ...]]:
    """The items in as few packets as fit, in order, each beginning with `first` (the DataTime)."""
    packets: list[tuple[Item, ...]] = []
    packet: tuple[Item, ...] = (first,)
    for item in items:
        if len(packet) > 1 and len(written((*packet, item))) > most:
            packets.append(packet)
            packet = (first,)
        packet = (*packet, item)
    return [*packets, packet]
