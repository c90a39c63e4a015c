"""Backup while the gateway runs, restore under a new identity, and the way to a new board (F12, C12)."""

import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kit_mqtt import Broker, until
from kit_process import Command, Gateway, venue

from gateway.cli import main
from gateway.journal import backup, restored
from gateway.journal.reader import EventReader
from gateway.journal.verify import verify
from gateway.moment import Moment

SERVICE_USER = 54321
NOW = Moment(1_780_794_723_000_000_000, 5_000_000_000)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the state of a gateway that ran, was pressed twice, and was copied between (`copy.tgz`)."""
    folder = tmp_path_factory.mktemp("backup")
    with Broker(folder) as broker, Gateway(folder, venue(broker.port)) as gateway, Command(broker.port, ("#",)) as far:
        gateway.start()
        gateway.sim("leak-button", "press", "latch")
        until(lambda: far.events("leak-button", "raised"), 20)
        until(lambda: gateway.status()["stored"] == gateway.status()["last_event"], 20)

        assert 0 == main(["journal", "backup", str(folder / "copy.tgz"), "--state", str(gateway.state)])
        gateway.sim("leak-button", "release")
        until(lambda: gateway.contact() == "safe", 20)
        gateway.sim("leak-button", "press", "latch")
        until(lambda: far.events("leak-button", "repeated"), 20)
        gateway.stop()
    return folder


@pytest.fixture
def state(served: Path, tmp_path: Path) -> Path:
    """A copy of that state, to be changed."""
    shutil.copytree(served / "state", tmp_path / "state", ignore=shutil.ignore_patterns("*.sock"))
    return tmp_path / "state"


def events(state: Path) -> list[dict[str, Any]]:
    reader = EventReader(state)
    found = [json.loads(event.body) for event in reader.latest(1000)]
    reader.close()
    return found


def contents(state: Path) -> dict[str, bytes]:
    """What whoever only reads leaves as it is: all but the lock, and the index and log that SQLite reads by."""
    found = [path for path in state.iterdir() if path.name != "lock" and path.suffix not in (".db-shm", ".db-wal")]
    return {path.name: path.read_bytes() if path.is_file() else b"a folder" for path in found}


def run_once(folder: Path, served: Path, state: Path) -> None:
    """The program on that state, until its record has been written."""
    with Gateway(folder, (served / "venue.toml").read_text()) as gateway:
        gateway.state = state
        gateway.start()
        until(lambda: gateway.status()["stored"] == gateway.status()["last_event"], 20)
        gateway.stop()


def test_a_backup_has_no_secret_key_and_is_ours_alone(served: Path) -> None:
    """What is in it: databases whole, the latches, what was armed; not the key; readable by its maker only."""
    with tarfile.open(served / "copy.tgz") as archive:
        names = {name.removeprefix("state/") for name in archive.getnames()}
        everything = b"".join(archive.extractfile(member).read() for member in archive if member.isreg())
    key = (served / "state" / "device.key").read_bytes().strip()

    assert {"events.db", "armed.json", "device.pub", "latches.1", "mode", "manifest.json"} <= names
    assert not names & {"device.key", "lock", "events.reserve", "events.db-wal"}
    assert key not in everything
    assert 0o600 == (served / "copy.tgz").stat().st_mode & 0o777


def test_a_preview_changes_nothing(served: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F12: without --yes it says what would come and what is newer here, and leaves every file as it was."""
    before = contents(state)

    assert 0 == main(["journal", "restore", str(served / "copy.tgz"), "--state", str(state), "--lang", "en"])
    assert before == contents(state)
    assert "events here are newer than the backup" in capsys.readouterr().out


def test_restored_under_a_new_identity(served: Path, state: Path, tmp_path: Path) -> None:
    """F12: the key is new, the chain goes on and says whose it was; `verify` proves it all; the old state is kept."""
    old, manifest = (state / "device.pub").read_text().strip(), backup.read_manifest(served / "copy.tgz")
    newer = events(state)
    command = ["journal", "restore", str(served / "copy.tgz"), "--yes", "--state", str(state)]

    assert 0 == main(command)
    new = (state / "device.pub").read_text().strip()
    assert old == manifest.public != new
    run_once(tmp_path, served, state)
    verdict = verify(state)
    own = [event for event in events(state)[-40:] if event["run"] not in {each["run"] for each in newer}]
    said = next(event for event in own if event["stream"] == "gateway")
    assert ((), "record-restored", old, new) == (
        verdict.findings,
        said["alarm"],
        said["details"]["old"],
        said["details"]["new"],
    )
    first = next(event for event in own if event["stream"] == "custody")  # it stood: said again under the new key
    assert ("leak-button", newer[0]["hash"]) == (first["alarm"], first["previous"])
    [kept] = state.glob("before-restore-*")
    assert newer == events(kept)
    assert restored.note_of(state) is None
    assert 1 == sum(e["alarm"] == "record-restored" and e["transition"] == "raised" for e in events(state))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_brings_back_belongs_to_the_service(served: Path, state: Path) -> None:
    """F12: restored with sudo, every file is the service user's: else the gateway could not start on its own record."""
    for path in (state, *state.rglob("*")):
        os.lchown(path, SERVICE_USER, SERVICE_USER)

    assert 0 == main(["journal", "restore", str(served / "copy.tgz"), "--yes", "--state", str(state)])
    assert 0 == main(["journal", "backup", str(state.parent / "again.tgz"), "--state", str(state)])
    owners = {path.name: path.lstat().st_uid for path in state.rglob("*")}
    assert {"events.db", "device.key", "mode", "last-backup"} <= owners.keys()
    assert {SERVICE_USER} == set(owners.values())


def test_a_cut_on_the_way_is_finished_by_the_next_start(served: Path, state: Path, monkeypatch: Any) -> None:
    """F5: cut off after any rename, the rest is done later, and nothing is lost of what was there or came."""
    real, left = Path.rename, 0

    def cut(self: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError("the power is off")
        return real(self, target)

    here = {path.name for path in state.iterdir() if path.is_file()} - {"lock", "mode", "events.reserve"}
    command = ["journal", "restore", str(served / "copy.tgz"), "--yes", "--state", str(state)]
    monkeypatch.setattr(Path, "rename", cut)
    left = 3

    assert 1 == main(command)
    for step in (2, 5, 1, 100):
        left = step
        with pytest.raises(OSError, match="power") if step < 100 else pytest.MonkeyPatch.context():
            restored.finish(state)
    [kept] = state.glob("before-restore-*")
    assert here <= {path.name for path in kept.iterdir()}
    assert "restored.json" in {path.name for path in state.iterdir()}
    assert [] == [*state.glob("restor*ing-*"), *state.glob("restore.pending")]
    assert () == verify(state).findings


def changed(source: Path, target: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> Path:
    """A copy of a backup with its members changed."""
    with tarfile.open(source) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            name, data = change(member.name, old.extractfile(member).read())
            info = tarfile.TarInfo(name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return target


def manifest_with(**fields: object) -> Callable[[str, bytes], tuple[str, bytes]]:
    return lambda name, data: (name, json.dumps(json.loads(data) | fields).encode() if name[0] == "m" else data)


BAD = {
    "a flipped bit": lambda name, data: (
        name,
        data[:-1] + bytes([data[-1] ^ 1]) if name.endswith("events.db") else data,
    ),
    "a file outside": lambda name, data: (name.replace("state/mode", "state/../mode"), data),
    "a key in it": lambda name, data: (name.replace("state/mode", "state/device.key"), data),
    "without a file": lambda name, data: (name.replace("state/armed.json", "armed"), data),
    "a newer form": manifest_with(form=2),
    "of a real venue": manifest_with(mode="real"),
    "a manifest of something else": manifest_with(horse=1),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_whole_backup_changes_nothing(name: str, served: Path, state: Path, tmp_path: Path) -> None:
    """F12: whatever does not fit its checksums, its manifest or this program is refused before anything is touched."""
    bad = changed(served / "copy.tgz", tmp_path / "bad.tgz", BAD[name])
    before = contents(state)

    assert 1 == main(["journal", "restore", str(bad), "--yes", "--state", str(state)])
    assert before == contents(state)


def test_a_torn_file_is_no_backup(served: Path, state: Path, tmp_path: Path) -> None:
    """F12: cut at any length it is refused."""
    whole = (served / "copy.tgz").read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) * 9 // 10):
        (tmp_path / "torn.tgz").write_bytes(whole[:length])

        assert 1 == main(["journal", "restore", str(tmp_path / "torn.tgz"), "--yes", "--state", str(state)])
    assert 1 == main(["journal", "restore", str(tmp_path / "none.tgz"), "--state", str(state)])


def test_a_record_of_a_newer_program_is_refused(served: Path, state: Path, tmp_path: Path) -> None:
    """F12: across versions only forward."""
    with closing(sqlite3.connect(state / "events.db")) as connection:
        connection.execute("PRAGMA user_version=99")
    backup.backup(state, tmp_path / "newer.tgz", NOW)

    assert 1 == main(["journal", "restore", str(tmp_path / "newer.tgz"), "--yes", "--state", str(state)])


def test_no_restore_beside_a_running_gateway(served: Path, state: Path) -> None:
    """F12: the state directory belongs to one at a time."""
    from gateway.state import StateDirectory

    held = StateDirectory(state, "simulated")

    assert 1 == main(["journal", "restore", str(served / "copy.tgz"), "--yes", "--state", str(state)])
    held.close()


def test_a_backup_leaves_the_room_that_belongs_to_events(state: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """F7: where it would fill the card it is not begun; where it fails on the way nothing is left of it."""
    monkeypatch.setattr(backup, "KEEP_FREE", 2**60)

    assert 1 == main(["journal", "backup", str(tmp_path / "b.tgz"), "--state", str(state)])
    monkeypatch.undo()
    monkeypatch.setattr(backup, "_manifest", lambda *_: (_ for _ in ()).throw(OSError("no room")))
    assert 1 == main(["journal", "backup", str(tmp_path / "b.tgz"), "--state", str(state)])
    assert ["state"] == [path.name for path in tmp_path.iterdir()]


def test_a_new_board(served: Path, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """C12: `replace` makes this board the venue's on purpose: a new key, no copied identity, and says what to do."""
    bad = changed(served / "copy.tgz", tmp_path / "real.tgz", manifest_with(mode="real", board="1000000012345678"))
    new, config = tmp_path / "new", str(served / "venue.toml")
    command = ["replace", config, "--backup", str(bad), "--state", str(new), "--lang", "en"]

    assert 0 == main(command)
    said = capsys.readouterr().out
    key = (new / "device.pub").read_text().strip()
    assert (True, True) == (key in said, "below [keys]" in said)
    assert "board" not in json.loads((new / "armed.json").read_bytes())
    assert () == verify(new).findings
    assert 1 == main(command)  # it has a record now
    empty = tmp_path / "empty"
    assert 0 == main(["replace", config, "--state", str(empty), "--lang", "en"])
    assert (empty / "device.pub").read_text().strip() in capsys.readouterr().out
