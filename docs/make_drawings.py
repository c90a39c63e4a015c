"""The wiring drawings of docs/first-venue.md: `python docs/make_drawings.py` (make reference) writes docs/wiring/*.svg.

A drawing is a list of boxes, wires and words in a plane of pixels. Pins are those of `venue-gateway config sample` and
of what `setup` proposes; the numbers in brackets are those of the 40-pin header.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parent / "wiring"
INK, PALE, RED, BLUE, GREEN = "#222", "#f4f4f0", "#b3261e", "#1f4fa3", "#2b7a3d"
HEADER = {"17": 11, "18": 12, "27": 13, "22": 15, "23": 16, "24": 18, "5": 29}  # BCM number: place on the header
Point = tuple[float, float]


class Drawing:
    """Grows by what is drawn; `svg` is the whole."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._size = width, height
        self._parts = [f"<title>{escape(title)}</title>", f'<rect width="{width}" height="{height}" fill="#fff"/>']

    def box(self, x: float, y: float, width: float, height: float, *lines: str) -> None:
        """A device, with its names in it."""
        self._parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" '
            f'fill="{PALE}" stroke="{INK}" stroke-width="1.5"/>'
        )
        top = y + height / 2 - 9 * (len(lines) - 1) + 5
        for number, line in enumerate(lines):
            self.words(x + width / 2, top + 18 * number, line, bold=number == 0)

    def words(
        self, x: float, y: float, text: str, *, bold: bool = False, anchor: str = "middle", ink: str = INK
    ) -> None:
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{ink}"{weight}>{escape(text)}</text>')

    def wire(self, points: Sequence[Point], ink: str = INK, *, dashed: bool = False) -> None:
        way = " ".join(f"{x},{y}" for x, y in points)
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self._parts.append(f'<polyline points="{way}" fill="none" stroke="{ink}" stroke-width="2"{dash}/>')

    def dots(self, points: Iterable[Point], ink: str = INK) -> None:
        self._parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{ink}"/>' for x, y in points]

    def resistor(self, x: float, y: float, text: str) -> None:
        """Upright, 30 high, its value beside it."""
        self._parts.append(
            f'<rect x="{x - 6}" y="{y}" width="12" height="30" fill="#fff" stroke="{INK}" stroke-width="1.5"/>'
        )
        self.words(x + 12, y + 20, text, anchor="start")

    def svg(self) -> str:
        width, height = self._size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'font-family="Noto Sans CJK SC, Microsoft YaHei, Arial, sans-serif" font-size="14">'
        )
        return "\n".join([head, *self._parts, "</svg>", ""])


def rs485() -> Drawing:
    """One line through all instruments, ended at both ends."""
    d = Drawing(900, 360, "RS-485: one line, ended at both ends")
    d.box(20, 110, 150, 90, "网关 gateway", "USB-RS485")
    meters = (
        ("噪声 noise", "地址 address 1"),
        ("温湿度 climate", "地址 address 2"),
        ("末端 last one", "地址 address 3"),
    )
    places = (290, 490, 690)
    for x, lines in zip(places, meters, strict=True):
        d.box(x, 20, 150, 60, *lines)
        d.wire([(x + 55, 80), (x + 55, 130)], RED)
        d.wire([(x + 95, 80), (x + 95, 180)], BLUE)
        d.dots([(x + 55, 130)], RED)
        d.dots([(x + 95, 180)], BLUE)
    d.wire([(170, 130), (850, 130)], RED)
    d.wire([(170, 180), (850, 180)], BLUE)
    for x in (215, 850):
        d.wire([(x, 130), (x, 140)])
        d.resistor(x, 140, "120 Ω")
        d.wire([(x, 170), (x, 180)])
    d.words(240, 122, "A+", bold=True, ink=RED)
    d.words(240, 202, "B−", bold=True, ink=BLUE)
    d.wire([(170, 230), (850, 230)], GREEN, dashed=True)
    d.words(510, 250, "GND 与屏蔽层：屏蔽层只在一端接地 · ground; the shield is earthed at one end only", ink=GREEN)
    notes = (
        "手拉手串接，不接成星形；两端各一个 120 Ω · one after another, no star; 120 ohm at both ends, nowhere else",
        "每台一个地址，全线同一波特率 · an address of its own for each, one speed for all",
        "全都不应答：先对调 A、B · nobody answers: swap A and B first",
    )
    for number, note in enumerate(notes):
        d.words(20, 290 + 24 * number, note, anchor="start")
    return d


def _pi(d: Drawing, rows: Sequence[tuple[str, float]], height: float) -> None:
    """The Pi with the pins that are used, at these heights."""
    d.box(20, 30, 150, height, "")
    d.words(95, 55, "Raspberry Pi", bold=True)
    for name, y in rows:
        label = "GND (14)" if name == "GND" else f"GPIO{name} ({HEADER[name]})"
        d.words(160, y + 5, label, anchor="end")
        d.dots([(170, y)])


def _changeover(d: Drawing, x: float, top: float, names: tuple[str, str]) -> None:
    """A switch: common at the right, closed to the upper contact while all is well."""
    d.box(x, top, 220, 130, "")
    d.words(x + 110, top - 8, names[0], bold=True)
    d.words(x + 110, top + 150, names[1])
    closed, opened, common = (x + 60, top + 30), (x + 60, top + 100), (x + 170, top + 65)
    d.dots([closed, opened, common])
    d.wire([common, closed], RED)
    d.words(x + 30, top + 22, "NC")
    d.words(x + 30, top + 122, "NO")
    d.words(x + 190, top + 52, "COM")


def leak_button() -> Drawing:
    """A changeover button between two pins and ground, a lamp and a buzzer."""
    d = Drawing(900, 470, "Leak button with both contacts, lamp and buzzer")
    _pi(d, (("27", 100), ("5", 170), ("GND", 235), ("22", 310), ("23", 380)), 390)
    _changeover(
        d,
        480,
        70,
        ("泄密报警按钮（自锁） leak button, latching", "按下：COM 由 NC 转到 NO · pressed: COM goes from NC to NO"),
    )
    d.wire([(170, 100), (540, 100)], RED)
    d.wire([(170, 170), (540, 170)], BLUE)
    d.wire([(170, 235), (440, 235), (440, 250), (820, 250), (820, 135), (650, 135)], GREEN)
    d.words(330, 92, "pin = 27", ink=RED)
    d.words(330, 162, "pin_other = 5", ink=BLUE)
    d.words(330, 227, "GND", ink=GREEN)
    d.box(480, 285, 220, 50, "指示灯 lamp", "LED + 330 Ω → GND")
    d.wire([(170, 310), (480, 310)])
    d.words(330, 302, "lamp_pin = 22")
    d.box(480, 355, 220, 50, "蜂鸣器 buzzer", "带驱动的模块 module with driver")
    d.wire([(170, 380), (480, 380)])
    d.words(330, 372, "buzzer_pin = 23")
    d.words(
        20,
        445,
        "线长过几米：各触点加 1–4.7 kΩ 上拉到 3.3 V · a long wire: 1 to 4.7 kohm from each contact to 3.3 V",
        anchor="start",
    )
    return d


def door() -> Drawing:
    """A magnetic changeover contact at the paper room's door."""
    d = Drawing(900, 360, "Paper room door: changeover contact with a magnet")
    _pi(d, (("17", 100), ("18", 170), ("GND", 235)), 240)
    _changeover(d, 480, 70, ("保密室门磁 door contact", "门开：COM 由 NC 转到 NO · door open: COM goes from NC to NO"))
    d.wire([(170, 100), (540, 100)], RED)
    d.wire([(170, 170), (540, 170)], BLUE)
    d.wire([(170, 235), (440, 235), (440, 250), (820, 250), (820, 135), (650, 135)], GREEN)
    d.words(330, 92, "pin = 17", ink=RED)
    d.words(330, 162, "pin_other = 18", ink=BLUE)
    d.words(330, 227, "GND", ink=GREEN)
    d.words(
        20,
        305,
        "门关上（磁铁靠近）时 COM 与 NC 接通 · while the door is shut, the magnet near, COM and NC are closed",
        anchor="start",
    )
    d.words(  # some makers name the contacts as they are without the magnet
        20,
        335,
        "标注各厂不同，以万用表为准：关门时接通的一对接 pin · labels differ, measure: what shutting closes goes to pin",
        anchor="start",
    )
    return d


DRAWINGS = {"rs485.svg": rs485, "leak-button.svg": leak_button, "door.svg": door}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, make in DRAWINGS.items():
        (FOLDER / name).write_text(make().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
