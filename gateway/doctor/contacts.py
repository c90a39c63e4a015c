"""Checks of contacts and pins. While a gateway runs it has the pins; then it is asked."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from gateway.catalogue import N_, say
from gateway.catalogue import chosen as language
from gateway.doctor.patient import Check, Patient, Seen, bad, doubtful, good
from gateway.sources.pins import PinTrouble, choose_chip, read_chips
from gateway.values import CUSTODY_KINDS
from gateway.vocabulary import word

# linux/gpio.h: struct gpio_v2_line_info (offset at 64, flags at 80), and the request that fills it in. Reading only.
_LINE_INFO, _LINE_INFO_SIZE = 0xC100B405, 256
_USED = 1
_OTHERWISE = N_("look at the contact, its wire and its pin")
_REMEDIES = {
    "cut": N_("a wire is broken or a plug is off: follow it from the pin to the contact"),
    "short": N_("both contacts of the changeover are closed: look for water or crushed insulation"),
}


def _states(patient: Patient) -> Iterator[Seen]:
    for name, state in (patient.status or {}).get("contacts", {}).items():
        if state == "safe":
            yield good(say("{contact} is safe", contact=name))
        else:
            what = say("{contact} is {state}", contact=name, state=word(state))
            yield bad(what, say(_REMEDIES.get(state, _OTHERWISE)))


def _wiring(patient: Patient) -> Iterator[Seen]:
    for name, contact in (patient.config.contact if patient.config is not None else {}).items():
        if contact.kind in CUSTODY_KINDS and contact.pin_other is None:
            what = say("{contact}: with one pin a cut cannot be told from a press", contact=name)
            yield doubtful(what, say("wire the changeover's second contact and set pin_other"))


def _pins(patient: Patient) -> Iterator[Seen]:
    if patient.runs:
        for alarm in patient.alarms:
            if alarm["kind"] == "pin":
                text = alarm["text"]
                what = str(text[language()]) if isinstance(text, dict) else str(text)
                yield bad(what, say("end the other program, or take another pin; gpioinfo shows who has which"))
        return
    if patient.config is None or not patient.config.contact:
        return
    folder = patient.machine.path("/dev")
    try:
        chips = read_chips(folder)
    except PinTrouble as trouble:
        yield bad(str(trouble), say("add the user to the group: usermod -a -G gpio USER"))
        return
    number = choose_chip(chips)
    if number is None:
        remedy = say("contacts need a Raspberry Pi; elsewhere: venue-gateway run CONFIG --simulate pins")
        yield bad(say("this machine has no pins of a Raspberry Pi"), remedy)
        return
    taken = {pin: who for pin in pins_of(patient) if (who := holder_of(folder / f"gpiochip{number}", pin))}
    for pin, who in taken.items():
        yield bad(
            say("pin {pin} is in use by {holder}", pin=pin, holder=who),
            say("end the other program, or take another pin"),
        )
    if not taken:
        yield good(say("every pin of the configuration is free"))


def pins_of(patient: Patient) -> list[int]:
    if patient.config is None:
        return []
    contacts = patient.config.contact.values()
    pins = [p for c in contacts for p in (c.pin, c.pin_other, c.lamp_pin, c.buzzer_pin) if p is not None]
    return sorted({*pins, *([patient.config.siren.pin] if patient.config.siren is not None else [])})


def holder_of(chip: Path, pin: int) -> str | None:
    """Who has the pin, by the kernel; None when nobody, or it does not say. Changes nothing."""
    info = bytearray(_LINE_INFO_SIZE)
    struct.pack_into("=I", info, 64, pin)
    try:
        descriptor = os.open(chip, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, _LINE_INFO, info)
        finally:
            os.close(descriptor)
    except OSError:
        return None
    used = struct.unpack_from("=Q", info, 72)[0] & _USED
    return (info[32:64].split(b"\0")[0].decode(errors="replace") or say("another program")) if used else None


CHECKS = (
    Check("contact", N_("contacts"), N_("it is an alarm, or will not be one when it should"), _states),
    Check(
        "one-pin",
        N_("wiring"),
        N_("a cut wire looks like a press, and cannot be told to the guard as what it is"),
        _wiring,
    ),
    Check("pin", N_("pins"), N_("the contact on it cannot be watched"), _pins),
)
