"""Runs as root in a Debian without systemd (`--programs`): whether the release installs there, and all in it runs.

Each line `PROVED name` or `FAILED name: why` is a result. The machine has no network but its own loopback.
"""

import fcntl
import json
import os
import platform
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PROGRAM = Path("/opt/venue-gateway/current/bin")
WORK = HERE / "work"
STATE = WORK / "state"
VENUE = WORK / "venue.toml"
TEXT = """
[venue]
id = "zj-no1"
name = "考点"

[bus.rs485]
port = "/dev/ttyUSB0"
baud = 4800

[device.gate-noise]
driver = "renke_rs_zs"
bus = "rs485"
address = 1
every = "1s"
place = "north gate"

[contact.leak-button]
kind = "leak"
pin = 27
safe = "low"
pin_other = 5

[mqtt]
host = "127.0.0.1"
port = 1883
"""
# Every module that pip installed, whether the gateway imports it early or only when something is switched on.
LIBRARIES = """
import importlib, importlib.metadata, json
found = sorted(name for name in importlib.metadata.packages_distributions() if name.isidentifier() and name[0] != "_")
for name in found:
    importlib.import_module(name)
print(json.dumps(found))
"""
PINS = """
import gpiozero.pins.lgpio, lgpio, os
try:
    lgpio.gpiochip_open(9)
except lgpio.error as no:
    print(no, os.path.realpath(lgpio.__file__))
"""
LISTENER = """
import json, sys
import paho.mqtt.subscribe
def heard(client, _, message):
    event = json.loads(message.payload)
    if event["transition"] == "raised" and event["alarm"] == "leak-button":
        print(event["id"])
        client.disconnect()
paho.mqtt.subscribe.callback(heard, "exam-sim/v1/zj-no1/custody/event", qos=1, hostname="127.0.0.1")
"""


def run(*words: object, code: int = 0) -> str:
    command = [str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=7200, check=False)
    if done.returncode != code:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout[-700:]} {done.stderr[-700:]}")
    return done.stdout


def until(condition: Callable[[], object], what: str, limit_s: float = 300) -> None:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_s:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.5)


def gateway(*words: object, code: int = 0) -> str:
    return run(PROGRAM / "venue-gateway", *words, "--lang", "en", code=code)


@contextmanager
def beside(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end afterwards."""
    process = subprocess.Popen([str(word) for word in command])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(120)


def connected() -> bool:
    asked = (PROGRAM / "venue-gateway", "status", "--json", "--state", STATE)
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.returncode == 0 and json.loads(done.stdout)["status"]["brokers"]["mqtt"]["state"] == "connected"


# ---- what is proved, in this order ---------------------------------------------------------------------------------


def it_installs() -> str:
    assert "does not run yet" in run(HERE / "venue-gateway-0.1.0/install.sh")
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return f"{platform.machine()}, Python {python}, {run(PROGRAM / 'venue-gateway', '--version').strip()}"


def every_library_can_be_imported() -> str:
    found = json.loads(run(PROGRAM / "python", "-c", LIBRARIES))
    assert {"cryptography", "gpiozero", "influxdb_client", "pydantic_core", "serial"} <= set(found), found
    return ", ".join(found)


def the_pins_library_asks_the_kernel() -> str:
    """lgpio is there where there are pins, and its extension gets as far as a chip that this machine has not."""
    if platform.machine() != "aarch64":
        return "not on this processor"
    said = run(PROGRAM / "python", "-c", PINS)
    assert "can not open gpiochip" in said, said
    return said.strip()


def it_checks_and_lists() -> None:
    assert "can be used" in gateway("check", "/etc/venue-gateway/small-school.toml")
    assert len(json.loads(gateway("devices", "--json"))) > 20


def a_press_reaches_the_broker() -> str:
    """A minute of the simulated venue with a real broker; then it stops in order."""
    WORK.mkdir()
    VENUE.write_text(TEXT)
    (WORK / "broker.conf").write_text("listener 1883 127.0.0.1\nallow_anonymous true\n")
    run_it = (PROGRAM / "venue-gateway", "run", VENUE, "--state", STATE, "--simulate")
    with beside("mosquitto", "-c", WORK / "broker.conf"), beside(*run_it) as venue:
        until(connected, "the gateway is connected")
        listener = subprocess.Popen([PROGRAM / "python", "-c", LISTENER], stdout=subprocess.PIPE, text=True)
        time.sleep(60)  # of readings; and the listener is there for sure
        gateway("sim", "leak-button", "press", "--state", STATE)
        heard = listener.communicate(timeout=300)[0]
    assert 0 == venue.returncode
    assert heard.strip() in gateway("journal", "export", "--state", STATE)
    return heard.strip()


def the_record_is_proven() -> str:
    return gateway("journal", "verify", "--state", STATE).strip().replace("\n", "; ")


def the_pages_are_made() -> str:
    gateway("report", "day", "--state", STATE, "--config", VENUE, "--out", WORK / "day")
    gateway("report", "noise", "--state", STATE, "--config", VENUE, "--out", WORK / "noise")
    pages = [path for path in WORK.rglob("*.html") if path.stat().st_size > 2000]
    assert 2 <= len(pages), pages
    return ", ".join(f"{path.name} {path.stat().st_size} bytes" for path in pages)


PARTS = (
    it_installs,
    every_library_can_be_imported,
    the_pins_library_asks_the_kernel,
    it_checks_and_lists,
    a_press_reaches_the_broker,
    the_record_is_proven,
    the_pages_are_made,
)


def raise_loopback() -> None:
    """The one interface of a network namespace of its own, up: SIOCSIFFLAGS with IFF_UP."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))


def main() -> None:
    raise_loopback()
    os.chdir("/")
    for part in PARTS:
        try:
            note = part()
            print(f"PROVED {part.__name__}{': ' + note if note else ''}", flush=True)
        except (AssertionError, OSError, KeyError, ValueError, subprocess.SubprocessError, StopIteration) as error:
            print(f"FAILED {part.__name__}: {type(error).__name__} {error}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
