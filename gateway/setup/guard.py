"""The questions about contacts, and about the ways on which an alarm leaves the venue."""

from __future__ import annotations

from typing import Any

from gateway.catalogue import N_, say
from gateway.configuration.config import Mqtt
from gateway.configuration.consistency.files import located
from gateway.doctor.brokers import proven
from gateway.errors import Refused
from gateway.journal.files import write_durably
from gateway.moment import SystemClock
from gateway.setup.draft import Draft
from gateway.setup.sections import by_field, wrong_at
from gateway.setup.terminal import Terminal

PASSWORD_FILE = "mqtt.password"  # noqa: S105  the file's name
_PINS = range(28)
_BUTTON = {"pin": 27, "pin_other": 5, "lamp_pin": 22, "buzzer_pin": 23}
_DOOR = {"pin": 17, "pin_other": 18}
_SIREN = 24
_PIN_WORDS = {
    "pin": N_("pin of the contact that is closed while all is well"),
    "pin_other": N_("pin of the other contact"),
    "lamp_pin": N_("pin of the lamp"),
    "buzzer_pin": N_("pin of the buzzer"),
}


def contacts(terminal: Terminal, draft: Draft) -> None:
    """Pins as docs/first-venue.md draws them; another one may be typed."""
    terminal.tell(say("Pins are BCM numbers, as in the drawings of docs/first-venue.md. Loops are closed to ground."))
    if terminal.yes(say("is there a leak button"), default=True):
        _contact(terminal, draft, "leak-button", "leak", _BUTTON)
    else:
        draft.drop("contact", "leak-button")
    if terminal.yes(say("is the paper room's door watched"), default=True):
        _contact(terminal, draft, "paper-room-door", "seal", _DOOR)
    else:
        draft.drop("contact", "paper-room-door")
    if terminal.yes(say("is there a siren that the gateway switches"), default=draft.get("siren") is not None):
        pin = terminal.number(say("its pin"), draft.get("siren", "pin", otherwise=_SIREN), _PINS)
        draft.put("siren", value={"pin": pin})
        draft.put("escalation", value={"steps": [{"after": "60s", "to": "siren"}]})
    else:
        draft.drop("siren")
        draft.drop("escalation")


def _contact(terminal: Terminal, draft: Draft, name: str, kind: str, pins: dict[str, int]) -> None:
    there = draft.get("contact", name, otherwise={})
    table: dict[str, Any] = {**there, "kind": kind, "safe": "low"}
    changeover = terminal.yes(
        say("has it both contacts (changeover), so that a cut is told from a press"),
        default="pin_other" in there or not there,
    )
    for key, usual in pins.items():
        if key == "pin_other" and not changeover:
            table.pop(key, None)
            continue
        while True:
            table[key] = terminal.number(f"{say(_PIN_WORDS[key])} ({key})", there.get(key, usual), _PINS)
            draft.put("contact", name, value=dict(table))
            wrong = wrong_at(draft, "contact", name, key)
            if not wrong:
                break
            terminal.tell(wrong, 2)
    table["place"] = terminal.ask(say("where it is, such as paper room"), there.get("place", ""))
    draft.put("contact", name, value=table)


class Broker:
    """This section; `test` is False where there is no network yet."""

    def __init__(self, *, test: bool) -> None:
        self._test = test

    def __call__(self, terminal: Terminal, draft: Draft) -> None:
        """Until a test succeeds, or whoever answers wants to go on without."""
        while True:
            if not self._questions(terminal, draft) or not self._test or self._tested(terminal, draft):
                return
            if not terminal.yes(say("correct the answers now"), default=True):
                return

    def _questions(self, terminal: Terminal, draft: Draft) -> bool:
        hint = say("the bureau says which; without it no alarm leaves this venue")
        host = terminal.ask(
            say("the broker's name or address (- for none yet)"), draft.get("mqtt", "host") or "-", hint=hint
        )
        if host == "-":
            draft.drop("mqtt")
            return False
        draft.put("mqtt", "host", value=host)
        self._security(terminal, draft)
        secure = draft.get("mqtt", "tls") is not None
        usual = 8883 if secure else 1883
        known = draft.get("mqtt", "port", otherwise=usual)
        port = usual if known in (1883, 8883) else known
        draft.put("mqtt", "port", value=terminal.number(say("its port"), port, range(1, 65536)))
        versions = [("5", "MQTT 5"), ("3.1.1", "MQTT 3.1.1")]
        version = terminal.choose(say("which version"), versions, draft.get("mqtt", "version", otherwise="5"))
        draft.put("mqtt", "version", value=version)
        user = terminal.ask(say("user (- for none)"), draft.get("mqtt", "user", otherwise="-"))
        if user == "-":
            draft.drop("mqtt", "user")
            draft.drop("mqtt", "password_file")
            return True
        draft.put("mqtt", "user", value=user)
        self._password(terminal, draft)
        return True

    @staticmethod
    def _security(terminal: Terminal, draft: Draft) -> None:
        options = [
            ("system", say("encrypted; certificates that this machine trusts anyway")),
            ("own", say("encrypted; the bureau gave a certificate of its authority (ca.pem)")),
            ("client", say("encrypted; and this venue has a certificate and key of its own")),
            ("none", say("not encrypted: only within a closed network")),
        ]
        tls = draft.get("mqtt", "tls")
        known = "none" if draft.get("mqtt", "port") and tls is None else _kind(tls)
        kind = terminal.choose(say("how is the way protected"), options, known)
        if kind == "none":
            draft.drop("mqtt", "tls")
            return
        draft.put("mqtt", "tls", value={})
        for key, usual in (("ca", "ca.pem"), ("cert", "venue.pem"), ("key", "venue.key"))[
            : {"system": 0, "own": 1}.get(kind, 3)
        ]:
            file = terminal.ask(say("file of its {what}", what=key), usual, by_field(draft, "mqtt", "tls", key))
            draft.put("mqtt", "tls", key, value=file)

    @staticmethod
    def _password(terminal: Terminal, draft: Draft) -> None:
        secrets = draft.path.parent / "secrets"  # there where the gateway is installed as a service
        usual = f"$CREDENTIALS_DIRECTORY/secret_{PASSWORD_FILE}" if secrets.is_dir() else PASSWORD_FILE
        name = draft.get("mqtt", "password_file", otherwise=usual)
        file = located(draft.path.parent, name)
        if file.exists() and terminal.yes(say("keep the password that is there"), default=True):
            draft.put("mqtt", "password_file", value=name)
            return
        password = terminal.secret(say("password, unseen while typed"))
        try:
            write_durably(file, password.encode() + b"\n", 0o600)
        except OSError as error:
            raise Refused(say("{file} cannot be written: {why}", file=file, why=error.strerror)) from error
        draft.put("mqtt", "password_file", value=name)

    @staticmethod
    def _tested(terminal: Terminal, draft: Draft) -> bool:
        """Connect, log in, publish, hear one's own message."""
        config = draft.check().config
        settings: Mqtt | None = config.mqtt if config is not None else None
        if config is None or settings is None:
            terminal.tell(
                wrong_at(draft, "mqtt") or say("something else is still wrong; the broker is tested at the end"), 2
            )
            return wrong_at(draft, "mqtt") == ""
        terminal.tell(say("The broker is tested ..."))
        well = True
        for seen in proven("mqtt", settings, config.venue.id, SystemClock().now()):
            terminal.tell(seen.what, 2)
            if seen.remedy:
                terminal.tell(seen.remedy, 2)
            well = well and seen.level == "good"
        return well


def _kind(tls: dict[str, str] | None) -> str:
    if not tls:
        return "system"
    return "client" if "cert" in tls else "own"
