"""Runs as root inside the machine, at its two boots; each line `PROVED name` or `FAILED name: why` is a result.

First boot: install, run, break, upgrade. Second boot: whether it started by itself; then remove it.
"""

import ctypes
import json
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
UNIT = "venue-gateway.service"
PATIENCE = 10 if (HERE / "slow").exists() else 1  # where the processor is emulated
STATE = Path("/var/lib/venue-gateway")
PASSWORD = "correct horse"
VENUE = """
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
user = "venue"
password_file = "$CREDENTIALS_DIRECTORY/secret_mqtt.password"
"""
WITHOUT_CREDENTIALS = (HERE / "no-credentials").exists()
if WITHOUT_CREDENTIALS:
    VENUE = VENUE.replace("$CREDENTIALS_DIRECTORY/secret_mqtt.password", "/etc/venue-gateway/mqtt.password")
PROBE = """
import ctypes, errno, json, mmap, os, socket, subprocess, sys
def of(act):
    try:
        return act() or "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
libc = ctypes.CDLL(None, use_errno=True)
def adjtimex():
    return "ok" if libc.adjtimex(ctypes.create_string_buffer(512)) >= 0 else errno.errorcode[ctypes.get_errno()]
print(json.dumps({
    **{path: of(lambda p=path: os.close(os.open(p, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))) for path in sys.argv[1:]},
    "write /etc": of(lambda: open("/etc/probe", "w").close()),
    "write state": of(lambda: open("probe", "w").close()),
    "chown": of(lambda: os.chown("probe", -1, 0)),
    "adjtimex": of(adjtimex),
    "netlink": of(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()),
    "writable code": of(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC).close()),
    "init": of(lambda: os.stat("/proc/1/status") and None),
    "cpuinfo": of(lambda: open("/proc/cpuinfo").close()),
    "secret": of(lambda: open(os.environ["CREDENTIALS_DIRECTORY"] + "/secret_mqtt.password").read().strip()),
    "secret file": of(lambda: open("/etc/venue-gateway/secrets/mqtt.password").close()),
    "configuration": of(lambda: open("/etc/venue-gateway/venue.toml").close()),
    "timedated": subprocess.run(
        ["timedatectl", "show", "--property=NTPSynchronized", "--value"], capture_output=True, text=True
    ).stdout.strip(),
    "groups": sorted(__import__("grp").getgrgid(each).gr_name for each in os.getgroups()),
}))
"""


def run(*words: object, code: int | None = 0, **env: str) -> str:
    command = [str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | env, timeout=2400, check=False)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout[-700:]} {done.stderr[-700:]}")
    return done.stdout + done.stderr


def until(condition: Callable[[], object], limit_s: float, what: str) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_s * PATIENCE:
            raise AssertionError(
                f"not within {limit_s} s: {what}; {run('journalctl', '-u', UNIT, '-n', '15', code=None)}"
            )
        time.sleep(0.05)
    return time.monotonic() - began


def show(key: str) -> str:
    return run("systemctl", "show", "--property", key, "--value", UNIT).strip()


def status() -> dict:
    return json.loads(run("venue-gateway", "status", "--json"))["status"]


def active() -> bool:
    return show("ActiveState") == "active"


def current() -> str:
    return Path("/opt/venue-gateway/current").readlink().name


def install(version: str, *words: str, code: int = 0) -> str:
    return run(
        HERE / f"venue-gateway-{version}" / "install.sh", *words, code=code, HEALTH_S="8", START_S=str(90 * PATIENCE)
    )


# ---- what is proved, in this order ---------------------------------------------------------------------------------


def installs_without_network() -> None:
    if not Path("/opt/venue-gateway").exists():  # where processors are emulated it was done before
        assert "does not run yet" in install("0.1.0")
    assert not active()
    assert "0.1.0" == current()


def starts_with_a_configuration() -> str:
    Path("/etc/venue-gateway/venue.toml").write_text(VENUE)
    for name in ("secrets/mqtt.password", "mqtt.password"):
        Path("/etc/venue-gateway", name).write_text(PASSWORD)
    run("chgrp", "venue-gateway", "/etc/venue-gateway/venue.toml", "/etc/venue-gateway/mqtt.password")
    began = time.monotonic()
    run("systemctl", "enable", "--now", UNIT)
    took = time.monotonic() - began
    assert active()
    return f"ready after {took:.2f} s, {show('MemoryCurrent')} bytes in its group"


def credential_reaches_the_broker() -> str:
    until(lambda: status()["brokers"].get("mqtt", {}).get("state") == "connected", 60, "connected with the password")
    return "in a plain file: no credentials in this emulator" if WITHOUT_CREDENTIALS else ""


def sandbox_allows_the_venue_and_nothing_else() -> str:
    """A probe in the very sandbox of the unit."""
    text = Path("/etc/systemd/system", UNIT).read_text()
    for key, value in (("Type", "oneshot"), ("Restart", "no"), ("WatchdogSec", "0"), ("ExecReload", "")):
        text = "\n".join(f"{key}={value}" if line.startswith(f"{key}=") else line for line in text.splitlines())
    majors = dict(
        reversed(line.split()) for line in Path("/proc/devices").read_text().splitlines() if " " in line.strip()
    )
    nodes = [f"/dev/proof-{name}" for name in ("gpiochip", "ttyUSB", "ttyACM", "hidraw")]
    for node in nodes:
        run("mknod", "-m", "666", node, "c", majors[node.rpartition("-")[2]], "9")
    run("modprobe", "i2c-stub", "chip_addr=0x76")
    bus = max(Path("/dev").glob("i2c-*"))
    allowed = [*nodes, "/dev/ttyS1", bus]
    denied = ["/dev/vda", "/dev/kmsg", "/dev/tty1", "/dev/loop-control", "/dev/rtc0"]
    for path in denied:
        run("chmod", "666", path, code=None)
    (HERE / "probe.py").write_text(PROBE)
    (STATE / "probe.py").write_text(PROBE)
    words = " ".join(map(str, [*allowed, *denied]))
    start = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    text = text.replace(
        start, f"ExecStart=/usr/bin/python3 {STATE}/probe.py {words}\nStandardOutput=file:/run/probe.json"
    )
    Path("/run/systemd/system").mkdir(parents=True, exist_ok=True)
    Path("/run/systemd/system/probe.service").write_text(text)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "probe.service")
    seen = json.loads(Path("/run/probe.json").read_text())
    found = {str(path): seen.pop(str(path)) for path in (*allowed, *denied)}
    groups = seen.pop("groups")
    assert {"dialout", "gpio", "i2c", "venue-gateway"} <= set(groups), groups
    # ENXIO, ENODEV: the kernel looked for the device behind the node; one that is not allowed gives EPERM.
    assert not {"EPERM", "EACCES", "ENOENT"} & {found[str(path)] for path in allowed}, found
    assert {"EPERM"} == {found[path] for path in denied if found[path] not in ("ENOENT", "EACCES")}, found
    assert {
        "write /etc": "EROFS",
        "write state": "ok",
        "chown": "EPERM",
        "adjtimex": "EPERM",
        "netlink": "EAFNOSUPPORT",
        "writable code": "EPERM",
        "init": "ENOENT",
        "cpuinfo": "ok",
        "secret": PASSWORD,
        "secret file": "EACCES",
        "configuration": "ok",
        "timedated": "no",
    } == {key: "EPERM" if key == "writable code" and value == "EACCES" else value for key, value in seen.items()}, seen
    return f"{found}"


def the_clock_is_known_in_the_sandbox() -> str:
    assert "unsynchronised" == status()["clock"]
    timex = (ctypes.c_ulong * 64)()
    # struct timex on 64 bit: modes, offset, freq, maxerror, esterror, status; ADJ_STATUS, ADJ_MAXERROR, ADJ_ESTERROR
    timex[0], timex[3], timex[4], timex[5] = 0x10 | 0x04 | 0x08, 1000, 1000, 0
    assert ctypes.CDLL(None).adjtimex(timex) >= 0
    return f"{until(lambda: status()['clock'] == 'synchronised', 60, 'told by timedated'):.0f} s"


def groups_open_the_sockets() -> None:
    for name, groups in (("viewer", "venue-view"), ("stranger", "users")):
        run("useradd", "--system", "--groups", groups, name)
    answers = {}
    for name in ("viewer", "stranger"):
        uid = pwd.getpwnam(name).pw_uid
        command = (
            "setpriv",
            f"--reuid={uid}",
            f"--regid={uid}",
            "--init-groups",
            "venue-gateway",
            "status",
            "--lang",
            "en",
        )
        answers[name] = run(*command, code=None)
    assert "zj-no1" in answers["viewer"], answers
    assert "venue-view" in answers["stranger"], answers


def kill(signal: str) -> tuple[float, int]:
    """Seconds until another process is ready."""
    pid = show("MainPID")
    run("kill", f"-{signal}", pid)
    return until(lambda: active() and show("MainPID") not in (pid, "0"), 60, "another process"), int(pid)


def a_crash_is_followed_by_a_start() -> str:
    return f"{kill('KILL')[0]:.1f} s"


def many_crashes_are_not_its_end() -> str:
    times = [kill("KILL")[0] for _ in range(8)]
    return f"8 in a row, {min(times):.1f} to {max(times):.1f} s each"


def a_hang_is_ended_by_the_watchdog() -> str:
    took, pid = kill("STOP")
    log = run("journalctl", "-u", UNIT, "-n", "60")
    assert "Watchdog timeout" in log, log
    return f"{took:.1f} s, process {pid}"


def a_reload_keeps_the_process() -> None:
    pid = show("MainPID")
    run("systemctl", "reload", UNIT)
    time.sleep(2)
    assert active()
    assert pid == show("MainPID")


def a_missing_folder_of_secrets_is_made_again() -> None:
    Path("/etc/venue-gateway/secrets").rename(HERE / "secrets")
    run("systemctl", "restart", UNIT)
    assert active()
    run("rm", "-rf", "/etc/venue-gateway/secrets")
    (HERE / "secrets").rename("/etc/venue-gateway/secrets")
    run("systemctl", "restart", UNIT)


def a_record_that_root_brings_back_is_its_own() -> None:
    """A backup, and its way back by hand, as the documents say: the service starts on it, under a new key."""
    before = status()["last_event"]
    run("venue-gateway", "journal", "backup", HERE / "record.tgz")
    run("systemctl", "stop", UNIT)
    run("venue-gateway", "journal", "restore", HERE / "record.tgz", "--yes")
    run("systemctl", "start", UNIT)
    assert status()["last_event"] > before - 1
    assert "no trouble" in run("venue-gateway", "--lang", "en", "status")


def simulation_is_refused() -> None:
    folder = Path("/run/systemd/system/venue-gateway.service.d")
    folder.mkdir(parents=True)
    start = "/opt/venue-gateway/current/bin/venue-gateway run /etc/venue-gateway/venue.toml --simulate"
    (folder / "simulate.conf").write_text(f"[Service]\nExecStart=\nExecStart={start}\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "--no-block", UNIT)
    until(lambda: "does not run with --simulate" in run("journalctl", "-u", UNIT, "-n", "20"), 20, "the refusal")
    (folder / "simulate.conf").unlink()
    folder.rmdir()
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", UNIT)
    assert active()


def an_upgrade_holds() -> None:
    assert "version 0.1.1 is in force" in install("0.1.1")
    assert ("0.1.1", True) == (current(), active())
    assert "0.1.1" in run("venue-gateway", "--version")


def a_version_that_crashes_gives_way() -> None:
    said = install("0.1.2", code=1)
    assert "version 0.1.1 is back and runs" in said, said
    assert ("0.1.1", True) == (current(), active())
    assert not Path("/opt/venue-gateway/0.1.2").exists()


def it_can_be_rolled_back() -> None:
    install("0.1.1", "rollback")
    assert ("0.1.0", True) == (current(), active())


def an_exam_freezes_it() -> None:
    venue = Path("/etc/venue-gateway/venue.toml")
    soon = [time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 8 * 3600 + s)) for s in (3600, 7200)]
    venue.write_text(f'{VENUE}\n[[session]]\nname = "语文"\nstart = {soon[0]}\nend = {soon[1]}\n')
    assert "not now" in install("0.1.1", code=1)
    assert "0.1.0" == current()
    venue.write_text(VENUE)


def it_starts_by_itself_after_a_boot() -> str:
    until(active, 60, "active")
    boot_us = int(run("systemctl", "show", "--property", "UserspaceTimestampMonotonic", "--value"))
    ready_us = int(show("ActiveEnterTimestampMonotonic"))
    return f"ready {(ready_us - boot_us) / 1e6:.1f} s after systemd, without any network interface"


def it_is_removed_and_keeps_the_record() -> None:
    install("0.1.0", "uninstall", "--keep-data")
    assert (STATE / "events.db").exists()
    assert not Path("/opt/venue-gateway").exists()
    assert "not-found" == show("LoadState")


def it_comes_back_with_its_record() -> None:
    """Installed again over what was kept, it runs at once: the configuration is there."""
    before = len((STATE / "events.db").read_bytes())
    assert "version 0.1.0 is in force" in install("0.1.0")
    assert active()
    assert before <= len((STATE / "events.db").read_bytes())
    run("venue-gateway", "journal", "verify")


def it_is_removed_with_everything() -> None:
    install("0.1.0", "uninstall", "--delete-data")
    left = [path for path in (STATE, Path("/opt/venue-gateway"), Path("/etc/venue-gateway")) if path.exists()]
    assert [] == left
    assert "not-found" == show("LoadState")


FIRST = (
    installs_without_network,
    starts_with_a_configuration,
    credential_reaches_the_broker,
    sandbox_allows_the_venue_and_nothing_else,
    the_clock_is_known_in_the_sandbox,
    groups_open_the_sockets,
    a_crash_is_followed_by_a_start,
    many_crashes_are_not_its_end,
    a_hang_is_ended_by_the_watchdog,
    a_reload_keeps_the_process,
    a_missing_folder_of_secrets_is_made_again,
    a_record_that_root_brings_back_is_its_own,
    simulation_is_refused,
    an_upgrade_holds,
    a_version_that_crashes_gives_way,
    it_can_be_rolled_back,
    an_exam_freezes_it,
)
OF_DEVICES = (sandbox_allows_the_venue_and_nothing_else, the_clock_is_known_in_the_sandbox)
SECOND = (
    it_starts_by_itself_after_a_boot,
    it_is_removed_and_keeps_the_record,
    it_comes_back_with_its_record,
    it_is_removed_with_everything,
)


def main() -> None:
    done = HERE / "booted"
    parts = SECOND if done.exists() else FIRST
    left_out = OF_DEVICES if (HERE / "no-devices").exists() else ()
    if parts is FIRST:
        Path("/etc/mosquitto/password").write_text("")
        run("mosquitto_passwd", "-b", "/etc/mosquitto/password", "venue", PASSWORD)
        run("chmod", "644", "/etc/mosquitto/password")
        Path("/etc/mosquitto/conf.d/venue.conf").write_text(
            "listener 1883 127.0.0.1\npassword_file /etc/mosquitto/password\n"
        )
        run("systemctl", "restart", "mosquitto")
    for part in (part for part in parts if part not in left_out):
        try:
            note = part()
            print(f"PROVED {part.__name__}{': ' + note if note else ''}", flush=True)
        except (AssertionError, OSError, KeyError, ValueError, subprocess.SubprocessError, StopIteration) as error:
            print(f"FAILED {part.__name__}: {type(error).__name__} {error}", flush=True)
    done.touch()
    os.sync()
    run("systemctl", "poweroff" if parts is SECOND else "reboot", "--no-block")


if __name__ == "__main__":
    sys.exit(main())
