"""The small file of latched alarms: there after any cut, and never believed when it is damaged."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.journal import files
from gateway.journal.latches import Latches, LatchWriter, read_latches
from gateway.moment import SystemClock
from gateway.values import StorageState
from gateway.worker import ASLEEP_S, Worker

CLOCK = SystemClock()
LEAK = {"leak-button": {"activation": "018f6a", "revision": 3}}
DOOR = {**LEAK, "paper-room-door": {"activation": "018f6b", "revision": 1}}


def write(directory: Path, *mappings: dict[str, Any]) -> list[Any]:
    """Each mapping by a writer of its own, as after restarts; gives what was told."""
    told: list[Any] = []
    for mapping in mappings:
        writer = LatchWriter(directory, CLOCK, told.append)
        writer.put(mapping)
        stop = threading.Event()
        stop.set()
        writer.run(stop)
    return told


def test_written_and_read(tmp_path: Path) -> None:
    """A9: what was latched before a restart is read after it; two generations are kept."""
    empty = read_latches(tmp_path)
    write(tmp_path, LEAK, DOOR)

    assert Latches({}, 0, damaged=False) == empty
    assert Latches(DOOR, 2, damaged=False) == read_latches(tmp_path)
    assert LEAK == json.loads((tmp_path / "latches.1").read_bytes())["latches"]
    assert 0o640 == (tmp_path / "latches.0").stat().st_mode & 0o777


def test_unchanged_is_not_written(tmp_path: Path) -> None:
    """F9: the same latches again cost no write."""
    write(tmp_path, LEAK, dict(LEAK), dict(LEAK))

    assert 1 == read_latches(tmp_path).generation


def test_newest_wins(tmp_path: Path) -> None:
    """Mappings that come faster than the card writes are stepped over; the last one is written."""
    writer = LatchWriter(tmp_path, CLOCK, lambda _: None)
    for revision in range(100):
        writer.put({"leak-button": {"revision": revision}})
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join()

    assert Latches({"leak-button": {"revision": 99}}, 1, damaged=False) == read_latches(tmp_path)


def flip(data: bytes) -> bytes:
    return data.replace(b'"revision":1', b'"revision":2')


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda d: b"\0" * len(d), id="zeroed"),
        pytest.param(lambda d: d[: len(d) // 2], id="torn"),
        pytest.param(flip, id="altered"),
        pytest.param(lambda _: b"[1]", id="foreign"),
        pytest.param(lambda _: b'{"latches":{},"generation":9}', id="no checksum"),
    ],
)
def test_damaged(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """F5: a damaged newest file is not believed: the one before is read, and that something may be missing is said."""
    write(tmp_path, LEAK, DOOR)
    newest = tmp_path / "latches.0"
    newest.write_bytes(damage(newest.read_bytes()))

    assert Latches(LEAK, 1, damaged=True) == read_latches(tmp_path)
    write(tmp_path, DOOR)
    assert Latches(DOOR, 2, damaged=False) == read_latches(tmp_path)


class PowerCut(Exception):
    pass


def test_every_crash_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F5: cut off before any step of a write, the old or the new latches are read, whole, and the next write works."""
    steps = ["open", "fchmod", "write", "fsync", "close"]
    calls = [(os, step) for step in steps] + [(Path, "replace"), (files, "sync_directory")]
    for place, step in calls:
        directory = tmp_path / step
        directory.mkdir()
        write(directory, LEAK)

        def cut(*_: object, **__: object) -> None:
            raise PowerCut

        with monkeypatch.context() as patch:
            patch.setattr(place, step, cut)
            with pytest.raises(PowerCut):
                write(directory, DOOR)
        found = read_latches(directory)
        assert found in (Latches(LEAK, 1, damaged=False), Latches(DOOR, 2, damaged=False)), step
        write(directory, {})

        assert {} == read_latches(directory).latched, step


def test_card_refuses(tmp_path: Path) -> None:
    """F8: a card that refuses is said once, tried again, and its recovery is said; the newest latches are kept."""
    directory = tmp_path / "state"
    told: list[Any] = []
    writer = LatchWriter(directory, CLOCK, told.append)
    stop, said = threading.Event(), threading.Event()
    writer._tell = lambda m: (told.append(m), said.set())
    thread = threading.Thread(target=writer.run, args=(stop,))
    thread.start()
    writer.put(LEAK)
    writer.put(DOOR)
    assert said.wait(10)
    said.clear()
    directory.mkdir()
    assert said.wait(10)
    stop.set()
    thread.join()

    assert ["the card fails to read or write", None] == [m.error for m in told if isinstance(m, StorageState)]
    assert DOOR == read_latches(directory).latched


def test_what_the_card_refused_is_tried_again_though_nothing_new_comes(tmp_path: Path) -> None:
    """F8: under a worker, whose idle threads sleep for long, a refused latch is on the card soon after it heals."""
    directory = tmp_path / "state"
    told: list[object] = []
    writer = LatchWriter(directory, CLOCK, told.append)
    worker = Worker("latches", writer.run)
    worker.start()
    writer.put(LEAK)
    for wanted in (1, 2):  # refused, as there is no such directory; then there is one
        deadline = time.monotonic() + ASLEEP_S / 2
        while len(told) < wanted and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        directory.mkdir(exist_ok=True)
    worker.stop()

    assert worker.join(5)
    assert LEAK == read_latches(directory).latched
    assert 2 == len(told)
