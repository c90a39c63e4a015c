"""The demo from outside: a child process, what it prints, and what it leaves behind."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gateway.simulate import scenario
from gateway.simulate.demo import Demo, Plain

STORY = """
title = { en = "Short", zh = "短" }
start = 2026-06-07T08:59:50
speed = 15

[[step]]
after = "0s"
tell = { en = "It begins.", zh = "开始" }
do = ["gate-noise 71 over 0s"]

[[step]]
after = "5s"
do = ["leak-button press latch"]

[[step]]
after = "5s"
do = ["broker down"]

[[step]]
after = "5s"
do = ["paper-room-door open"]

[[step]]
after = "5s"
do = ["broker up"]

[[step]]
after = "90s"
do = ["leak-button release", "paper-room-door close"]

[[step]]
after = "3s"
do = ["leak-button reset"]

[[step]]
after = "5s"
picture = true
tell = { en = "It ends.", zh = "结束" }
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a local socket's name has room for 107 bytes only."""
    with tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def demo(
    folder: Path, *arguments: str, text: str = STORY, terminal: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A demo in a process group of its own, whose temporary files go below `folder`."""
    story = folder / "story.toml"
    story.write_text(text)
    (folder / "tmp").mkdir()
    child = subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo", "--scenario", str(story), "--lang", "en", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if terminal is None else terminal,
        stderr=subprocess.PIPE if terminal is None else terminal,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(folder / "tmp"), "TERM": "xterm-256color", "COLUMNS": "90", "LINES": "40"},
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def running(folder: Path) -> list[str]:
    """Processes that name the demo's temporary folder."""
    found = subprocess.run(["pgrep", "-af", str(folder / "tmp")], capture_output=True, text=True, check=False)
    return found.stdout.splitlines()


def left_behind(folder: Path) -> list[str]:
    """Files below the demo's temporary folder, and processes that still name it."""
    return [str(path) for path in (folder / "tmp").rglob("*")] + running(folder)


def test_the_demo_tells_its_story_to_the_end_and_leaves_nothing(folder: Path) -> None:
    """Noise, a press and an opening during an outage are raised, received by the station and acknowledged."""
    with demo(folder, "--plain") as child:
        output, errors = child.communicate(timeout=60)

    assert errors == ""
    assert child.returncode == 0
    for words in (
        r"^--? +It begins",
        r"^raised .*Leak alarm: the button leak-button was pressed",
        r"^leak-button +pressed",
        r"^leak-button +stored \d+ ms",
        r"^leak-button +received \d+ ms",
        r"^acknowledged +Acknowledged by li-wei: Leak alarm",
        r"^leak-button +acknowledged [\d.]+ s",
        r"^raised .*level [\d.]+ dB\(A\) is over the limit of 55",
        r"^reset +Reset by li-wei: Leak alarm",
        r"^paper-room-door +received [\d.]+ m?s",
        r"2 presses and openings 2 were received and 2 acknowledged",
    ):
        lines = [line[10:] if re.match(r"\d\d:", line) else line for line in output.splitlines()]
        assert any(re.search(words, line) for line in lines), f"{words} is not in\n{output}"
    assert left_behind(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_stopped_demo_ends_at_once_and_leaves_nothing(folder: Path, number: int) -> None:
    """Ctrl-C and a closed terminal end everything in under 5 s: no process, no file, no complaint."""
    with demo(folder, "--plain") as child:
        assert child.stdout is not None
        assert "It begins" in child.stdout.readline()
        began = time.monotonic()
        child.send_signal(number)
        _, errors = child.communicate(timeout=10)
        took = time.monotonic() - began

    assert took < 5
    assert (child.returncode, errors) == (0, "")
    assert left_behind(folder) == []


def test_a_killed_demo_takes_its_broker_along(folder: Path) -> None:
    """Even a demo that could not say goodbye leaves no broker running."""
    with demo(folder, "--plain") as child:
        assert child.stdout is not None
        assert "It begins" in child.stdout.readline()
        before = running(folder)
        child.kill()
        child.wait()
        end = time.monotonic() + 5
        while running(folder) and time.monotonic() < end:
            select.select([], [], [], 0.05)

    assert len(before) == 1
    assert running(folder) == []


def test_the_live_view_is_drawn_on_a_terminal(folder: Path) -> None:
    """On a terminal the levels, the paper room, the alarms and the story are drawn, and Ctrl-C ends it."""
    ours, theirs = pty.openpty()
    with demo(folder, terminal=theirs) as child:
        os.close(theirs)
        seen = _until(ours, "active", 30)
        seen += _until(ours, "dB(A)", 30)  # the first readings may come after the first alarm
        child.send_signal(signal.SIGINT)
        _until(ours, "were received", 5)
        code = child.wait(5)
    os.close(ours)

    for words in ("Demo School", "gate-noise", "dB(A)", "paper-room-door", "leak-button", "It begins."):
        assert words in seen
    assert code == 0
    assert left_behind(folder) == []


def _until(terminal: int, words: str, within_s: float) -> str:
    """What the terminal showed, without its colours, until `words` came or it was closed."""
    seen, end = "", time.monotonic() + within_s
    while words not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
    return seen


def test_a_picture_is_written_and_loads_nothing_from_anywhere(folder: Path) -> None:
    """`--record` writes an SVG of the view at the story's picture, which names no other address."""
    picture = folder / "docs" / "demo.svg"
    story = 'title = { en = "", zh = "" }\n[[step]]\nafter = "1s"\n[[step]]\nafter = "1s"\npicture = true\n'
    with demo(folder, "--plain", "--record", str(picture), text=story) as child:
        _, errors = child.communicate(timeout=60)
    svg = picture.read_text("utf-8")

    assert (child.returncode, errors) == (0, "")
    assert svg.startswith("<svg")
    assert "leak-button" in svg
    assert "url(http" not in svg


def test_without_mosquitto_the_embedded_broker_serves(folder: Path) -> None:
    """Over amqtt and MQTT 3.1.1 a press is received and acknowledged, and comes again over a broken connection."""
    story = folder / "story.toml"
    story.write_text(STORY)
    with ExitStack() as stack:
        show = Demo(scenario.load(story), 25.0, stack, embedded=True)
        end = threading.Event()
        show.play(end, _Silent(end, show), None)
        ways = show.watcher.far.ways

    assert show.broker.name == "amqtt"
    assert ["leak-button", "paper-room-door"] == [way.alarm for way in ways]
    assert None not in [way.received for way in ways] + [way.acknowledged for way in ways]


class _Silent(Plain):
    """A screen that shows nothing, and ends the demo when every way is at its end, received and acknowledged."""

    linger_s = 60.0

    def __init__(self, end: threading.Event, demo: Demo) -> None:
        super().__init__(demo)
        self._end = end
        self._far = demo.watcher.far

    def show(self) -> None:
        if len(self._far.ways) > 1 and all(way.received and way.acknowledged for way in self._far.ways):
            self._end.set()
