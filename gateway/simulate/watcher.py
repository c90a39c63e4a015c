"""The demo's own ear at the broker, and its own eye on the journal's file."""

from __future__ import annotations

import queue
import time
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.errors import Unavailable
from gateway.journal.reader import EventReader
from gateway.simulate.broker import HOST
from gateway.simulate.farside import FarSide

READ_AT_ONCE = 500


class Watcher:
    """Listens to everything below `root` and keeps `far` up to date. All methods for one thread."""

    def __init__(self, port: int, root: str, journal: Path) -> None:
        self.far = FarSide()
        self._root = f"{root}/"
        self._heard: queue.SimpleQueue[tuple[str, bytes, bool, float]] = queue.SimpleQueue()
        self._journal = EventReader(journal)
        self._number = 0
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.connect_async(HOST, port)
        self._client.loop_start()

    @property
    def linked(self) -> bool:
        return self._client.is_connected()

    def look(self) -> None:
        """Take in everything that came since the last look."""
        while not self._heard.empty():
            topic, payload, retained, at = self._heard.get()
            self.far.take(topic, payload, at, retained=retained)
        try:
            events = self._journal.after(self._number, READ_AT_ONCE)
        except Unavailable:
            return  # asked again at the next look
        for event in events:
            self._number = event.number
            self.far.stored(event.hash, time.monotonic())

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._journal.close()

    # ---- the client's thread: put and return

    def _connected(self, client: Client, *_: Any) -> None:
        client.subscribe(f"{self._root}#", qos=1)

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        topic = message.topic.removeprefix(self._root)
        self._heard.put((topic, bytes(message.payload), message.retain, time.monotonic()))
