"""The watchdog is fed only while every loop that an alarm depends on goes round."""

import socket
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from kit_mqtt import until
from kit_process import venue

from gateway import switchboard
from gateway.app import App
from gateway.configuration.config import Config
from gateway.machine.pulse import Loop, Pulse
from gateway.moment import NANO, Moment, SystemClock
from gateway.simulate.simulation import Simulation


def at(seconds: float) -> Moment:
    return Moment(1_780_794_000 * NANO, 0).after(seconds)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(0, 1), (1, 2), (2, 3), (60, 4)], []),  # slow is not hanging
        ([(0, 1), (5, 1), (10, 1)], []),
        ([(0, 1), (10.5, 1)], ["pins"]),
        ([(0, 1), (10.5, 1), (11, 2)], []),  # it goes on
        ([(0, 0)], []),  # not begun yet
    ],
)
def test_a_count_that_stands_is_a_hang(looks: list[tuple[float, int]], expected: list[str]) -> None:
    """Turns that do not grow for the loop's limit, by the time that passed, and no longer than they stand."""
    pulse = Pulse()
    found: list[str] = []
    for seconds, turns in looks:
        found = pulse.hanging({"pins": Loop(turns, 10.0)}, at(seconds))

    assert expected == found


def test_a_loop_that_is_gone_is_forgotten() -> None:
    """A broker that a reload takes away is no hang, and begins anew when it comes back."""
    pulse = Pulse()
    pulse.hanging({"pump-second": Loop(7, 10.0)}, at(0))
    gone = pulse.hanging({}, at(100))

    assert ([], []) == (gone, pulse.hanging({"pump-second": Loop(7, 10.0)}, at(200)))


def freeze_pins(app: App, frozen: threading.Event) -> None:
    """As a library call that never returns."""
    assert app.out.contacts is not None
    app.out.contacts._serve = lambda *_: frozen.wait()  # type: ignore[method-assign,assignment,return-value]


def freeze_broker(app: App, frozen: threading.Event) -> None:
    app.out.pumps["mqtt"]._post(lambda: frozen.wait() and None)


def freeze_main(app: App, _frozen: threading.Event) -> None:
    app.stopping.set()


@pytest.mark.parametrize("freeze", [freeze_pins, freeze_broker, freeze_main])
def test_pings_stop_when_a_loop_freezes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, freeze: Callable[[App, threading.Event], None]
) -> None:
    """F2: pins, broker or main loop frozen, with every other thread running: systemd hears nothing more."""
    monkeypatch.setattr(switchboard, "PINS_S", 0.5)
    monkeypatch.setattr(switchboard, "BROKER_S", 0.5)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    config = Config.model_validate(tomllib.loads(venue(1)))
    frozen = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        app = App(config, tmp_path / "state", simulation=Simulation(config, SystemClock()), clock=SystemClock())
        monkeypatch.setattr(app.clock, "pause", lambda seconds: seconds / 5)  # five times faster
        app.start()
        serving = threading.Thread(target=app.serve)
        serving.start()
        heard = {systemd.recv(100) for _ in range(3)}
        freeze(app, frozen)
        systemd.settimeout(0.8)
        try:
            until(lambda: silent(systemd), 20, "the end of the pings")
        finally:
            frozen.set()
            app.stopping.set()
            serving.join(5)
            app.stop()

    assert {b"READY=1", b"WATCHDOG=1"} == heard


def silent(systemd: socket.socket) -> bool:
    try:
        systemd.recv(100)
    except TimeoutError:
        return True
    return False
