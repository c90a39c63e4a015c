"""The doctor against a list of faults, put in one by one: each is named by its own check, with what, why and how."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kit_bus import ScriptedBus
from kit_influx import TOKEN, Influx
from kit_mqtt import Broker, free_port
from kit_process import venue
from kit_tls import Authority

from gateway.cli import main
from gateway.doctor import brokers, line_trial, storage
from gateway.doctor.bundle import Veil, write_bundle
from gateway.doctor.main import examine
from gateway.doctor.patient import Check, Finding, Machine, Patient, gather, good
from gateway.doctor.registry import CHECKS
from gateway.moment import NANO, Moment
from gateway.persons.people import pin_hash

PIN = pin_hash("13579")
NOW = Moment(1_780_000_000 * NANO, NANO)  # 2026-05-28T20:26:40Z: before the exam of `GOOD`
PI = "Raspberry Pi 5 Model B Rev 1.0\0"
GOOD = f"""
[venue]
id = "zj-no1"
name = "考点"
[[session]]
name = "语文"
start = 2026-06-07T09:00:00
end = 2026-06-07T11:30:00
[custody]
start = 2026-06-05T16:00:00
end = 2026-06-10T18:00:00
[[person]]
id = "li-wei"
name = "李伟"
may = ["ack", "reset", "open-window"]
pin = "{PIN}"
[[person]]
id = "wang-fang"
name = "王芳"
may = ["open-window"]
pin = "{PIN}"
[[station]]
id = "county"
key = "ed25519:{"A" * 43}="
streams = ["custody"]
[siren]
pin = 24
[escalation]
steps = [{{ after = "60s", to = "siren" }}]
[bus.line]
port = "PORT"
baud = 9600
[device.gate]
driver = "renke_rs_zs"
bus = "line"
address = 1
[device.hall]
driver = "renke_rs_zs"
bus = "line"
address = 2
[contact.door]
kind = "seal"
pin = 17
safe = "low"
pin_other = 18
[contact.button]
kind = "leak"
pin = 27
safe = "low"
pin_other = 5
[rule.loud]
point = "gate/laf"
above = 65.0
[mqtt]
host = "127.0.0.1"
port = MQTT
"""
PROVEN = "logged in, published, and heard its own message"


@dataclass(frozen=True, slots=True)
class FakeMachine(Machine):
    """F-SYS: files below a folder, and what the system's programs would print."""

    outputs: dict[str, str] = field(default_factory=dict)

    def output(self, *command: str) -> str | None:
        return self.outputs.get(" ".join(command))


class Line(ScriptedBus):
    """Units that hear one speed only."""

    speed = termios.B9600

    def _answer(self, request: bytes) -> None:
        if self._slave is not None and termios.tcgetattr(self._slave)[4] == self.speed:
            super()._answer(request)


@dataclass
class World:
    """A venue in which everything is well, until a fault is put in."""

    folder: Path
    line: Line
    monkeypatch: pytest.MonkeyPatch
    toml: str
    undo: contextlib.ExitStack
    now: Moment = NOW
    status: dict[str, Any] | None = None
    alarms: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def file(self, name: str, text: str = "") -> Path:
        """A file of the machine."""
        path = self.folder / "root" / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def swap(self, old: str, new: str) -> None:
        assert old in self.toml
        self.toml = self.toml.replace(old, new)

    def runs(self, **said: Any) -> None:
        """The gateway answers; `said` goes over what all is well says."""
        file = self.write()
        good_one = {
            "venue": "zj-no1",
            "run": "r",
            "configuration": gather(self.state, file).checked.sha256,
            "clock": "synchronised",
            "contacts": {"door": "safe", "button": "safe"},
            "devices": {"gate": "ok", "hall": "ok"},
            "brokers": {"mqtt": {"state": "connected", "detail": "broker.example:8883"}},
            "storage": {},
            "simulated": False,
        }
        self.status = good_one | said

    def write(self) -> Path:
        path = self.folder / "venue.toml"
        path.write_text(self.toml)
        return path

    def patient(self) -> Patient:
        patient = gather(self.state, self.write(), FakeMachine(self.folder / "root", self.outputs))
        patient.now, patient.status, patient.alarms = self.now, self.status, self.alarms
        return patient

    def findings(self) -> list[Finding]:
        return examine(self.patient())


@pytest.fixture(scope="module")
def brokers_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """One that takes all, one that wants a password and lets nobody publish, one with TLS for each kind of trouble."""
    folder = tmp_path_factory.mktemp("brokers")
    tls = Authority(folder)
    passwords, acl = folder / "passwords", folder / "acl"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "venue", "s3cret-word"], check=True)
    acl.write_text("user venue\ntopic read exam/v1/zj-no1/#\n")
    with contextlib.ExitStack() as up:

        def broker(name: str, *lines: str, anonymous: bool = True) -> Broker:
            (folder / name).mkdir()
            return up.enter_context(Broker(folder / name, *lines, anonymous=anonymous))

        def secure(name: str) -> Broker:
            return broker(name, f"certfile {tls.cert(name)}", f"keyfile {tls.key(name)}")

        yield SimpleNamespace(
            open=broker("open"),
            strict=broker("strict", f"password_file {passwords}", f"acl_file {acl}", anonymous=False),
            good=secure("good"),
            expired=secure("expired"),
            tls=tls,
        )


@pytest.fixture
def world(tmp_path: Path, brokers_up: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(line_trial, "TRY_S", 0.1)
    monkeypatch.setattr(brokers, "PROOF_S", 0.5)
    monkeypatch.setenv("LANG", "C")
    toml = GOOD.replace("PORT", str(tmp_path / "port")).replace("MQTT", str(brokers_up.open.port))
    with Line(tmp_path / "port", units=[1, 2], turn_round_s=0.0) as line, contextlib.ExitStack() as undo:
        world = World(tmp_path, line, monkeypatch, toml, undo)
        world.state.mkdir(mode=0o750)
        (world.state / storage.LAST_BACKUP).touch()
        os.utime(world.state / storage.LAST_BACKUP, (NOW.wall_ns / NANO,) * 2)
        world.file("/proc/device-tree/model", PI)
        world.file("/dev/watchdog0")
        world.file("/dev/rtc0")
        world.file("/run/systemd/system/.keep")
        world.file("/proc/net/route", "Iface\tDestination\nend0\t00000000\t0101A8C0\n")
        world.file("/etc/passwd", "venue-gateway:x:990:990::/var/lib/venue-gateway:/usr/sbin/nologin\n")
        world.file("/etc/group", "gpio:x:993:venue-gateway\ndialout:x:20:venue-gateway\n")
        world.file("/sys/class/thermal/thermal_zone0/temp", "51000\n")
        world.file("/sys/devices/platform/soc/soc:firmware/get_throttled", "0\n")
        world.outputs = {
            "systemctl is-enabled venue-gateway.service": "enabled",
            "systemctl show -P NRestarts venue-gateway.service": "0",
            "systemctl show -P RuntimeWatchdogUSec": "15s",
        }
        monkeypatch.setattr("gateway.doctor.board._MODULE", world.file("/program", ""))
        os.utime(world.file("/program"), (NOW.wall_ns / NANO,) * 2)
        yield world


# ---- the faults -------------------------------------------------------------------------------------------------


def wrong_baud(w: World, _: SimpleNamespace) -> None:
    w.line.speed = termios.B4800


def swapped_wires(w: World, _: SimpleNamespace) -> None:
    w.line._units = set()


def dead_meter(w: World, _: SimpleNamespace) -> None:
    w.line.does(2, "silent")


def two_at_one_address(w: World, _: SimpleNamespace) -> None:
    w.line.does(2, "bad-crc")


def held_port(w: World, _: SimpleNamespace) -> None:
    code = "import serial, sys; p = serial.Serial(sys.argv[1], exclusive=True); print(1, flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    other = subprocess.Popen([sys.executable, "-c", code, w.line.port], stdin=pipe, stdout=pipe)
    w.undo.callback(other.wait)
    w.undo.callback(other.stdin.close)
    w.undo.callback(other.stdout.close)
    other.stdout.readline()


def missing_port(w: World, _: SimpleNamespace) -> None:
    w.swap(f'port = "{w.line.port}"', 'port = "/dev/serial/by-id/usb-FTDI-if00-port0"')


def renumbered_port(w: World, _: SimpleNamespace) -> None:
    w.swap(f'port = "{w.line.port}"', 'port = "/dev/ttyUSB7"')


def console_on_uart(w: World, _: SimpleNamespace) -> None:
    w.swap(f'port = "{w.line.port}"', 'port = "/dev/ttyAMA0"')
    w.file("/proc/cmdline", "console=ttyAMA0,115200 root=/dev/mmcblk0p2")


def closed_broker(w: World, b: SimpleNamespace) -> None:
    w.swap(f"port = {b.open.port}", f"port = {free_port()}")


def unknown_name(w: World, _: SimpleNamespace) -> None:
    w.swap('host = "127.0.0.1"', 'host = "broker.invalid"')


def no_route(w: World, _: SimpleNamespace) -> None:
    w.swap('host = "127.0.0.1"', 'host = "broker.invalid"')
    w.file("/proc/net/route", "Iface\tDestination\nend0\t0001A8C0\t00000000\n")


def _strict(w: World, b: SimpleNamespace, password: str, more: str = "") -> None:
    w.file("/etc/password", password).chmod(0o600)
    file = w.folder / "root" / "etc" / "password"
    w.swap(f"port = {b.open.port}", f'port = {b.strict.port}\nuser = "venue"\npassword_file = "{file}"\n{more}')


def wrong_password(w: World, b: SimpleNamespace) -> None:
    _strict(w, b, "wrong")


def topic_not_allowed(w: World, b: SimpleNamespace) -> None:
    _strict(w, b, "s3cret-word")


def topic_not_allowed_3(w: World, b: SimpleNamespace) -> None:
    _strict(w, b, "s3cret-word", 'version = "3.1.1"')


def expired(w: World, b: SimpleNamespace) -> None:
    w.swap(f"port = {b.open.port}", f'port = {b.expired.port}\ntls = {{ ca = "{b.tls.ca("ours")}" }}')


def foreign_authority(w: World, b: SimpleNamespace) -> None:
    w.swap(f"port = {b.open.port}", f'port = {b.good.port}\ntls = {{ ca = "{b.tls.ca("foreign")}" }}')


def ending_soon(w: World, b: SimpleNamespace) -> None:
    w.now = Moment(time.time_ns(), NANO)
    more = f'cert = "{b.tls.cert("client")}", key = "{b.tls.key("client")}"'
    w.swap(f"port = {b.open.port}", f'port = {b.good.port}\ntls = {{ ca = "{b.tls.ca("ours")}", {more} }}')


def clock_off(w: World, _: SimpleNamespace) -> None:
    w.runs(clock="unsynchronised")


def clock_behind(w: World, _: SimpleNamespace) -> None:
    newest = w.state / "events.db"
    newest.touch()
    os.utime(newest, (NOW.wall_ns / NANO + 86400,) * 2)


def full_disk(w: World, _: SimpleNamespace) -> None:
    w.monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=16 << 30, free=30 << 20))


def read_only(w: World, _: SimpleNamespace) -> None:
    real = os.statvfs
    names = [name for name in dir(real(w.state)) if name.startswith("f_")]

    def flagged(path: Path) -> SimpleNamespace:
        found = {name: getattr(real(path), name) for name in names}
        return SimpleNamespace(**found | {"f_flag": found["f_flag"] | os.ST_RDONLY})

    w.monkeypatch.setattr(os, "statvfs", flagged)


def failing_card(w: World, _: SimpleNamespace) -> None:
    w.file("/sys/fs/ext4/mmcblk0p2/errors_count", "3\n")


def card_trouble(w: World, _: SimpleNamespace) -> None:
    w.runs(storage={"events": "disk I/O error"})


def not_enabled(w: World, _: SimpleNamespace) -> None:
    w.outputs["systemctl is-enabled venue-gateway.service"] = "disabled"


def restarting(w: World, _: SimpleNamespace) -> None:
    w.outputs["systemctl show -P NRestarts venue-gateway.service"] = "41"


def missing_group(w: World, _: SimpleNamespace) -> None:
    w.file("/etc/group", "gpio:x:993:venue-gateway\ndialout:x:20:pi\n")


def no_watchdog(w: World, _: SimpleNamespace) -> None:
    w.outputs["systemctl show -P RuntimeWatchdogUSec"] = "0"


def open_state(w: World, _: SimpleNamespace) -> None:
    w.state.chmod(0o755)


def open_secret(w: World, b: SimpleNamespace) -> None:
    _strict(w, b, "s3cret-word")
    (w.folder / "root" / "etc" / "password").chmod(0o644)


def taken_pin(w: World, _: SimpleNamespace) -> None:
    w.runs()
    text = {"en": "The pin of button cannot be used: pin 27 is in use by spi0", "zh": "27"}
    w.alarms = [{"alarm": "button-pin", "kind": "pin", "since": "now", "text": text}]


def one_pin(w: World, _: SimpleNamespace) -> None:
    w.swap("pin_other = 5\n", "")


def cut_wire(w: World, _: SimpleNamespace) -> None:
    w.runs(contacts={"door": "cut", "button": "safe"})


def nobody_resets(w: World, _: SimpleNamespace) -> None:
    w.swap('"reset", ', "")


def one_opener(w: World, _: SimpleNamespace) -> None:
    w.swap('may = ["open-window"]', 'may = ["ack"]')


def past_sessions(w: World, _: SimpleNamespace) -> None:
    w.now = Moment(NOW.wall_ns + 12 * 86400 * NANO, NANO)


def no_custody(w: World, _: SimpleNamespace) -> None:
    w.swap("[custody]\nstart = 2026-06-05T16:00:00\nend = 2026-06-10T18:00:00\n", "")


def torn_last_good(w: World, _: SimpleNamespace) -> None:
    (w.state / "last-good.toml").write_text("# sha256 00\n[venue]\n")


def old_backup(w: World, _: SimpleNamespace) -> None:
    os.utime(w.state / storage.LAST_BACKUP, (NOW.wall_ns / NANO - 40 * 86400,) * 2)


def under_voltage(w: World, _: SimpleNamespace) -> None:
    w.file("/sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")


def too_hot(w: World, _: SimpleNamespace) -> None:
    w.file("/sys/class/thermal/thermal_zone0/temp", "84500\n")


def no_station(w: World, _: SimpleNamespace) -> None:
    w.swap('streams = ["custody"]', 'streams = ["gateway"]')


def broken_station_key(w: World, _: SimpleNamespace) -> None:
    w.swap(f'key = "ed25519:{"A" * 43}="', 'key = "ed25519:AAAA"')


def no_second_path(w: World, _: SimpleNamespace) -> None:
    w.swap('[siren]\npin = 24\n[escalation]\nsteps = [{ after = "60s", to = "siren" }]\n', "")


def rule_without_device(w: World, _: SimpleNamespace) -> None:
    w.swap('point = "gate/laf"', 'point = "gaet/laf"')


def other_file(w: World, _: SimpleNamespace) -> None:
    w.runs(configuration="0" * 64)


def link_refused(w: World, _: SimpleNamespace) -> None:
    w.runs(brokers={"mqtt": {"state": "refused", "detail": "it does not accept this user name and password"}})


def database(w: World, url: str, token: str = TOKEN, ca: Path | None = None) -> None:
    w.file("/influx.token", token)
    w.toml += f'[influxdb]\nurl = "{url}"\norg = "bureau"\nbucket = "venues"\ntoken_file = "root/influx.token"\n'
    if ca is not None:
        w.toml += f'ca = "{ca}"\n'


def database_of_strangers(w: World, up: SimpleNamespace) -> None:
    server = w.undo.enter_context(Influx(certificate=(up.tls.cert("good"), up.tls.key("good"))))
    database(w, server.url, ca=up.tls.ca("foreign"))


def database_ending_soon(w: World, up: SimpleNamespace) -> None:
    server = w.undo.enter_context(Influx(certificate=(up.tls.cert("good"), up.tls.key("good"))))
    database(w, server.url, ca=up.tls.ca("ours"))
    w.now = Moment(time.time_ns(), 1)


def database_authority_ending(w: World, up: SimpleNamespace) -> None:
    database(w, "https://127.0.0.1:1", ca=up.tls.cert("client"))
    w.now = Moment(time.time_ns(), 1)


def database_token(w: World, _: SimpleNamespace) -> None:
    database(w, w.undo.enter_context(Influx()).url, token="another")


def database_away(w: World, _: SimpleNamespace) -> None:
    database(w, "http://127.0.0.1:1")


def database_refuses(w: World, _: SimpleNamespace) -> None:
    database(w, "http://127.0.0.1:1")
    w.runs(brokers={"influxdb": {"state": "refused", "detail": "no such bucket"}})


def silent_meter(w: World, _: SimpleNamespace) -> None:
    w.runs(devices={"gate": "ok", "hall": "silent for 60 s (no answer)"})


def worn_line(w: World, _: SimpleNamespace) -> None:
    w.runs()
    w.alarms = [{"alarm": "wire-hall", "kind": "wire", "since": "10:00", "text": ""}]


Fault = Callable[[World, SimpleNamespace], None]
FAULTS: tuple[tuple[Fault, str, str], ...] = (
    (wrong_baud, "line", "answer at 4800 baud"),
    (swapped_wires, "line", "no device answers at any speed"),
    (dead_meter, "line", "hall does not answer"),
    (two_at_one_address, "line", "hall: damaged answers"),
    (silent_meter, "device", "hall: silent for 60 s"),
    (worn_line, "line-worn", "wire-hall stands"),
    (held_port, "port-held", r"in use by python[\d.]* \(process \d+\)"),
    (missing_port, "port", "usb-FTDI-if00-port0 is not there"),
    (renumbered_port, "port-name", "/dev/ttyUSB7 may be another adapter"),
    (console_on_uart, "console", "console writes to /dev/ttyAMA0"),
    (closed_broker, "broker-port", "no broker is listening"),
    (unknown_name, "broker-name", "broker.invalid is not found"),
    (no_route, "route", "no default route"),
    (wrong_password, "broker-login", "does not accept this user name and password|not authorised"),
    (topic_not_allowed, "broker-login", "publishing to exam/v1/zj-no1/command/ping is not allowed"),
    (topic_not_allowed_3, "broker-login", "does not come back"),
    (expired, "broker-certificate", "expired"),
    (foreign_authority, "broker-certificate", "an authority that we do not know"),
    (ending_soon, "own-certificate", r"client.pem ends in 0 days"),
    (link_refused, "link", "user name and password"),
    (database_of_strangers, "database", "an authority that we do not know"),
    (database_ending_soon, "database-certificate", r"the certificate of 127.0.0.1:\d+ ends in 0 days"),
    (database_authority_ending, "own-certificate", r"influxdb: .*client.pem ends in 0 days"),
    (database_token, "database", "does not accept the token"),
    (database_away, "database", "Connection refused"),
    (database_refuses, "database", "no such bucket"),
    (clock_off, "clock", "not set by a time source"),
    (clock_behind, "clock-behind", "before the newest record"),
    (full_disk, "space", "30 MiB free"),
    (read_only, "writable", "is read-only"),
    (failing_card, "card-errors", "mmcblk0p2 has had 3 errors"),
    (card_trouble, "storage", "disk I/O error"),
    (not_enabled, "unit", "does not start by itself"),
    (restarting, "restarts", "41 times"),
    (missing_group, "groups", "not in the group dialout"),
    (no_watchdog, "watchdog", "watchdog is off"),
    (open_state, "state-modes", "everybody can read the state"),
    (open_secret, "secrets", "everybody can read .*password"),
    (taken_pin, "pin", "in use by spi0"),
    (one_pin, "one-pin", "button: with one pin"),
    (cut_wire, "contact", "door is cut"),
    (nobody_resets, "who-may-reset", "no person with a PIN may reset"),
    (one_opener, "who-may-open", "fewer than two persons"),
    (past_sessions, "sessions", "every session is over"),
    (no_custody, "custody-times", "not set"),
    (torn_last_good, "last-good", "1 of 1"),
    (old_backup, "backup", "40 days old"),
    (under_voltage, "power", "too low now"),
    (too_hot, "heat", "84 degrees|85 degrees"),
    (no_station, "station", "no station receives"),
    (broken_station_key, "configuration", r"station\[1\].key.*no whole public key"),
    (no_second_path, "second-path", "one way out"),
    (rule_without_device, "configuration", r"rule.loud.point"),
    (other_file, "in-force", "another configuration"),
)


# paho leaves a socket whose handshake failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("fault", "check", "words"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
def test_each_fault_is_named(fault: Fault, check: str, words: str, world: World, brokers_up: SimpleNamespace) -> None:
    """B9, C13, C14, F10: the check that the fault belongs to says it, with why it matters and how to mend it."""
    fault(world, brokers_up)

    found = [each for each in world.findings() if each.check == check and each.level != "good"]

    assert [each.what for each in found if re.search(words, each.what)], found
    assert [] == [each for each in found if not each.why or not each.remedy]


def test_a_venue_in_which_all_is_well_has_no_red_line(world: World) -> None:
    """No check cries for nothing: what would be there whatever is done, is what nobody reads."""
    world.runs()

    assert [] == [each for each in world.findings() if each.level != "good"]


@pytest.mark.parametrize("https", [True, False])
def test_a_database_that_would_take_our_points_is_good_and_gets_none(
    world: World, brokers_up: SimpleNamespace, https: bool
) -> None:
    """D7: address, trust, token and bucket are proven, and not one point is written for it."""
    tls = brokers_up.tls
    files = (tls.cert("good"), tls.key("good")) if https else None
    with Influx(certificate=files) as server:
        database(world, server.url, ca=tls.ca("ours") if https else None)
        found = {(each.check, each.level, each.what) for each in world.findings()}

        assert ("database", "good", f"{server.url} would take what this venue writes into venues") in found
        assert ({}, 1) == (server.points, len(server.requests))


def test_without_a_gateway_the_lines_and_the_broker_are_tried_from_here(world: World) -> None:
    """Before the first start: each device is asked, the broker takes a message and gives it back."""
    found = {(each.check, each.what) for each in world.findings() if each.level == "good"}

    assert {("line", "gate answers"), ("line", "hall answers"), ("broker-login", f"mqtt: {PROVEN}")} <= found
    assert {"gateway"} <= {each.check for each in world.findings() if each.level == "bad"}


def test_a_gateway_that_may_not_be_asked_is_left_alone(world: World) -> None:
    """Whoever is not in its group is told so; its ports, pins and brokers are not tried behind its back."""
    patient = world.patient()
    patient.silent, patient.forbidden = "not allowed: the socket is for group venue-view", True
    found = examine(patient)

    assert [("warning", "not allowed: the socket is for group venue-view")] == [
        (each.level, each.what) for each in found if each.check == "gateway"
    ]
    assert {"line", "broker-login", "pin", "port-held"} & {each.check for each in found} == set()
    assert [] == world.line.asked


def test_there_are_more_than_thirty_checks_with_names_of_their_own() -> None:
    """Each is a code that leads to its place in the documents."""
    names = [check.name for check in CHECKS]

    assert len(names) >= 30
    assert sorted(set(names)) == sorted(names)


def test_a_check_that_hangs_is_said_to(world: World) -> None:
    """The others are told in time; nobody waits for one that does not end."""
    never = threading.Event()

    def hangs(_: Patient) -> Iterator[Any]:
        never.wait()
        yield good("")

    families = ((Check("slow", "slow", "why", hangs),), (Check("quick", "quick", "why", lambda _: iter([good("x")])),))
    found = examine(world.patient(), families, limit_s=0.2)
    never.set()

    assert [("slow", "warning"), ("quick", "good")] == [(each.check, each.level) for each in found]


def test_what_this_user_may_not_read_is_said_and_judged_no_further(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without sudo: one check that may not look says so, and nobody claims that another configuration is in force."""

    def forbidden(path: Path, *_: object, **__: object) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    def look(_: Patient) -> Iterator[Any]:
        yield forbidden(Path("/root/secret"))

    patient = world.patient()
    patient.status = {"configuration": "other"}
    patient.checked = dataclasses.replace(patient.checked, config=None)
    monkeypatch.setattr(Path, "open", forbidden)
    found = examine(patient, ((Check("look", "look", "why", look),),), limit_s=5)

    assert [("look", "warning", "begin the command with sudo")] == [(f.check, f.level, f.remedy) for f in found]
    assert "/root/secret" in found[0].what
    assert [] == list(next(c for c in CHECKS if c.name == "in-force").examine(patient))


def test_the_bundle_has_everything_but_secrets(world: World, brokers_up: SimpleNamespace) -> None:
    """What goes to support holds findings, configuration, log and machine; a grep for each secret finds nothing."""
    _strict(world, brokers_up, "s3cret-word")
    world.toml += '[modem]\nport = "/dev/ttyS9"\nnumbers = ["+8613800138000"]\n'
    world.outputs["journalctl -u venue-gateway.service -n 2000 --no-pager -o short-iso"] = (
        f"password s3cret-word for 13912345678 of {PIN} at http://me:hidden-too@influx\n"
    )
    patient = world.patient()
    write_bundle(world.folder / "b.tar.gz", patient, examine(patient))
    with tarfile.open(world.folder / "b.tar.gz") as archive:
        texts = {Path(m.name).name: archive.extractfile(m).read().decode() for m in archive.getmembers()}

    everything = "\n".join(texts.values())
    for secret in ("s3cret-word", PIN, PIN.split(":")[1], "13800138000", "13912345678", "hidden-too", "李伟", "王芳"):
        assert secret not in everything
    assert 'id = "li-wei"' in texts["configuration.toml"]
    assert "who-may-reset" in texts["findings.json"]
    assert "password [hidden] for [hidden]" in texts["log.txt"]
    assert 0o600 == (world.folder / "b.tar.gz").stat().st_mode & 0o777


def test_a_veil_hides_a_known_word_also_in_json() -> None:
    """A password with quotes is written otherwise in JSON, and is no less a secret."""
    assert '{"a": "[hidden]"}' == Veil(['pass"word']).over(json.dumps({"a": 'pass"word'}))


def test_the_command_prints_what_why_and_how(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`doctor` in both languages and as JSON; 1 when something is red."""
    config = tmp_path / "venue.toml"
    config.write_text(venue(free_port()))
    words = ["doctor", str(config), "--state", str(tmp_path / "none")]
    codes = [main([*words, "--lang", "en", "--bundle", str(tmp_path / "b.tgz")])]
    text = capsys.readouterr().out
    codes += [main([*words, "--json"])]
    data = json.loads(capsys.readouterr().out)

    assert [1, 1] == codes
    assert "no gateway answers" in text
    assert "why: nothing is watched" in text
    assert "mend: start it" in text
    assert "[gateway]" in text
    assert {"check", "title", "level", "what", "why", "remedy"} == set(data[0])
    assert (tmp_path / "b.tgz").exists()
