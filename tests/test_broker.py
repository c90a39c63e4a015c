"""The broker's files under `firmware_config/broker`, on the real mosquitto: who may read and write what; its store."""

from __future__ import annotations

import datetime as dt
import os
import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit_mqtt import Broker, QuickClock, until
from kit_tls import DAY, Authority
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from test_mqtt import Venue

FILES = Path(__file__).parent.parent / "firmware_config" / "broker"
HOME = "home-assistant"  # has lines in the access list only where they are wanted
USERS = ("zj-no1", "zj-no2", "county-command", "environment-bureau", "health-bureau", "maintenance", "stranger")
DESKS = ("county-command", "environment-bureau", "health-bureau", "maintenance")
ONE = "exam/v1/zj-no1"

READS = [
    # below the root of zj-no1, published by the venue -> who hears it besides the venue itself
    ("status", DESKS),
    ("meta", DESKS),
    ("custody/event", ("county-command",)),
    ("custody/alarm/leak-button", ("county-command",)),
    ("custody/contact/paper-room-door", ("county-command",)),
    ("custody/head", ("county-command",)),
    ("custody/meta", ("county-command",)),
    ("environment/event", ("environment-bureau",)),
    ("environment/reading/gate-noise", ("environment-bureau",)),
    ("environment/noise/gate-noise", ("environment-bureau",)),
    ("environment/meta", ("environment-bureau",)),
    ("screening/event", ("health-bureau",)),
    ("screening/count/entrance", ("health-bureau",)),
    ("gateway/event", ("county-command", "maintenance")),
    ("gateway/alarm/link-mqtt", ("county-command", "maintenance")),
    ("response/ack", ("county-command",)),
]
WRITES = [
    # user, topic -> may
    ("zj-no1", f"{ONE}/custody/event", True),
    ("zj-no1", f"{ONE}/command/ping", True),
    ("zj-no1", f"{ONE}/command/ack", False),
    ("zj-no1", f"{ONE}/receipt/county-command", False),
    ("zj-no1", "exam/v1/zj-no2/custody/event", False),
    ("zj-no1", "exam/v1/zj-no2/status", False),
    ("zj-no1", "exam/v1/zj-no2/response/ack", False),
    ("zj-no1", "elsewhere", False),
    ("zj-no1", "homeassistant/device/zj-no1/exam/config", False),
    ("zj-no2", f"{ONE}/custody/alarm/leak-button", False),
    ("county-command", f"{ONE}/receipt/county-command", True),
    ("county-command", f"{ONE}/command/ack", True),
    ("county-command", f"{ONE}/receipt/environment-bureau", False),
    ("county-command", f"{ONE}/custody/event", False),
    ("county-command", f"{ONE}/status", False),
    ("environment-bureau", f"{ONE}/receipt/environment-bureau", True),
    ("environment-bureau", f"{ONE}/receipt/county-command", False),
    ("environment-bureau", f"{ONE}/command/ack", False),
    ("environment-bureau", f"{ONE}/environment/event", False),
    ("health-bureau", f"{ONE}/receipt/health-bureau", True),
    ("health-bureau", f"{ONE}/command/reset", False),
    ("maintenance", f"{ONE}/command/ping", False),
    ("stranger", f"{ONE}/status", False),
    ("stranger", f"{ONE}/command/ack", False),
    ("stranger", "$SYS/broker/version", False),
]


class User:
    """A client with a certificate; hears whatever the broker lets it."""

    def __init__(self, name: str, port: int, authority: Authority) -> None:
        self.heard: set[str] = set()
        self._codes: dict[int, int] = {}
        self._ready = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"test-{name}", protocol=MQTTProtocolVersion.MQTTv5
        )
        context = ssl.create_default_context(cafile=str(authority.ca("ours")))
        context.load_cert_chain(authority.cert(name), authority.key(name))
        self._client.tls_set_context(context)
        self._client.on_connect = lambda client, *_: client.subscribe([("#", 1), ("$SYS/#", 0)])
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.add(message.topic)

    def _on_publish(self, _client: Client, _data: object, mid: int, code: ReasonCode, _properties: object) -> None:
        self._codes[mid] = code.value

    def write(self, topic: str) -> bool:
        """Whether the broker took it (a refusal is reason 135)."""
        mid = self._client.publish(topic, b"{}", qos=1).mid
        until(lambda: mid in self._codes, 10)
        assert self._codes[mid] in (0, 16, 135)
        return self._codes[mid] != 135

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("tls"))
    now = dt.datetime.now(dt.UTC)
    for name in (*USERS, HOME):
        made.issue(name, start=now - DAY, end=now + DAY)
    return made


class Shipped(Broker):
    """mosquitto on the shipped files, with its paths and port moved."""

    def __init__(self, folder: Path, authority: Authority, acl: Path = FILES / "acl") -> None:
        super().__init__(folder)
        self.stop()
        text = (FILES / "mosquitto.conf").read_text("utf-8")
        moved = {
            "listener 8883": f"user root\nlistener {self.port} 127.0.0.1",
            "/etc/mosquitto/venues/ca.pem": str(authority.ca("ours")),
            "/etc/mosquitto/venues/broker.pem": str(authority.cert("good")),
            "/etc/mosquitto/venues/broker.key": str(authority.key("good")),
            "/etc/mosquitto/venues/acl": str(acl),
            "/var/lib/mosquitto/": f"{folder}/",
        }
        for old, new in moved.items():
            assert old in text
            text = text.replace(old, new)
        self._file.write_text(text)
        self.start()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Shipped]:
    with Shipped(tmp_path_factory.mktemp("broker"), authority) as broker:
        yield broker


@pytest.fixture(scope="module")
def users(broker: Shipped, authority: Authority) -> Iterator[dict[str, User]]:
    users = {name: User(name, broker.port, authority) for name in USERS}
    yield users
    for user in users.values():
        user.close()


@pytest.fixture(scope="module")
def heard(users: dict[str, User]) -> dict[str, set[str]]:
    """Who heard what of all that the venue may publish, once everybody has heard the last that is for them."""
    topics = [*(below for below, _ in READS if below != "status"), "status"]
    for below in topics:
        assert users["zj-no1"].write(f"{ONE}/{below}")
    for name in ("zj-no2", "stranger"):  # their own is the last that they may hear
        assert users[name].write(f"exam/v1/{name}/status")
    for name, user in users.items():
        root = f"exam/v1/{name}" if name in ("zj-no2", "stranger") else ONE
        until(lambda user=user, root=root: f"{root}/status" in user.heard, 10)
    return {name: {topic.removeprefix(f"{ONE}/") for topic in user.heard} for name, user in users.items()}


@pytest.mark.parametrize(("below", "desks"), READS, ids=[below for below, _ in READS])
def test_each_authority_sees_its_own_branch(heard: dict[str, set[str]], below: str, desks: tuple[str, ...]) -> None:
    """What a venue publishes reaches the desks that are named, and nobody else: no other venue, no stranger."""
    assert {"zj-no1", *desks} == {name for name in USERS if below in heard[name]}


@pytest.mark.parametrize(("user", "topic", "may"), WRITES, ids=[f"{user} {topic}" for user, topic, _ in WRITES])
def test_who_may_write(users: dict[str, User], user: str, topic: str, may: bool) -> None:
    """A venue writes its own states and events, a station its own receipts, and nobody in another's name."""
    assert may == users[user].write(topic)


def test_nobody_reads_the_brokers_own_topics(users: dict[str, User]) -> None:
    """$SYS tells how many venues and clients there are: not to everybody."""
    assert [] == [topic for user in users.values() for topic in user.heard if topic.startswith("$SYS")]


def test_nobody_comes_in_without_a_certificate(broker: Shipped, authority: Authority) -> None:
    """Neither without TLS nor with TLS alone."""
    plain = Client(CallbackAPIVersion.VERSION2)
    plain.connect("127.0.0.1", broker.port)
    for _ in range(100):
        if plain.loop(0.05) != 0:
            break
    else:
        pytest.fail("a client without TLS was let in")
    context = ssl.create_default_context(cafile=str(authority.ca("ours")))
    bare = Client(CallbackAPIVersion.VERSION2)
    bare.tls_set_context(context)
    let_in = []
    bare.on_connect = lambda *_: let_in.append(True)
    try:
        bare.connect("127.0.0.1", broker.port)
        while bare.loop(0.05) == 0:
            pass
    except OSError:
        pass

    assert [] == let_in


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_gateway_needs_no_more_than_its_lines(tmp_path: Path, broker: Shipped, authority: Authority) -> None:
    """Our own program behind this access list: connected, everything accepted, nothing refused, in both versions."""
    tls = {name: str(path) for name, path in (("ca", authority.ca("ours")), ("cert", authority.cert("zj-no1")))}
    tls["key"] = str(authority.key("zj-no1"))
    for version in ("5", "3.1.1"):
        venue = Venue(tmp_path, QuickClock())
        with venue.delivering(broker.port, version, tls=tls) as pump:
            pump.retain("custody/head", b'{"n":1}')
            events = [venue.event(pump, stream) for stream in ("custody", "screening", "environment", "gateway")]
            until(lambda venue=venue, events=events: len(venue.accepted()) == len(events), 15)

            assert {"connecting", "connected"} == set(venue.states())


def test_home_assistant_where_it_is_wanted(tmp_path: Path, authority: Authority) -> None:
    """With its lines a venue may announce itself and no other, and Home Assistant reads levels, not the paper room."""
    acl = tmp_path / "acl"
    acl.write_text((FILES / "acl").read_text("utf-8").replace("#|", ""), "utf-8")
    tries = {
        ("zj-no1", "homeassistant/device/zj-no1/exam/config"): True,
        ("zj-no1", "homeassistant/device/zj-no2/exam/config"): False,
        ("zj-no1", "homeassistant/switch/zj-no1/exam/config"): False,
        (HOME, "homeassistant/device/zj-no1/exam/config"): False,
        (HOME, f"{ONE}/command/ack"): False,
        (HOME, f"{ONE}/environment/reading/gate-noise"): False,
        ("zj-no1", f"{ONE}/custody/contact/paper-room-door"): True,
        ("zj-no1", f"{ONE}/environment/reading/gate-noise"): True,
    }
    with Shipped(tmp_path, authority, acl) as broker:
        users = {name: User(name, broker.port, authority) for name in ("zj-no1", HOME)}
        wrote = {(user, topic): users[user].write(topic) for user, topic in tries}
        until(lambda: f"{ONE}/environment/reading/gate-noise" in users[HOME].heard, 10)
        for user in users.values():
            user.close()

    assert tries == wrote
    assert {"homeassistant/device/zj-no1/exam/config", f"{ONE}/environment/reading/gate-noise"} == users[HOME].heard


# ---- the store ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with retained states in it, as mosquitto itself left it."""
    folder = tmp_path_factory.mktemp("store")
    with Broker(folder, "persistence true", f"persistence_location {folder}/") as broker:
        client = Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        for number in range(50):
            client.publish(f"{ONE}/custody/alarm/a{number}", b"x" * 200, qos=1, retain=True).wait_for_publish(5)
        client.disconnect()
        client.loop_stop()
        assert broker._process is not None
        broker._process.send_signal(signal.SIGTERM)
        broker._process.wait(10)
    return (folder / "mosquitto.db").read_bytes()


DAMAGES = {
    "good": (lambda store: store, False),
    "zeroed": (lambda store: bytes(len(store)), True),
    "zeroed at its head": (lambda store: bytes(512) + store[512:], True),
    "cut at 5": (lambda store: store[:5], True),
    "cut in the head": (lambda store: store[:20], True),
    "cut in the middle": (lambda store: store[: len(store) // 2], True),
    "cut at its last byte": (lambda store: store[:-1], True),
    "not a store": (lambda _: b"\xa5not a store" * 300, True),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_broker_starts_with_whatever_store(tmp_path: Path, store: bytes, damage: str) -> None:
    """C16: a store that mosquitto cannot read is moved aside before the start, and told; a good one stays as it is."""
    harm, moved = DAMAGES[damage]
    file = tmp_path / "mosquitto.db"
    file.write_bytes(harm(store))
    settings = ("persistence true", f"persistence_location {tmp_path}/")
    told = subprocess.run([FILES / "check-store", tmp_path], check=True, capture_output=True, text=True).stderr
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    aside = [name for name in left if name.endswith(".damaged")]

    assert (moved, moved) == (bool(aside), "cannot read" in told)
    assert [harm(store)] == list(left.values())

    with Broker(tmp_path, *settings) as broker:
        assert broker.port


def test_a_broker_that_cannot_be_tried_loses_no_store(tmp_path: Path, store: bytes) -> None:
    """C16: without mosquitto, or with too little time, nothing is moved; three damaged ones are kept, not more."""
    file = tmp_path / "mosquitto.db"
    file.write_bytes(store)
    subprocess.run([FILES / "check-store", tmp_path], check=True, env={"PATH": os.environ["PATH"], "PATIENCE": "0"})
    assert [store] == [path.read_bytes() for path in tmp_path.glob("mosquitto.db*")]

    for number in range(5):
        (tmp_path / f"mosquitto.db.2026010{number}T000000Z.damaged").write_bytes(b"x")
        os.utime(tmp_path / f"mosquitto.db.2026010{number}T000000Z.damaged", (number, number))
    file.write_bytes(b"broken")
    subprocess.run([FILES / "check-store", tmp_path], check=True, capture_output=True)

    assert 3 == len(list(tmp_path.glob("mosquitto.db*")))
    assert b"broken" in [path.read_bytes() for path in tmp_path.glob("mosquitto.db*")]
