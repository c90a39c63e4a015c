"""An uninterruptible supply behind Network UPS Tools: `upsd`, TCP port 3493, lines of text ended by LF.

    GET VAR ups ups.status         ->   VAR ups ups.status "OL CHRG"
    GET VAR ups battery.charge     ->   VAR ups battery.charge "96"

- Words of the status: OL on line, OB on battery, LB battery low, FSD it is about to switch off, CHRG, DISCHRG, RB,
  OVER, BYPASS, CAL, OFF, TRIM, BOOST, ALARM.
- `ERR DATA-STALE` and `ERR DRIVER-NOT-CONNECTED`: the link to the supply is lost; that is unknown, never "on line".
- A supply that does not know its charge says `ERR VAR-NOT-SUPPORTED`.
TCP has a check of its own. Source: Network UPS Tools developer guide, chapter 9 (network protocol).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from drivers._options import Options
from drivers._values import invalid, within
from drivers.base import Driver, Framing, Measurement, Read
from drivers.errors import BadFrame, DeviceFault
from drivers.frames import whole

LONGEST = 256
_ERROR = re.compile(r"ERR ([A-Z][A-Z0-9-]{2,40})(?: [ -~]*)?")
_UPS = re.compile(r"[A-Za-z0-9_.-]{1,64}")
NOT_KNOWN = "VAR-NOT-SUPPORTED"
STATUS, CHARGE = "ups.status", "battery.charge"
MEANINGS = {
    "DATA-STALE": "the link between upsd and the supply is lost",
    "DRIVER-NOT-CONNECTED": "upsd has no driver for the supply: it is not running",
    "UNKNOWN-UPS": "upsd knows no supply of this name: see `upsc -l`",
    "ACCESS-DENIED": "upsd does not allow this computer to ask",
}


def framing(ups: str, variable: str) -> Framing:
    """One line that answers for this variable, or an error."""
    answer = re.compile(rf'VAR {re.escape(ups)} {re.escape(variable)} "[ !#-\[\]-~]*"')

    def frame(data: bytes) -> int:
        end = data.find(b"\n", 0, LONGEST)
        if end < 0:
            if len(data) >= LONGEST:
                raise BadFrame("a line without an end")
            return 0
        line = data[:end].decode("latin-1").rstrip("\r")
        if not answer.fullmatch(line) and not _ERROR.fullmatch(line):
            raise BadFrame(f"not an answer for {variable}: {line!r}")
        return end + 1

    return frame


def _content(frame: Framing, reply: bytes) -> str | None:
    """What stands between the quotes; None where the supply does not know. Raises DeviceFault for other errors."""
    line = whole(frame, reply).decode("latin-1").rstrip("\r\n")
    if error := _ERROR.fullmatch(line):
        if error[1] == NOT_KNOWN:
            return None
        raise DeviceFault(MEANINGS.get(error[1], f"upsd says {error[1]}"))
    return line.split('"')[1]


def decode(frames: tuple[Framing, Framing], replies: tuple[bytes, ...]) -> list[Measurement]:
    status, charge = (_content(frame, reply) for frame, reply in zip(frames, replies, strict=True))
    if status is None:
        raise DeviceFault("the supply does not say its status")
    return [*_power(status), _charge(charge)]


def _power(status: str) -> list[Measurement]:
    words = set(status.split())
    if ("OL" in words) == ("OB" in words):
        reason = f"the supply says {status!r}: neither on line nor on battery"
        return [invalid("on_battery", reason), invalid("battery_low", reason)]
    low = bool(words & {"LB", "FSD"})
    return [Measurement("on_battery", float("OB" in words)), Measurement("battery_low", float(low))]


def _charge(text: str | None) -> Measurement:
    if text is None:
        return invalid("charge", "the supply does not say")
    if not re.fullmatch(r"\d{1,3}(\.\d{1,4})?", text):
        return invalid("charge", f"no number: {text!r}")
    return within("charge", float(text), 0, 100)


def encode(ups: str, values: Mapping[str, float]) -> tuple[bytes, ...]:
    words = ["OB" if values.get("on_battery") else "OL"] + ["LB"] * bool(values.get("battery_low"))
    charge = f"{values.get('charge', 100.0):g}"
    answers = ((STATUS, " ".join(words)), (CHARGE, charge))
    return tuple(f'VAR {ups} {variable} "{value}"\n'.encode() for variable, value in answers)


def build(ups: str) -> Driver:
    frames = (framing(ups, STATUS), framing(ups, CHARGE))
    asked = zip(frames, (STATUS, CHARGE), strict=True)
    return Driver(
        name="nut",
        title="Uninterruptible supply behind Network UPS Tools (upsd)",
        points=("on_battery", "battery_low", "charge"),
        decode=partial(decode, frames),
        encode=partial(encode, ups),
        reads=tuple(Read(frame, f"GET VAR {ups} {name}\n".encode(), timeout_s=5.0) for frame, name in asked),
        transport="tcp",
        every_s=2.0,
        at=at,
        notes=(
            'Option: ups, its name in ups.conf (default "ups").',
            "Its port is a host and a TCP port, as localhost:3493.",
        ),
    )


def at(address: int | None, given: Mapping[str, object]) -> Driver:
    options = Options("nut", address, given)
    ups = options.text("ups", "ups")
    options.end()
    if not _UPS.fullmatch(ups):
        raise ValueError(f"ups must be a name as in ups.conf, not {ups!r}")
    return build(ups)


DRIVER = build("ups")
