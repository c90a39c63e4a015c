"""Contacts: wiring that would stay silent, times that would lose a press, pins and alarm names used twice."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.alarm.words import drill_of
from gateway.catalogue import N_
from gateway.configuration.complaints import Location, Problem, error, phrase, warning
from gateway.configuration.config import Config, Contact
from gateway.contacts.seals import PARTS
from gateway.day.wording import DUTIES
from gateway.machine.health import SYSTEM
from gateway.values import CUSTODY_KINDS, STREAMS

LONGEST_GLITCH_S = 0.5  # a hurried press is about 0.1 s
LONGEST_SETTLE_S = 5.0
LONGEST_HOLD_S = 5.0  # a frightened person holds nothing for long
CONTACT_ALARMS = ("", "-line", "-pin", "-chatter")  # each contact's alarms are called so
SEAL_ALARMS = tuple(f"-{part}" for part in PARTS if part)  # a sealed door's as well
PULLED_UP = (2, 3)  # 1.8 kOhm resistors on the board
PRECEDENCE = ("leak", "seal", "tamper")  # whoever comes first keeps a pin that is given twice
PAGES = (
    "custody",
    "log",
    "stage",
    "lost-time",
    "zero-report",
    *(f"record-{stream}" for stream in STREAMS),
    *(f"duty-{kind}" for kind in DUTIES),
)  # of the exam day
BOARD_PINS = (0, 1)  # read at every start to find an add-on board
BOOT_PINS = {2: "I2C", 3: "I2C", 4: "1-Wire", 14: "UART", 15: "UART"}  # as firmware_config/boot/config.txt sets them
POWER_PIN = 26  # of the power button, there too


def contacts(config: Config) -> Iterator[Problem]:
    for name, contact in config.contact.items():
        at: Location = ("contact", name)
        yield from _filter_times(at, contact)
        if contact.hold and (contact.kind != "leak" or contact.hold > LONGEST_HOLD_S):
            yield error(
                (*at, "hold"),
                phrase(N_("a guard time is for a leak button, and at most {bound} s"), bound=f"{LONGEST_HOLD_S:g}"),
                phrase(N_("take it out, or write for example: {example}"), example='hold = "1s"'),
            )
        if contact.kind not in CUSTODY_KINDS:
            continue
        if contact.safe is None:
            yield error(
                (*at, "safe"),
                phrase(
                    N_("safe is missing, so a cut wire of this {kind} contact would stay silent"), kind=contact.kind
                ),
                phrase(N_('wire it as a closed loop to ground and write safe = "low" (to 3.3 V: safe = "high")')),
            )
        if contact.pin_other is None:
            yield warning(
                at,
                phrase(N_("with one pin a cut wire cannot be told from a press or an opening")),
                phrase(N_("use a changeover contact and give its other pin: pin_other = ...")),
            )
    if any(contact.kind == "seal" for contact in config.contact.values()) and config.custody is None:
        yield warning(
            ("custody",),
            phrase(N_("a seal is watched, but nothing says when papers are stored")),
            phrase(N_("add [custody] with start and end; without it the seal is armed at all times")),
        )


def _filter_times(at: Location, contact: Contact) -> Iterator[Problem]:
    if contact.glitch > LONGEST_GLITCH_S:
        yield error(
            (*at, "glitch"),
            phrase(N_("presses shorter than {length} s would be lost"), length=contact.glitch),
            phrase(N_("at most {bound} s; usual is {example}"), bound=LONGEST_GLITCH_S, example='glitch = "20ms"'),
        )
    elif not contact.glitch <= contact.settle <= LONGEST_SETTLE_S:
        yield error(
            (*at, "settle"),
            phrase(N_("it is shorter than glitch, or longer than {bound} s"), bound=f"{LONGEST_SETTLE_S:g}"),
            phrase(N_("usual is {example}"), example='settle = "50ms"'),
        )


def _boot_pins(at: Location, pin: int | None) -> Iterator[Problem]:
    """Pins that the board's settings use, where `boot-config --apply` was run as docs/install.md says."""
    if pin in BOOT_PINS:
        wrong = phrase(N_("pin {pin} is used for {use} by the lines of boot-config"), pin=pin, use=BOOT_PINS[pin])
    elif pin == POWER_PIN:
        said = N_("pin {pin} is the power button of boot-config: held for 3 s it shuts the board down")
        wrong = phrase(said, pin=pin)
    else:
        return
    yield warning(at, wrong, phrase(N_("use another pin; 5, 6, 12, 13, 16 to 25 and 27 are free")))


def pins(config: Config) -> Iterator[Problem]:
    taken: dict[int, str] = {}
    siren = None if config.siren is None else config.siren.pin
    ranked = sorted(config.contact.items(), key=lambda item: (*PRECEDENCE, item[1].kind).index(item[1].kind))
    for keys in (("pin", "pin_other"), ("lamp_pin", "buzzer_pin")):  # a lamp never takes a line's pin
        for name, key, contact in [(n, k, c) for n, c in ranked for k in keys]:
            pin = getattr(contact, key)
            if pin is None:
                continue
            at: Location = ("contact", name, key)
            if pin in taken:
                yield error(
                    at,
                    phrase(N_("pin {pin} is already {other}"), pin=pin, other=taken[pin]),
                    phrase(N_("give each line, lamp and buzzer a pin of its own (BCM numbers 2 to 27)")),
                )
            taken.setdefault(pin, f"contact.{name}.{key}")
            if pin in PULLED_UP and key in ("pin", "pin_other") and contact.safe == "high":
                yield error(
                    at,
                    phrase(N_("pin {pin} is pulled up on the board, so it cannot watch a loop to 3.3 V"), pin=pin),
                    phrase(N_('use another pin, or wire the loop to ground with safe = "low"')),
                )
            if pin in BOARD_PINS:
                yield warning(
                    at,
                    phrase(N_("pin {pin} is driven by the board itself at every start"), pin=pin),
                    phrase(N_("use one of the pins 2 to 27")),
                )
            yield from _boot_pins(at, pin)
    yield from _boot_pins(("siren", "pin"), siren)
    if siren in taken:
        yield error(
            ("siren", "pin"),
            phrase(N_("pin {pin} is already {other}"), pin=siren, other=taken[siren]),
            phrase(N_("give each line, lamp and buzzer a pin of its own (BCM numbers 2 to 27)")),
        )


def alarm_names(config: Config) -> Iterator[Problem]:
    """Alarms are known by their names alone, so no two things may give the same one."""
    own = (*SYSTEM, "link-mqtt", "link-second", *PAGES)
    taken = {name: phrase(N_("the gateway itself")) for name in (*own, *map(drill_of, own))}
    names = [(("contact", name), name + end) for name in config.contact for end in CONTACT_ALARMS]
    seals = [name for name, contact in config.contact.items() if contact.kind == "seal"]
    names += [(("contact", name), name + end) for name in seals for end in SEAL_ALARMS]
    names += [(("contact", name), f"disarm-{name}") for name in config.contact]
    names += [(("bus", name), f"bus-{name}") for name in config.bus]
    names += [(("device", name), f"{what}-{name}") for name in config.device for what in ("device", "bus", "wire")]
    names += [(("rule", name), name) for name in config.rule]
    names += [(at, drill_of(name)) for at, name in names]
    told: set[Location] = set()  # whose drill would have another's name too
    for at, name in names:
        if name in taken and at not in told:
            told.add(at)
            yield error(
                at,
                phrase(N_("its alarm would be called {name}, as that of {other}"), name=name, other=taken[name]),
                phrase(N_("rename one of the two")),
            )
        taken.setdefault(name, phrase(N_("{key}"), key=".".join(at)))
