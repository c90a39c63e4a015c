"""A broker that does what no real one does on demand: acknowledge and drop, delay, refuse. MQTT 5 and 3.1.1."""

from __future__ import annotations

import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Self

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, UNSUBSCRIBE, UNSUBACK, DISCONNECT = (
    *(1, 2, 3, 4, 8, 9, 12, 13, 10, 11),
    14,
)


@dataclass
class StubBroker:
    """One connection at a time is served as scripted; everything may be changed while it runs.

    `connack`: the reason code of CONNACK, None: nothing is said   `suback_after_s`: SUBACK comes so late
    `puback`: of events on these topics' ends, else 0               `echo`: whether subscribers hear anything
    """

    connack: int | None = 0
    suback_after_s: float = 0.0
    puback: dict[str, int] = field(default_factory=dict)
    echo: bool = True
    taken: list[tuple[str, bytes]] = field(default_factory=list)  # what was acknowledged with 0
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            if select.select([self._listener], [], [], 0.02)[0]:
                sock, _ = self._listener.accept()
                self.connections += 1
                with sock:
                    self._serve(sock)

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer, self._v5, late = b"", False, []
        while not self._stop.is_set():
            for due in [each for each in late if each[0].is_set()]:
                late.remove(due)
                sock.sendall(due[1])
            if not select.select([sock], [], [], 0.01)[0]:
                continue
            try:
                data = sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while (packet := _packet(buffer)) is not None:
                kind, flags, body, buffer = packet
                if kind == DISCONNECT:
                    return
                for answer in self._answers(kind, flags, body, late):
                    sock.sendall(answer)

    def _answers(self, kind: int, flags: int, body: bytes, late: list[tuple[threading.Event, bytes]]) -> list[bytes]:
        if kind == CONNECT:
            self._v5 = body[6] == 5
            said = self.connack
            return [] if said is None else [_made(CONNACK, 0, bytes([0, said]) + (b"\0" if self._v5 else b""))]
        if kind == PINGREQ:
            return [_made(PINGRESP, 0, b"")]
        if kind == PUBLISH:
            return self._published(flags, body)
        if kind in (SUBSCRIBE, UNSUBSCRIBE):
            mid, rest = body[:2], body[3 + body[2] :] if self._v5 else body[2:]
            count = _filters(rest, options=kind == SUBSCRIBE)
            answer = mid + (b"\0" if self._v5 else b"")
            answer += bytes(count) if self._v5 else (b"\1" * count if kind == SUBSCRIBE else b"")
            made = _made(SUBACK if kind == SUBSCRIBE else UNSUBACK, 0, answer)
            if kind == SUBSCRIBE and self.suback_after_s:
                ready = threading.Event()
                threading.Timer(self.suback_after_s, ready.set).start()
                late.append((ready, made))
                return []
            return [made]
        return []

    def _published(self, flags: int, body: bytes) -> list[bytes]:
        length = struct.unpack(">H", body[:2])[0]
        topic, mid, rest = body[2 : 2 + length].decode(), body[2 + length : 4 + length], body[4 + length :]
        payload = rest[1 + rest[0] :] if self._v5 else rest
        code = next((code for end, code in self.puback.items() if topic.endswith(end)), 0)
        answers = [_made(PUBACK, 0, mid + (bytes([code]) if self._v5 and code else b""))]
        if code == 0:
            self.taken.append((topic, payload))
        if code == 0 and self.echo and "/command/" not in topic:
            copy = struct.pack(">H", length) + topic.encode() + (b"\0" if self._v5 else b"") + payload
            answers.append(_made(PUBLISH, 0, copy))
        return answers

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _packet(buffer: bytes) -> tuple[int, int, bytes, bytes] | None:
    """Kind, flags, body and what is left; None while it is not whole."""
    length = 0
    for place in range(1, min(5, len(buffer))):
        length |= (buffer[place] & 0x7F) << 7 * (place - 1)
        if not buffer[place] & 0x80:
            end = place + 1 + length
            if len(buffer) < end:
                return None
            return buffer[0] >> 4, buffer[0] & 15, buffer[place + 1 : end], buffer[end:]
    return None


def _made(kind: int, flags: int, body: bytes) -> bytes:
    length, left = b"", len(body)
    while True:
        left, low = divmod(left, 128)
        length += bytes([low | (0x80 if left else 0)])
        if not left:
            return bytes([kind << 4 | flags]) + length + body


def _filters(rest: bytes, *, options: bool) -> int:
    count = 0
    while rest:
        rest = rest[2 + struct.unpack(">H", rest[:2])[0] + options :]
        count += 1
    return count
