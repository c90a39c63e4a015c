"""The service as it is shipped: what systemd says of it, and that the program does in it what its words promise."""

import configparser
import re
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from gateway import state
from gateway.cli import main
from gateway.moment import SystemClock
from gateway.persons.control import Control, Doorman
from gateway.state import socket_path
from gateway.worker import Worker

SYSTEMD = Path(__file__).parent.parent / "systemd"
UNIT = SYSTEMD / "venue-gateway.service"


class Unit(configparser.RawConfigParser):
    """The unit's keys as they are written; one that is given again is kept as further lines."""

    def __init__(self) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read_string(UNIT.read_text("utf-8"))
        self.all = [tuple(line.split("=", 1)) for line in UNIT.read_text("utf-8").splitlines() if "=" in line[:40]]

    def values(self, key: str) -> list[str]:
        return [value for name, value in self.all if name == key]


@pytest.fixture(scope="module")
def unit() -> Unit:
    return Unit()


def systemd(*words: object) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    """F1: verify prints nothing at all (it ends with 0 on keys that it does not know, so its words are what counts)."""
    text = re.sub(r"/opt/venue-gateway/current/bin/venue-gateway", "/bin/true", UNIT.read_text("utf-8"))
    (tmp_path / "venue-gateway.service").write_text(text)
    done = systemd("verify", "--man=no", tmp_path / "venue-gateway.service")

    assert (0, "") == (done.returncode, done.stdout + done.stderr)


def test_the_exposure_is_at_most_one_and_a_half() -> None:
    """What the service could do to the rest of the machine, by systemd's own reckoning."""
    done = systemd("security", "--offline=true", "--threshold=15", UNIT)

    assert 0 == done.returncode, done.stdout[-200:]


@pytest.mark.parametrize(
    ("section", "key", "expected"),
    [
        ("Unit", "StartLimitIntervalSec", "0"),
        ("Service", "Type", "notify"),
        ("Service", "Restart", "always"),
        ("Service", "RestartSec", "1"),
        ("Service", "ProtectSystem", "strict"),
        ("Service", "DevicePolicy", "closed"),
        ("Service", "User", "venue-gateway"),
    ],
)
def test_the_service_always_comes_back(unit: Unit, section: str, key: str, expected: str) -> None:
    """F1: a dead gateway starts again after one second, always, for ever, at the same pace, under its own user."""
    assert expected == unit.get(section, key)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("Unit", "StartLimitBurst"),
        ("Unit", "After"),  # F4: no wait for a network that never comes
        ("Unit", "Wants"),
        ("Unit", "Requires"),
        ("Unit", "ConditionPathExists"),
        ("Service", "RestartSteps"),
        ("Service", "PrivateDevices"),  # hides the pins
        ("Service", "ProcSubset"),  # hides the board's revision
        ("Service", "SupplementaryGroups"),  # one that is missing keeps the service from starting
        ("Service", "EnvironmentFile"),
    ],
)
def test_nothing_in_the_unit_can_keep_the_button_dead(unit: Unit, section: str, key: str) -> None:
    """F1, F4: settings that delay or prevent a start, or hide the pins, are not there."""
    assert not unit.has_option(section, key)


def test_the_watchdog_is_fast_enough_and_not_faster_than_a_stalled_card(unit: Unit) -> None:
    """F2: a hung gateway is ended within half a minute; a card that stalls for 10 s is no reason."""
    assert 10 < int(unit.get("Service", "WatchdogSec")) <= 30


def test_a_slow_start_is_not_cut_short(unit: Unit) -> None:
    """F1: a start that is ended before it is done begins again for ever; a card that stalls makes it take minutes."""
    assert 120 <= int(unit.get("Service", "TimeoutStartSec"))


def test_only_devices_of_the_venue_are_allowed(unit: Unit) -> None:
    """Pins, serial lines, I2C and HID: nothing else."""
    allowed = {value.removesuffix(" rw") for value in unit.values("DeviceAllow")}

    assert {f"char-{name}" for name in ("gpiochip", "ttyUSB", "ttyACM", "ttyAMA", "i2c", "hidraw")} == {
        name for name in allowed if not name.startswith("/dev/ttyS")
    }


def test_drivers_of_allowed_devices_are_loaded_before(unit: Unit) -> None:
    """systemd looks a device's number up when the service starts: a driver loaded by the first plug comes too late."""
    loaded = (SYSTEMD / "modules-load.d" / "venue-gateway.conf").read_text().split("\n")

    assert {"usbserial", "cdc_acm", "i2c-dev", "hid"} <= set(loaded)


def test_users_and_groups_are_those_that_unit_and_sockets_need(unit: Unit) -> None:
    """Every user and group that the unit, the folders and the sockets name is made by sysusers."""
    written = (SYSTEMD / "sysusers.d/venue-gateway.conf").read_text().splitlines()
    made = {line.split()[1] for line in written if line.startswith(("u ", "g "))}
    folders = (SYSTEMD / "tmpfiles.d/venue-gateway.conf").read_text().splitlines()
    named = {word for line in folders if line.startswith("d ") for word in line.split()[3:5]} - {"root"}

    assert {unit.get("Service", "User"), unit.get("Service", "Group"), "gpio", "i2c", "dialout", *named} <= made


def test_the_record_has_its_folder_before_the_first_start(unit: Unit) -> None:
    """A backup is brought back onto a new card before the service ever ran: into its folder, and as its own."""
    folders = (SYSTEMD / "tmpfiles.d/venue-gateway.conf").read_text().splitlines()
    user, mode = unit.get("Service", "User"), unit.get("Service", "StateDirectoryMode")

    assert f"d /var/lib/{unit.get('Service', 'StateDirectory')} {mode} {user} {user} -" in folders


def test_the_service_refuses_to_simulate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: Unit, capsys: pytest.CaptureFixture[str]
) -> None:
    """A4: with the unit's environment `--simulate` ends with 1 and a sentence, whatever a drop-in says."""
    name, _, value = next(v for v in unit.values("Environment") if "SERVICE" in v).partition("=")
    monkeypatch.setenv(name, value)

    assert 1 == main(["run", "venue.toml", "--state", str(tmp_path / "state"), "--simulate"])
    assert "does not run with --simulate" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_sockets_lie_in_the_folders_of_their_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the installation made folders below /run, gateway and commands meet there; a folder gives its group."""
    monkeypatch.setattr(state, "SERVICES", tmp_path / "lib")
    monkeypatch.setattr(state, "RUN", tmp_path / "run")
    place = tmp_path / "lib" / "venue-gateway"
    place.mkdir(parents=True)
    before = socket_path(place, "view")
    for name in ("view", "operate"):
        (tmp_path / "run" / "venue-gateway" / name).mkdir(parents=True)
    control = Worker("control", Control(place, Doorman({}, SystemClock()), lambda _: None, SystemClock()).run)
    control.start()
    found = tmp_path / "run" / "venue-gateway" / "view" / "socket"
    try:
        with socket.socket(socket.AF_UNIX) as far:
            until_connected(far, found)
        mode = stat.S_IMODE(found.stat().st_mode)
    finally:
        control.stop()
        control.join(5)

    assert (place / "view.sock", found, 0o660) == (before, socket_path(place, "view"), mode)
    assert tmp_path / "view.sock" == socket_path(tmp_path, "view")


def until_connected(far: socket.socket, path: Path) -> None:
    from kit_mqtt import until

    def connected() -> bool:
        try:
            far.connect(str(path))
        except OSError:
            return False
        return True

    until(connected, 10, "the socket")
