"""A gateway started for real, as a process, on a broken configuration: the button works, and it says so."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.errors import Refused
from gateway.state import StateDirectory, spare_socket_path

GOOD = """
[venue]
id = "zj-no1"
name = "考点"
[contact.leak-button]
kind = "leak"
pin = 27
safe = "low"
pin_other = 5
[device.hall]
driver = "pms5003"
port = "/dev/serial/by-id/none"
"""


def gateway(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=check)


@contextmanager
def running(config: Path, state: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "gateway", "run", str(config), "--state", str(state), "--simulate", "pins"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def standing(state: Path, *wanted: str) -> dict[str, str]:
    """The alarms by name with their state, once all those wanted stand."""
    began = time.monotonic()
    while True:
        answer = gateway("alarms", "--json", "--state", str(state), check=False)
        if answer.returncode == 0:
            found = {a["alarm"]: a["state"] for a in json.loads(answer.stdout)}
            if set(wanted) <= set(found):
                return found
        assert time.monotonic() - began < 20, (answer.stdout, answer.stderr)
        threading.Event().wait(0.1)


def test_a_mode_that_cannot_be_read_stops_nobody_but_the_simulator(tmp_path: Path) -> None:
    """A sick card or another user's file: a real gateway goes on, a simulated one cannot know that it may."""
    (tmp_path / "mode").mkdir()
    StateDirectory(tmp_path, "real").close()

    with pytest.raises(Refused, match="mode"):
        StateDirectory(tmp_path, "simulated")


def test_a_runtime_folder_that_may_not_be_looked_at_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the unit's ProtectHome to ask for /run/user/UID is an error: the usual sockets must open all the same."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"/run/{'x' * 300}")  # an error of the kernel for root too

    assert spare_socket_path(tmp_path, "view") is None


@pytest.mark.parametrize("ran_before", [False, True])
def test_the_button_works_on_a_broken_file(tmp_path: Path, ran_before: bool) -> None:
    """F1: with a broken file, with or without a last good one, a press is an alarm and the file is one too."""
    config, state = tmp_path / "venue.toml", tmp_path / "state"
    config.write_text(GOOD)
    if ran_before:
        with running(config, state):
            standing(state)
    config.write_text(GOOD.replace("pms5003", "pms5003x").replace('kind = "leak"', 'kind = "leak"\nlamp_pin = "x"'))
    with running(config, state):
        standing(state, "configuration-refused")
        gateway("sim", "leak-button", "press", "--state", str(state))
        alarms = standing(state, "configuration-refused", "leak-button")
        status = json.loads(gateway("status", "--json", "--state", str(state)).stdout)["status"]

    assert alarms["leak-button"] in ("active_unacknowledged", "latched_unacknowledged")  # it is let go again
    assert ran_before == ("hall" in status["devices"])


def test_nothing_to_run_on_ends_with_78(tmp_path: Path) -> None:
    """F1: a file that is no TOML, and no last good one: exit code 78 and a sentence, no traceback."""
    config = tmp_path / "venue.toml"
    config.write_text("<html>")
    ended = gateway("run", str(config), "--state", str(tmp_path / "state"), check=False)

    assert 78 == ended.returncode
    assert "venue.toml:1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "words", [("journal", "verify"), ("report", "day"), ("report", "drill"), ("figures",), ("frozen", "venue.toml")]
)
def test_another_users_record_is_no_empty_record(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without sudo beside an installed service: one sentence with the remedy; never 'no record', never a traceback."""
    monkeypatch.setattr("os.access", lambda _, mode: mode == os.F_OK)

    assert 1 == main([*words, "--state", str(tmp_path), "--lang", "en"])
    assert f"you may not look into {tmp_path}: begin the command with sudo" in capsys.readouterr().err


def test_a_file_that_may_not_be_read_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """F13: `frozen` does not take a configuration that it may not read for one without an exam."""

    def forbidden(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "venue.toml").touch()
    monkeypatch.setattr(Path, "open", forbidden)

    assert 1 == main(["frozen", str(tmp_path / "venue.toml"), "--state", str(tmp_path), "--lang", "en"])
    assert "venue.toml: begin the command with sudo" in capsys.readouterr().err
