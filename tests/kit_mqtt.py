"""F-MQTT: a real mosquitto, a TCP proxy that plays a bad network, and a listener that keeps what it hears."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from asyncapi import problems
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.moment import NANO, Moment, SystemClock


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


PATIENCE_S = 30.0  # what comes at once on a quiet machine may take long on a busy one: tests pin order, not speed


def until(condition: Callable[[], Any], timeout_s: float = PATIENCE_S, what: str = "") -> Any:
    """The first true answer of `condition`; AssertionError when there was none in time."""
    timeout_s = max(timeout_s, PATIENCE_S)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.005)
    raise AssertionError(f"not within {timeout_s} s: {what or condition}")


def soon(condition: Callable[[], Any], within_s: float) -> bool:
    """Whether it becomes true in so short a time; for whoever will try again."""
    end = time.monotonic() + within_s
    while not (answer := condition()) and time.monotonic() < end:
        time.sleep(0.005)
    return bool(answer)


class Broker:
    """mosquitto as a child process. `lines` go into its configuration (password_file, acl_file, cafile ...)."""

    def __init__(self, directory: Path, *lines: str, anonymous: bool = True) -> None:
        self.port = free_port()
        self._file = directory / "mosquitto.conf"
        self._log = directory / "mosquitto.log"
        settings = (
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'true' if anonymous else 'false'}",
            "user root",
            "set_tcp_nodelay true",
            "max_queued_messages 100000",
            *lines,
        )
        self._file.write_text("\n".join(settings) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(["mosquitto", "-c", str(self._file)], stdout=log, stderr=log)
        until(self._answers, what=f"mosquitto; its log: {self._log.read_text()}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def reload(self) -> None:
        """Its access list and passwords are read anew; connections stand."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def restart(self, pause_s: float) -> None:
        """Told to end, gone for so long, and back: with `persistence true` it loses nothing it acknowledged."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()
        time.sleep(pause_s)
        self.start()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


Mood = Literal["ok", "refuse", "black-hole", "slow"]


class Proxy:
    """Stands before a broker. `mood` may change at any time:

    ok, refuse (nobody is let in, those inside are cut), black-hole (connections stay open and nothing passes either
    way: also what a half-open link looks like), slow (each piece takes 50 ms).
    """

    def __init__(self, target: int) -> None:
        self.mood: Mood = "ok"
        self.reset_after: int | None = None  # bytes from the client, then a RST
        self.connections = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._stop = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Every connection ends, without a word of MQTT."""
        for pair in self._pairs:
            for sock in pair:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._listener], [], [], 0.05)[0]:
                continue
            near, _ = self._listener.accept()
            self.connections += 1
            if self.mood == "refuse":
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=2)
            except OSError:
                near.close()
                continue
            self._pairs.append((near, far))
            thread = threading.Thread(target=self._carry, args=(near, far), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        passed = 0
        with near, far:
            while not self._stop.is_set() and self.mood != "refuse":
                if self.mood == "black-hole":
                    self._stop.wait(0.02)
                    continue
                ready = select.select([near, far], [], [], 0.02)[0]
                if self.mood == "black-hole":
                    continue
                if self.mood == "slow" and ready:
                    self._stop.wait(0.05)
                for sock in ready:
                    try:
                        data = sock.recv(65536)
                        if not data:
                            return
                        (far if sock is near else near).sendall(data)
                    except OSError:
                        return
                    passed += len(data) if sock is near else 0
                if self.reset_after is not None and passed >= self.reset_after:
                    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    return

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: bytes
    retained: bool
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


@dataclass
class Listener:
    """Subscribes to everything (or `filters`) and keeps it in order.

    At the end everything that others published is held against `docs/asyncapi.yaml`, unless `described` is False. With
    a name in `session` the broker keeps for it what comes while it is away.
    """

    port: int
    filters: tuple[str, ...] = ("#",)
    user: str | None = None
    password: str | None = None
    described: bool = True
    session: str | None = None
    heard: list[Heard] = field(default_factory=list)
    own: set[tuple[str, bytes]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=self.session or "", protocol=MQTTProtocolVersion.MQTTv5
        )
        if self.user is not None:
            self._client.username_pw_set(self.user, self.password)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe([(each, 1) for each in self.filters])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600 if self.session else 0
        self._client.connect("127.0.0.1", self.port, clean_start=not self.session, properties=properties)
        self._client.loop_start()
        assert self._subscribed.wait(5)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.append(Heard(message.topic, bytes(message.payload), message.retain, time.monotonic()))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.own.add((topic, payload))
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    def on(self, end: str) -> list[Heard]:
        """What came on topics with this end, in order."""
        return [each for each in self.heard if each.topic.endswith(end)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self.close()
        if self.described and failed is None:
            said = [(each.topic, each.payload) for each in self.heard]
            assert not [text for each in said if each not in self.own for text in problems(*each)]


class QuickClock:
    """The machine's clocks, `speed` times as fast."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._clock = SystemClock()
        self._start = self._clock.now()

    def now(self) -> Moment:
        real = self._clock.now()
        gone_ns = round((real.mono_ns - self._start.mono_ns) * (self._speed - 1))
        return Moment(real.wall_ns + gone_ns, real.mono_ns + gone_ns, real.clock)

    def pause(self, seconds: float) -> float:
        return seconds / self._speed


@contextlib.contextmanager
def running(*works: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    """Runs each in a thread until the block ends; an exception in one is raised here."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def run(work: Callable[[threading.Event], None]) -> None:
        try:
            work(stop)
        except BaseException as error:  # noqa: BLE001  it is raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
        assert not [thread for thread in threads if thread.is_alive()]
    if errors:
        raise errors[0]


NOW = Moment(1_780_800_000 * NANO, 1_000 * NANO)
