"""Contacts that stay armed: a new configuration cannot take a leak, seal or tamper contact away in silence.

The state directory keeps the custody contacts that were in force, and the venue's id. What the new file lacks stays
armed, and is an alarm, until a named person retires it. It keeps as well that a custody was ended by name (a [custody]
table with another start begins anew), and the number of the board, so that a card in another one is told.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.configuration.config import Config, Contact, Custody
from gateway.journal.files import write_durably
from gateway.machine.health import BOARD
from gateway.values import CUSTODY_KINDS

log = logging.getLogger(__name__)

FILE = "armed.json"


@dataclass(frozen=True, slots=True)
class Armed:
    """`config` with what must stay as it was. `kept`: what the file would have disarmed (contacts, "venue.id"); "board"
    where it is another one than before.
    """

    config: Config
    kept: tuple[str, ...]
    custody_ended: bool = False  # by a named person


def merge(config: Config, state: Path, board: str | None = None) -> Armed:
    """The configuration to run: the file's, and beside it every contact of custody that was armed before.

    One that the file makes a contact of another kind stays what it was. `board`: this one's number, if it has any.
    """
    before = _read(state)
    kept: list[str] = []
    contacts: dict[str, Contact] = dict(config.contact)
    for name, written in before.get("contact", {}).items():
        now = config.contact.get(name)
        if now is not None and now.kind == written.get("kind"):
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
    if board is not None and before.get(BOARD) not in (None, board):
        kept.append(BOARD)
    ended = config.custody is not None and before.get("custody_ended") == _start(config.custody)
    return Armed(config.model_copy(update={"contact": contacts, "venue": venue}), tuple(kept), ended)


def keep(config: Config, state: Path, board: str | None = None) -> None:
    """Remember what is armed now, and the first board. Raises OSError."""
    before = _read(state)
    contacts = {name: _written(contact) for name, contact in config.contact.items() if contact.kind in CUSTODY_KINDS}
    first = {} if board is None else {BOARD: before.get(BOARD, board)}
    _write(state, before | first | {"venue": config.venue.id, "contact": contacts})


def retire(name: str, config: Config, state: Path) -> bool:
    """Forget one contact, the venue's id, the board, or ("custody") that papers are stored; True when there was one.

    `config`: the one in force. A contact is gone with the next start or reload. Raises OSError.
    """
    before = _read(state)
    if name == "custody" and config.custody is not None:
        before["custody_ended"] = _start(config.custody)
    elif name == "venue.id" and "venue" in before:
        del before["venue"]
    elif name == BOARD and BOARD in before:
        del before[BOARD]
    elif name in before.get("contact", {}):
        del before["contact"][name]
    else:
        return False
    _write(state, before)
    return True


def _start(custody: Custody) -> str:
    """What tells one custody from another."""
    return custody.start.isoformat()


def _write(state: Path, content: dict[str, Any]) -> None:
    data = json.dumps(content, ensure_ascii=False, indent=1).encode()
    path = state / FILE
    if not path.exists() or path.read_bytes() != data:
        write_durably(path, data)


def _written(contact: Contact) -> dict[str, Any]:
    """As the configuration file would say it."""
    return contact.model_dump(mode="json") | {"glitch": f"{contact.glitch:f}s", "settle": f"{contact.settle:f}s"}


def _read(state: Path) -> dict[str, Any]:
    try:
        before = json.loads((state / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return before if isinstance(before, dict) else {}
