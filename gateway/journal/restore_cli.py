"""`journal backup`, `journal restore` and `replace`, as people use them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from gateway.catalogue import N_, say
from gateway.configuration import settings
from gateway.errors import ConfigError, Refused, Unavailable
from gateway.journal import backup
from gateway.journal.backup import Manifest
from gateway.journal.chain import PUBLIC_FILE, Identity
from gateway.journal.files import hand_over
from gateway.journal.reader import FILE, EventReader
from gateway.journal.restore import Restored, restore
from gateway.machine.platform import board_serial
from gateway.moment import SystemClock
from gateway.state import Mode, StateDirectory


def backup_main(args: argparse.Namespace) -> int:
    made = backup.backup(args.state, args.file, SystemClock().now(), readings=not args.no_readings)
    with suppress(OSError):  # who may only read has made a good backup all the same
        (args.state / backup.LAST_BACKUP).touch()
        hand_over(args.state / backup.LAST_BACKUP, args.state)
    _print(_described(made))
    print(say("{file} is whole: {size} MiB", file=args.file, size=f"{args.file.stat().st_size / 2**20:.1f}"))
    return 0


def restore_main(args: argparse.Namespace) -> int:
    """Shows what would come and what it would take the place of; does it when told so."""
    manifest = backup.read_manifest(args.file)
    _print(_described(manifest))
    _print(_present(args.state, manifest))
    if not args.yes:
        print(say("Nothing was changed. With --yes it is brought back, and what is here now is kept aside."))
        return 0
    done = _restored(args.file, args.state, manifest)
    _print(_afterwards(done.old_public, done.new_public, done))
    return 0


def replace_main(args: argparse.Namespace) -> int:
    """A new board in ten minutes. Refuses where a gateway has served already: that is no new board."""
    loaded = settings.load(args.config, args.state)
    if loaded.refused_sha256 is not None:
        raise ConfigError("\n".join(str(problem) for problem in loaded.problems))
    if (args.state / FILE).exists():
        text = N_("{path} has a record already; to bring back a backup over it: venue-gateway journal restore")
        raise Refused(say(text, path=args.state))
    if args.backup is None:
        directory = StateDirectory(args.state, "real")
        identity = Identity.open(args.state, SystemClock().now())
        hand_over(args.state, args.state)
        directory.close()
        if identity.problem is not None:
            raise Unavailable(identity.problem)
        _print(_afterwards(None, identity.public, None))
        return 0
    manifest = backup.read_manifest(args.backup)
    if manifest.venue not in (None, loaded.config.venue.id):
        text = N_("the backup is of the venue {one}, the configuration of {other}")
        raise Refused(say(text, one=manifest.venue, other=loaded.config.venue.id))
    _print(_described(manifest))
    done = _restored(args.backup, args.state, manifest, new_board=True)
    _print(_afterwards(done.old_public, done.new_public, done))
    return 0


def _restored(source: Path, state: Path, manifest: Manifest, *, new_board: bool = False) -> Restored:
    mode: Mode = "simulated" if manifest.mode == "simulated" else "real"
    directory = StateDirectory(state, mode)  # refuses beside a running gateway, and where the other kind has served
    try:
        return restore(source, state, SystemClock().now(), mode, new_board=new_board)
    except OSError as error:
        raise Unavailable(say("it could not be brought back: {why}", why=error)) from error
    finally:
        hand_over(state, state)
        directory.close()


def _described(manifest: Manifest) -> Iterator[str]:
    size = sum(size for _, size in manifest.files.values())
    made = manifest.made
    with suppress(ValueError):
        made = datetime.fromisoformat(made).astimezone().isoformat(" ", "seconds")
    yield say("made         {made}, by version {version}", made=made, version=manifest.program)
    yield say("venue        {venue}", venue=manifest.venue or "-")
    yield say("board        {board}", board=manifest.board or "-")
    yield say("public key   {key}", key=manifest.public or "-")
    yield say("last event   {number}", number=manifest.events)
    yield say("files        {count}, {size} MiB", count=len(manifest.files), size=f"{size / 2**20:.1f}")


def _present(state: Path, manifest: Manifest) -> Iterator[str]:
    """What is here now, in so far as it differs."""
    if not (state / FILE).exists():
        yield say("Here is no record yet.")
        return
    reader = EventReader(state)
    last = reader.last()[0]
    reader.close()
    yield say("Here the last event is {number}.", number=last)
    if last > manifest.events:
        yield say(
            "{count} events here are newer than the backup and would be kept aside.", count=last - manifest.events
        )
    public = state / PUBLIC_FILE
    if public.exists() and public.read_text().strip() != manifest.public:
        yield say("The backup is of another identity than the one here.")
    board = board_serial()
    if board is not None and manifest.board not in (None, board):
        yield say("It was made on another board: the gateway will ask for a named `retire board`.")


def _afterwards(old: str | None, new: str, done: Restored | None) -> Iterator[str]:
    yield ""
    yield say("The identity of this gateway is new: {key}", key=new)
    if done is not None:
        yield say("What was here is kept in {folder}.", folder=done.kept_in)
    if done is not None and done.unproven:
        text = N_("{count} events had no receipt then; they are sent once more, and what stands is raised anew.")
        yield say(text, count=done.unproven)
    yield ""
    yield say("At the command centre, now:")
    yield say("  1. in each station's file, below [keys], the new key takes the place of {old}", old=old or "-")
    yield say("  2. at the broker: a new certificate or password for this board, and withdraw the old one")
    yield say("  3. keep the old key with the old heads: events until then are proven by it (journal verify)")
    yield say("Then here: start the gateway, look at `venue-gateway status`, and press the button once as a drill.")


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        print(line)
