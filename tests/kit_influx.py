"""F-TSDB: a small server that speaks InfluxDB 2's write API, with scripted faults; and Debian's victoria-metrics."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from kit_mqtt import free_port, until

ROOT = Path(__file__).parent.parent
TOKEN = "t0p-secret-token"
Point = tuple[str, tuple[tuple[str, str], ...], str, int]  # measurement, tags, field, ms

_PART = re.compile(r"(?:[^\\, =]|\\.)+")


class BadLine(Exception):
    """Not line protocol."""


def parse(line: str) -> dict[Point, float]:
    """The fields of one line. Strict: floating point alone, milliseconds, sorted tags without empty ones."""
    match = re.fullmatch(r"((?:[^\\ ]|\\.)+) ((?:[^\\ ]|\\.)+) (\d{13})", line)
    if match is None:
        raise BadLine(line)
    measurement, *tagged = re.split(r"(?<!\\),", match[1])
    tags = []
    for each in tagged:
        key, value = re.split(r"(?<!\\)=", each)
        if not key or not value:
            raise BadLine(line)
        tags.append((key, _plain(value)))
    if tags != sorted(tags):
        raise BadLine(line)
    found = {}
    for each in re.split(r"(?<!\\),", match[2]):
        key, value = re.split(r"(?<!\\)=", each)
        if not re.fullmatch(r"-?\d+\.\d+(e[+-]?\d+)?|-?\d+e[+-]?\d+", value):
            raise BadLine(line)
        found[(measurement, tuple(tags), _plain(key), int(match[3]))] = float(value)
    return found


def _plain(text: str) -> str:
    return re.sub(r"\\([, =])", r"\1", text)


class Influx:
    """Keeps points as a database does: by measurement, tags, field and time. What goes wrong is scripted:

    `fault`: a status, "hang", "cut" (before it is kept), "kept-then-cut" (the answer is lost), "proxy" (a page, 400)
    `poison`: a line with this text makes the whole request a 400, and nothing of it is kept
    `integers`: fields that exist as integers: such lines are dropped, the others kept (422, partial write)
    `oldest_ms`: what is older is dropped likewise
    `largest`: requests of more lines are a 413
    `certificate`: two files, the certificate and its key: https
    """

    def __init__(self, port: int = 0, certificate: tuple[Path, Path] | None = None) -> None:
        self.points: dict[Point, float] = {}
        self.written = 0  # fields, repeated ones counted again
        self.requests: list[int] = []  # the answers' statuses
        self.bodies: list[bytes] = []  # as they came over the wire
        self.received = 0  # bytes of them
        self.fault: int | str | None = None
        self.poison: str | None = None
        self.integers: frozenset[str] = frozenset()
        self.oldest_ms = 0
        self.largest = 100_000
        self.headers: dict[str, str] = {}  # added to every fault
        self.token = TOKEN
        self._over = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                with contextlib.suppress(ssl.SSLError):  # a client that does not trust us
                    super().handle()

            def do_POST(self) -> None:
                owner._serve(self)

            def log_message(self, *_: object) -> None:
                """The tests look at what was kept."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if certificate is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def values(self, measurement: str, field: str) -> dict[int, float]:
        """By time, of all devices."""
        return {at: value for (m, _, f, at), value in self.points.items() if (m, f) == (measurement, field)}

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if self.fault == "hang":
            self._over.wait(30)
        if self.fault in ("hang", "cut"):
            return self._cut(request)
        status, answer = self._judge(request, body)
        if self.fault == "kept-then-cut":
            return self._cut(request)
        self.requests.append(status)
        self.bodies.append(body)
        self.received += len(body)
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)
        return None

    def _cut(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(0)
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    def _judge(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        if isinstance(self.fault, int):
            return self.fault, _error("fault", "scripted")
        if self.fault == "proxy":
            return 400, b"<html><body>400 Bad Request</body></html>"
        wanted = {"org": ["bureau"], "bucket": ["venues"], "precision": ["ms"]}
        target = urlsplit(request.path)
        if (target.path, parse_qs(target.query)) != ("/api/v2/write", wanted):
            return 404, _error("not found", f"bucket not found: {request.path}")
        if request.headers["Authorization"] != f"Token {self.token}":
            return 401, _error("unauthorized", "unauthorized access")
        if request.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        return self._keep(body.decode().split("\n"))

    def _keep(self, lines: list[str]) -> tuple[int, bytes]:
        if len(lines) > self.largest:
            return 413, b"<html>Request Entity Too Large</html>"
        try:
            parsed = [parse(line) for line in lines]
        except (BadLine, ValueError) as error:
            return 400, _error("invalid", f"unable to parse '{error}'")
        if self.poison is not None and any(self.poison in line for line in lines):
            return 400, _error("invalid", "unable to parse: poison")
        dropped = 0
        for points in parsed:
            if any(f in self.integers or at < self.oldest_ms for (_, _, f, at) in points):
                dropped += 1
                continue
            self.points |= points
            self.written += len(points)
        if dropped:
            text = f"failure writing points to database: partial write: field type conflict dropped={dropped}"
            return 422, _error("unprocessable entity", text)
        return 204, b""

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _error(code: str, message: str) -> bytes:
    return json.dumps({"code": code, "message": message}).encode()


class Counting(Influx):
    """Counts lines, each once, and keeps none: for long runs."""

    def __init__(self, port: int) -> None:
        self.seen: set[int] = set()
        super().__init__(port)

    def _keep(self, lines: list[str]) -> tuple[int, bytes]:
        self.seen.update(map(hash, lines))
        return 204, b""


class VictoriaMetrics:
    """Debian's, as a child process: takes the v2 client at its root, keeps points, gives them back."""

    program = shutil.which("victoria-metrics") or shutil.which("victoria-metrics", path=ROOT / "build")

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [
            self.program or "",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={folder / 'metrics'}",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=64MB",
        ]
        self._log = folder / "metrics.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, 20, f"victoria-metrics; its log: {self._log}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def series(self, match: str) -> list[dict[str, Any]]:
        """What is kept, as `/api/v1/export` gives it."""
        self._get("/internal/force_flush")
        lines = self._get(f"/api/v1/export?match[]={match}").decode().splitlines()
        return [json.loads(line) for line in lines]

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return bytes(answer.read())

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            return self._get("/health") == b"OK"
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
