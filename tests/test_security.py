"""What strangers can see of the running program: nothing listens, nobody reads its files, no secret leaves it."""

from __future__ import annotations

import base64
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from kit_influx import TOKEN, Influx
from kit_mqtt import Broker, until
from kit_process import PIN, Gateway, bus, meter, venue

from gateway.persons.control import ask, socket_path

PASSWORD = "a-password-of-the-venue"
LISTENING, UNCONNECTED = "0A", "07"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("venue")


@pytest.fixture(scope="module")
def database() -> Iterator[Influx]:
    with Influx() as database:
        yield database


@pytest.fixture(scope="module")
def gateway(folder: Path, database: Influx) -> Iterator[Gateway]:
    """A venue with every kind of secret, begun with the most careless umask, that has met every refusal."""
    passwords = folder / "passwords"
    passwords.write_text(f"zj-no1:{PASSWORD}\n")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
    for name, secret in (("mqtt.password", PASSWORD), ("influx.token", TOKEN)):
        (folder / name).write_text(secret + "\n")
    tables = f"""
[influxdb]
url = "{database.url}"
org = "bureau"
bucket = "venues"
token_file = "influx.token"
streams = ["environment", "gateway"]
"""
    mqtt = 'user = "zj-no1"\npassword_file = "mqtt.password"\n'
    with Broker(folder, f"password_file {passwords}", anonymous=False) as broker:
        toml = venue(broker.port, bus(), meter("gate-noise", 1), tables, mqtt=mqtt)
        with Gateway(folder, toml) as gateway:
            gateway.before = ("sh", "-c", 'umask 0; exec "$@"', "sh")
            gateway.start()
            until(lambda: gateway.status()["brokers"]["mqtt"]["state"] == "connected", 30, "the broker")
            yield gateway


def test_readings_reach_the_database(gateway: Gateway, database: Influx) -> None:
    """The real program writes what its meter says, a simulated one under a name that is no venue's, and says so."""
    until(lambda: database.values("noise", "laf"), 20)
    tags = {tags for measurement, tags, _, _ in database.points if measurement == "noise"}

    assert {(("device", "gate-noise"), ("venue", "zj-no1-simulated"))} == tags
    until(lambda: gateway.status()["brokers"].get("influxdb", {}).get("state") == "connected", 20)


def test_the_round_trip_through_the_broker_is_in_the_status(gateway: Gateway) -> None:
    """C2: the age of our own last message that came back, for people and for programs."""
    link = until(lambda: "canary_age_s" in gateway.status()["brokers"]["mqtt"] and gateway.status()["brokers"]["mqtt"])

    assert 0 <= link["canary_age_s"] < 90
    assert 0 <= link["round_trip_ms"] < 10_000
    assert "our own message came back" in gateway.command("status")


def test_nothing_listens(gateway: Gateway) -> None:
    """No TCP and no UDP port; unix sockets alone, each where its folder's mode says who may connect."""
    assert gateway.process is not None
    pid = gateway.process.pid
    inodes = {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
    open_ports = [
        line.split()[1]
        for name, states in (("tcp", LISTENING), ("tcp6", LISTENING), ("udp", UNCONNECTED), ("udp6", UNCONNECTED))
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        if line.split()[3] == states and f"socket:[{line.split()[9]}]" in inodes
    ]
    unix = {
        fields[7]
        for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]
        if len(fields := line.split()) > 7 and f"socket:[{fields[6]}]" in inodes
    }

    assert [] == open_ports
    assert {str(socket_path(gateway.state, name)) for name in ("view", "operate")} == unix


def test_nobody_else_reads_the_state(gateway: Gateway) -> None:
    """Whatever the umask was: others may read the public key and nothing else, the key itself nobody."""
    modes = {path: path.stat().st_mode for path in (gateway.state, *gateway.state.rglob("*")) if path.exists()}
    others = [path.name for path, mode in modes.items() if mode & stat.S_IRWXO and path.name != "device.pub"]
    written = [path.name for path, mode in modes.items() if mode & stat.S_IWGRP and not stat.S_ISSOCK(mode)]

    assert [] == others
    assert [] == written
    assert 0o600 == stat.S_IMODE(modes[gateway.state / "device.key"])


def test_no_secret_shows(gateway: Gateway) -> None:
    """Wrong PINs and hostile requests leave no secret in the log, the process list or the answers."""
    request = {"verb": "ack", "by": "li-wei", "pin": "1357924680", "alarm": "leak-button", "note": "x"}
    answers = [str(ask(gateway.state, request, acting=True)), gateway.command("status"), str(gateway.status())]
    with socket.socket(socket.AF_UNIX) as hostile:
        hostile.connect(str(socket_path(gateway.state, "operate")))
        hostile.sendall(b'{"verb": "ack", "pin": "1357924680", "by": [' + b"9" * 100 + b"\n")
        answers.append(hostile.recv(65536).decode())
    assert gateway.process is not None
    process = Path(f"/proc/{gateway.process.pid}")
    shown = [gateway.log(), *answers]
    shown += [(process / name).read_bytes().replace(b"\0", b" ").decode() for name in ("cmdline", "environ")]
    pem = (gateway.state / "device.key").read_bytes()
    key = load_pem_private_key(pem, None) if pem.startswith(b"-----") else None
    raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()) if key is not None else pem.strip()
    secrets = [PASSWORD, TOKEN, PIN, "1357924680", "scrypt:", pem.decode("latin-1").strip()]
    secrets.append(base64.b64encode(raw).decode())

    assert [] == [secret for secret in secrets for text in shown if secret in text]
    assert "event=started" in gateway.log()


def test_without_a_database_its_client_is_not_loaded() -> None:
    """Start time and memory are spent only where they are needed."""
    code = "import sys, gateway.run; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(["python", "-c", code], check=True, capture_output=True, text=True, env=here()).stdout

    assert "'gateway'" in loaded
    assert [] == [name for name in ("influxdb_client", "urllib3", "reactivex", "rich") if f"'{name}'" in loaded]


def test_a_crash_shows_no_secret(gateway: Gateway, folder: Path) -> None:
    """The last of this process: killed as by a fault, it leaves no dump of its memory beside its files."""
    assert gateway.process is not None
    before = {path.name for path in folder.iterdir()}
    soft, _ = limits(gateway.process.pid)
    gateway.process.send_signal(6)
    gateway.process.wait(20)
    left = {path.name for path in (*folder.iterdir(), *gateway.state.iterdir()) if "core" in path.name}

    assert "0" == soft
    assert (set(), before) == (left, {path.name for path in folder.iterdir()})
    assert not [secret for secret in (PASSWORD, TOKEN, PIN) if secret in gateway.log()]


def limits(pid: int) -> tuple[str, str]:
    line = next(line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in line)
    return line.split()[4], line.split()[5]


def here() -> dict[str, str]:
    import sys

    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
