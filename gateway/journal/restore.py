"""`journal restore FILE` and `replace`: a backup becomes the state of this gateway, under a new identity.

Nothing is deleted: what was there is kept in `before-restore-STAMP`. A cut on the way changes nothing, or is finished
by the next start (`finish`). The old key is not in a backup and the one that is here is put aside: two devices with one
key would be two histories that nobody can tell apart. So the restored chain goes on under a new key, and begins with
an event that names the old one.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.catalogue import say
from gateway.errors import Refused
from gateway.journal import backup, readings
from gateway.journal import events_table as table
from gateway.journal.backup import Manifest
from gateway.journal.chain import PUBLIC_FILE, Identity
from gateway.journal.files import hand_over, stamp, write_durably
from gateway.journal.reader import FILE
from gateway.journal.restored import PENDING, RESTORED, finish
from gateway.moment import Moment


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. `unproven`: events that no station had signed for when the backup was made."""

    manifest: Manifest
    kept_in: str  # folder of what was there before
    old_public: str | None
    new_public: str
    unproven: int


def restore(source: Path, state: Path, now: Moment, mode: str, *, new_board: bool = False) -> Restored:
    """The caller holds the state directory. `new_board`: on purpose on another one. Raises Refused, OSError."""
    manifest = backup.read_manifest(source)
    if manifest.mode != mode:
        raise Refused(say("the backup is of a {one} venue, and this is a {other} one", one=manifest.mode, other=mode))
    fresh = state / f"restoring-{stamp(now)}"
    fresh.mkdir(mode=0o750)
    try:
        backup.unpack(source, fresh, manifest)
        unproven = _prepare(fresh, manifest, now, new_board=new_board)
        identity = Identity.open(fresh, now)
        if identity.problem is not None:
            raise Refused(identity.problem)
        note = {"made": manifest.made, "board": manifest.board, "old": manifest.public, "new": identity.public}
        written = json.dumps(note | {"unproven": unproven, "events": manifest.events}).encode()
        write_durably(fresh / RESTORED, written)
        hand_over(fresh, state)  # before anything counts: after a cut it is the service that finishes
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    kept_in = f"before-restore-{stamp(now)}"
    write_durably(state / PENDING, json.dumps({"from": fresh.name, "to": kept_in}).encode())
    finish(state)
    return Restored(manifest, kept_in, manifest.public, identity.public, unproven)


def _prepare(fresh: Path, manifest: Manifest, now: Moment, *, new_board: bool) -> int:
    """Proves the databases; the old public key stays as one that events may be signed by. Raises Refused."""
    for path in sorted(fresh.glob("*.db")):
        _demand_sound(path)
    public = fresh / PUBLIC_FILE
    if public.exists():
        public.rename(public.with_name(f"{PUBLIC_FILE}.{stamp(now)}.old"))
    if new_board and (armed := fresh / "armed.json").exists():
        written = {key: value for key, value in json.loads(armed.read_bytes()).items() if key != "board"}
        write_durably(armed, json.dumps(written, ensure_ascii=False, indent=1).encode())
    if FILE not in manifest.files:
        return 0
    with closing(sqlite3.connect(fresh / FILE, isolation_level=None)) as connection:
        # A station that has the new key cannot prove what the old one signed: it would never sign for it, and it would
        # be sent again for ever. It is sent once; what stands is raised again by the new start, under the new key.
        done = connection.execute(
            "UPDATE events SET needs_receipt = 0 WHERE needs_receipt AND number NOT IN (SELECT number FROM receipts)"
        )
        connection.execute("UPDATE carried SET needs_receipt = 0")
        return done.rowcount


def _demand_sound(path: Path) -> None:
    newest = {FILE: table.SCHEMA.version}.get(path.name, readings.SCHEMA.version)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise Refused(say("{name} in the backup is damaged: {why}", name=path.name, why=error)) from error
    if sound != "ok":
        raise Refused(say("{name} in the backup is damaged: {why}", name=path.name, why=sound))
    if version > newest:
        raise Refused(say("{name} in the backup is of a newer version of this program: update first", name=path.name))
