"""Contacts that stay armed: a new configuration cannot take a leak, seal or tamper contact away in silence.

The state directory keeps the custody contacts that were in force, and the venue's id. What the new file lacks stays
armed, and is an alarm, until a named person retires it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config import Config, Contact
from gateway.journal.files import write_durably
from gateway.values import CUSTODY_KINDS

log = logging.getLogger(__name__)

FILE = "armed.json"


@dataclass(frozen=True, slots=True)
class Armed:
    """`config` with what must stay as it was; `kept`: what the file would have disarmed (contacts, or "venue.id")."""

    config: Config
    kept: tuple[str, ...]


def merge(config: Config, state: Path) -> Armed:
    """The configuration to run: the file's, and beside it every contact of custody that was armed before."""
    before = _read(state)
    kept: list[str] = []
    contacts: dict[str, Contact] = dict(config.contact)
    for name, written in before.get("contact", {}).items():
        now = config.contact.get(name)
        if now is not None and now.kind in CUSTODY_KINDS:
            continue
        try:
            contacts[name] = Contact.model_validate(written)
        except ValidationError as error:
            log.warning("event=armed-unreadable contact=%s error=%r", name, str(error))
            continue
        kept.append(name)
    venue = config.venue
    if "venue" in before and before["venue"] != venue.id:
        venue = venue.model_copy(update={"id": before["venue"]})
        kept.append("venue.id")
    return Armed(config.model_copy(update={"contact": contacts, "venue": venue}), tuple(kept))


def keep(config: Config, state: Path) -> None:
    """Remember what is armed now. Raises OSError."""
    contacts = {name: _written(contact) for name, contact in config.contact.items() if contact.kind in CUSTODY_KINDS}
    data = json.dumps({"venue": config.venue.id, "contact": contacts}, ensure_ascii=False, indent=1).encode()
    path = state / FILE
    if not path.exists() or path.read_bytes() != data:
        write_durably(path, data)


def retire(name: str, state: Path) -> bool:
    """Forget one contact, or the venue's id; True when it was kept. It is gone with the next start or reload."""
    before = _read(state)
    if name == "venue.id" and "venue" in before:
        del before["venue"]
    elif name in before.get("contact", {}):
        del before["contact"][name]
    else:
        return False
    write_durably(state / FILE, json.dumps(before, ensure_ascii=False, indent=1).encode())
    return True


def _written(contact: Contact) -> dict[str, Any]:
    """As the configuration file would say it."""
    return contact.model_dump(mode="json") | {"glitch": f"{contact.glitch:f}s", "settle": f"{contact.settle:f}s"}


def _read(state: Path) -> dict[str, Any]:
    try:
        before = json.loads((state / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return before if isinstance(before, dict) else {}
