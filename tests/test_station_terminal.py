"""The station as people run it: its configuration, its keys, its picture, its lines."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from kit_mqtt import Broker, Listener, soon, until
from rich.console import Console

from gateway import payloads
from gateway.errors import ConfigError
from gateway.journal.chain import Chain, Identity
from gateway.moment import NANO, Moment, SystemClock
from gateway.payloads import Origin
from gateway.persons.people import new_key, write_key
from gateway.station import view
from gateway.station.desk import Row
from gateway.station.hand import LONGEST_NOTE, Hand
from gateway.station.settings import load
from gateway.station.station import View

NOW = Moment(1_780_800_000 * NANO, 1_000 * NANO)
TEXT = {"zh": "泄密报警 [bold]", "en": "leak alarm [bold]"}
ROW = Row(
    venue="zj-no1",
    stream="custody",
    alarm="leak-button",
    severity="critical",
    state="active_unacknowledged",
    transition="raised",
    activation="a",
    revision=1,
    text=TEXT,
    sensed=NOW.text(),
    received=NOW,
    run="r",
    seq=1,
)
OTHER = replace(ROW, alarm="paper-room-door")


def drawn(seen: View, chosen: Row | None = None, note: str | None = None) -> str:
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(view.render(seen, chosen, note, NOW.after(12)))
    return console.export_text()


def test_the_picture_shows_what_presses() -> None:
    """State, times, marks and troubles; a venue's text is text and no markup."""
    rows = (
        ROW,
        replace(OTHER, late=True, drill=True, proven=False, believed=False),
    )
    text = drawn(View("no way", rows, ("zj-no2 is silent",), sounding=True), ROW)

    shown = ("leak alarm [bold]", "active and not acknowledged", "12 s ago", "late", "drill", "not proven", "stored")
    for words in shown:
        assert words in " ".join(text.split())
    assert "! no way" in text
    assert "! zj-no2 is silent" in text
    assert "nothing stands" not in text


def test_nothing_is_called_calm_that_is_not_known() -> None:
    """Without a link an empty table is not good news."""
    assert "nothing stands" in drawn(View("", (), (), sounding=False))
    assert "nothing stands" not in drawn(View("connecting", (), (), sounding=True))
    assert "seen" in drawn(View("", (ROW,), (), sounding=True), ROW, note="seen")


def typed(hand: Hand, keys: str, rows: tuple[Row, ...]) -> list[tuple[str, str, str, str | None]]:
    said: list[tuple[str, str, str, str | None]] = []
    for key in keys:
        hand.press(key, rows, lambda *words: said.append(words))
    return said


LEAK, DOOR = ("zj-no1", "custody", "leak-button"), ("zj-no1", "custody", "paper-room-door")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("a\r", [(*LEAK, None)]),
        ("aseen, sent Wang\r", [(*LEAK, "seen, sent Wang")]),
        ("a看到了x\x7f\n", [(*LEAK, "看到了")]),
        ("a" + "x" * 300 + "\r", [(*LEAK, "x" * LONGEST_NOTE)]),
        ("aseen\x1b\r", []),
        ("ja\r", [(*DOOR, None)]),
        ("jjjja\r", [(*DOOR, None)]),
        ("jka\r", [(*LEAK, None)]),
        ("\x1b[Ba\r\x1b[Aa\r", [(*DOOR, None), (*LEAK, None)]),
        ("aq\x00\r", [(*LEAK, "q")]),
    ],
)
def test_keys(keys: str, said: list[tuple[str, str, str, str | None]]) -> None:
    """Choose by j, k and arrows; `a`, a note, Enter acknowledges; Esc does not."""
    assert said == typed(Hand(), keys, (ROW, OTHER))


def test_the_choice_stays_with_its_alarm() -> None:
    """What comes in above does not slip under the officer's hand; what went while writing is not another's."""
    hand = Hand()
    typed(hand, "j", (ROW, OTHER))
    above = replace(ROW, alarm="new")

    assert OTHER == hand.chosen((above, ROW, OTHER))
    assert [] == typed(hand, "anote", (above, ROW, OTHER))
    assert [] == typed(hand, "\r", (above, ROW))
    assert ROW == hand.chosen((ROW,))
    assert Hand().chosen(()) is None
    assert [] == typed(Hand(), "a\rj", ())

    typed(hand, "q", ())

    assert hand.done


MINIMAL = 'id = "county"\nkey_file = "county.key"\n[broker]\nhost = "127.0.0.1"\n'


def test_files_are_named_from_the_configurations_folder(tmp_path: Path) -> None:
    """So that the folder can be moved."""
    path = tmp_path / "station.toml"
    more = 'password_file = "pw"\ntls = { ca = "ca.pem" }\n[person]\nid = "li-wei"\nkey_file = "li.key"\n'
    path.write_text(MINIMAL + more)
    config = load(path)

    assert [str(tmp_path / name) for name in ("county.key", "station.db", "pw", "ca.pem", "li.key")] == [
        config.key_file,
        config.store,
        config.broker.password_file,
        config.broker.tls and config.broker.tls.ca,
        config.person and config.person.key_file,
    ]

    path.write_text(MINIMAL)

    assert load(path).person is None


@pytest.mark.parametrize(
    ("text", "words"), [("x =", "cannot be read"), ("x = 1", "id: Field required"), (None, "cannot be read")]
)
def test_a_wrong_configuration_says_what_is_wrong(tmp_path: Path, text: str | None, words: str) -> None:
    """All problems at once, each with its key."""
    path = tmp_path / "station.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load(path)


class Setting:
    """A broker, a venue's voice and a station's folder."""

    def __init__(self, tmp: Path, broker: Broker, listener: Listener) -> None:
        for name in ("county", "li-wei"):
            write_key(tmp / f"{name}.key", new_key())
        self.config = tmp / "station.toml"
        self.config.write_text(f'{MINIMAL}port = {broker.port}\n[person]\nid = "li-wei"\nkey_file = "li-wei.key"\n')
        self._clock, self._listener = SystemClock(), listener
        self._origin = Origin("zj-no1", "9f2c61d0a4e81b37", ZoneInfo("Asia/Shanghai"))
        identity = Identity.open(tmp, NOW)
        self._chain = Chain(self._origin.run, "zj-no1", 0, {}, identity)
        meta = payloads.meta(self._origin, streams=["custody"], config_sha256="ab" * 32, key=identity.public)
        listener.publish("exam/v1/zj-no1/meta", meta.payload, retain=True)

    def press(self) -> None:
        now = self._clock.now()
        status = payloads.online(self._origin, now, session="0" * 16, nonce="0" * 32, details={})
        fields = {"time": now.text(), "alarm": "leak-button", "severity": "critical", "activation": "a", "revision": 1}
        fields |= {"transition": "raised", "state": "active_unacknowledged", "text": TEXT}
        event = self._chain.make("custody", fields, at=now)
        self._listener.publish("exam/v1/zj-no1/status", status)
        self._listener.publish("exam/v1/zj-no1/custody/event", event.body)


def test_as_plain_lines(tmp_path: Path) -> None:
    """One line for each event, on a pipe; acknowledged by itself; SIGTERM ends it cleanly."""
    with Broker(tmp_path) as broker, Listener(broker.port) as listener:
        setting = Setting(tmp_path, broker, listener)
        command = [sys.executable, "-m", "gateway", "station", str(setting.config), "--acknowledge-after", "0.1s"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"LANG": "C"}) as process:
            try:
                for _ in range(20):  # until it has subscribed
                    setting.press()
                    if soon(lambda: listener.on("command/ack"), 0.5):
                        break
                process.send_signal(signal.SIGTERM)
                out, _ = process.communicate(timeout=5)
            finally:
                process.kill()

    assert 0 == process.returncode
    assert "zj-no1 leak-button raised active and not acknowledged leak alarm [bold]" in out
    assert "itself" in listener.on("command/ack")[0].json["note"]
    assert listener.on("receipt/county")


def test_in_a_terminal(tmp_path: Path) -> None:
    """The live view shows and sounds; `a`, a note and Enter acknowledge; `q` ends it."""
    with Broker(tmp_path) as broker, Listener(broker.port) as listener:
        setting = Setting(tmp_path, broker, listener)
        environment = os.environ | {"LANG": "C", "TERM": "xterm", "COLUMNS": "110", "LINES": "30"}
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "gateway", "station", str(setting.config)], environment)
        seen = b""

        def shows(*words: bytes) -> bool:
            nonlocal seen
            if select.select([terminal], [], [], 0.02)[0]:
                with contextlib.suppress(OSError):
                    seen += os.read(terminal, 65536)
            return all(word in seen for word in words)

        try:
            until(lambda: shows(b"acknowledge"), 8)
            end = time.monotonic() + 10
            while not shows(b"leak-button", b"\a") and time.monotonic() < end:
                setting.press()
                soon(lambda: shows(b"leak-button", b"\a"), 0.6)
            os.write(terminal, b"aseen")
            until(lambda: shows(b"Esc: not"), 3)
            os.write(terminal, b"\r")
            until(lambda: shows() and listener.on("command/ack"), 3)
            os.write(terminal, b"q")
            until(lambda: (not shows() and False) or os.waitpid(pid, os.WNOHANG)[0], 5)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.close(terminal)

    assert "seen" == listener.on("command/ack")[0].json["note"]
