"""Checks of the board: clock, power, heat."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.catalogue import N_, say
from gateway.doctor.patient import Check, Patient, Seen, bad, doubtful, good
from gateway.moment import NANO, ClockState

_THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
_HEAT = "/sys/class/thermal/thermal_zone0/temp"
HOT_C, TOO_HOT_C = 70, 80  # a Pi slows down at 80
_AHEAD_S = 120.0  # a file written since may be so much newer than "now"
_MODULE = Path(__file__)


def _clock(patient: Patient) -> Iterator[Seen]:
    state = patient.status["clock"] if patient.status is not None else patient.now.clock.value
    if state == ClockState.SYNCHRONISED:
        yield good(say("the clock is set by a time source"))
    else:
        what = say("the clock is not set by a time source: every record is marked so")
        yield doubtful(
            what, say("timedatectl set-ntp true, with a time server that can be reached; or fit a battery clock")
        )


def _behind(patient: Patient) -> Iterator[Seen]:
    """Before the program was made, or before the newest record: it certainly is wrong."""
    now_s = patient.now.wall_ns / NANO
    newest_s = max((file.stat().st_mtime for file in _records(patient.state)), default=0.0)
    made_s = _MODULE.stat().st_mtime
    for past_s, what in (
        (newest_s, N_("the clock says {now}, before the newest record of {past}")),
        (made_s, N_("the clock says {now}, before this program was installed on {past}")),
    ):
        if now_s + _AHEAD_S < past_s:
            remedy = say("set it: timedatectl set-time, or connect to a time server")
            yield bad(say(what, now=_shown(now_s), past=_shown(past_s)), remedy)
            return


def _records(state: Path) -> list[Path]:
    return [*state.glob("events.db"), *state.glob("readings-*.db")]


def _shown(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "minutes")


def _battery(patient: Patient) -> Iterator[Seen]:
    """A Pi 5 has a clock that a battery keeps; older boards have none unless one was fitted."""
    if not patient.machine.is_pi:
        return
    if patient.machine.path("/dev/rtc0").exists():
        yield good(say("there is a clock that runs without power, if its battery is in"))
    else:
        yield doubtful(say("no clock runs while the power is off"), say("fit one (DS3231, dtoverlay=i2c-rtc,ds3231)"))


def _power(patient: Patient) -> Iterator[Seen]:
    """Bits of the Pi's firmware: 0 under-voltage now, 2 throttled now, 16 and 18 the same since the start (F10)."""
    try:
        bits = int((patient.machine.text(_THROTTLED) or "").strip(), 16)
    except ValueError:
        return
    if bits & 0b101:
        yield bad(say("the supply voltage is too low now"), say("replace the power supply"))
    elif bits >> 16 & 0b101:
        yield doubtful(say("the supply voltage was too low since the start"), say("replace the power supply"))
    else:
        yield good(say("the supply voltage is good"))


def _heat(patient: Patient) -> Iterator[Seen]:
    text = (patient.machine.text(_HEAT) or "").strip()
    if not text.isdecimal() or not patient.machine.is_pi:
        return
    heat_c = int(text) / 1000
    what = say("the board is at {heat:.0f} degrees", heat=heat_c)
    remedy = say("give it air, out of the sun; fit a heat sink")
    if heat_c >= TOO_HOT_C:
        yield bad(what, remedy)
    elif heat_c >= HOT_C:
        yield doubtful(what, remedy)
    else:
        yield good(what)


CHECKS = (
    Check("clock", N_("clock"), N_("in an inquiry a record's time would be doubted"), _clock),
    Check("clock-behind", N_("clock"), N_("certificates and sessions are judged by a wrong time"), _behind),
    Check("clock-battery", N_("clock"), N_("after a power cut without network the time is unknown"), _battery),
    Check("power", N_("power"), N_("cards fail and adapters vanish on a weak supply"), _power),
    Check("heat", N_("heat"), N_("a board that is too hot becomes slow, and then stops"), _heat),
)
