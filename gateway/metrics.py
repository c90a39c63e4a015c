"""Prometheus: /metrics, and /healthz and /readyz for whoever starts and stops programs. On loopback alone.

What is exported is what the engine answers at the moment of the scrape; nothing is kept here. Base units; moments of
the last success instead of ages, so that a stopped exporter cannot look fresh; labels without persons or reasons. A
value that is not good has no sample: absence is visible, a stand-in is not.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from drivers.base import quantity_of
from drivers.quantities import QUANTITIES
from gateway import __version__
from gateway.moment import NANO, Clock, Moment
from gateway.values import Question

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
ANSWER_S = 2.0  # real seconds for the engine to answer
REQUEST_S = 5.0  # real seconds for a request to come in


# A sink of HJ 212: its name, when its platform last answered, and what was dropped of what came in, by why.
Platform = tuple[str, Moment | None, Mapping[str, int]]


class Scale(NamedTuple):
    suffix: str
    factor: float


# Prometheus wants base units: metres, grams, pascals, ratios.
_SCALES: Mapping[str, Scale] = {
    "dB(A)": Scale("decibels", 1),
    "dB(C)": Scale("decibels", 1),
    "dB(Z)": Scale("decibels", 1),
    "dB": Scale("decibels", 1),
    "ug/m3": Scale("grams_per_cubic_meter", 1e-6),
    "ppm": Scale("ratio", 1e-6),
    "ppb": Scale("ratio", 1e-9),
    "%": Scale("ratio", 0.01),
    "%RH": Scale("ratio", 0.01),
    "degC": Scale("celsius", 1),
    "hPa": Scale("pascals", 100),
    "lx": Scale("lux", 1),
    "mm/s": Scale("meters_per_second", 1e-3),
    "m/s": Scale("meters_per_second", 1),
    "m/s2": Scale("meters_per_second_squared", 1),
    "um": Scale("meters", 1e-6),
    "mm": Scale("meters", 1e-3),
    "Hz": Scale("hertz", 1),
    "deg": Scale("degrees", 1),
    "W/m2": Scale("watts_per_square_meter", 1),
    "V": Scale("volts", 1),
    "A": Scale("amperes", 1),
}
HEARD = "device_last_success_timestamp_seconds"
_STREAMS = ("environment", "gateway")  # custody and screening are not for whoever may scrape


class Silent(Exception):
    """The engine gave no answer in time."""


class Exporter(Collector):
    """Asks the engine at each scrape. `tell` puts a question into its inbox; it answers from its own thread."""

    def __init__(
        self, tell: Callable[[object], None], clock: Clock, platforms: Callable[[], Iterable[Platform]]
    ) -> None:
        self._tell, self._clock, self._platforms = tell, clock, platforms
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return ()  # asked at registering, when no engine runs yet

    def collect(self) -> Iterator[Metric]:
        try:
            status, points = self.ask("status")["status"], self.ask("points")["points"]
        except Silent:
            yield GaugeMetricFamily("venue_up", "Whether the engine answers.", value=0)
            return
        yield GaugeMetricFamily("venue_up", "Whether the engine answers.", value=1)
        now_s = self._clock.now().wall_ns / NANO
        yield from _of_status(status, now_s)
        yield from _of_points(points, now_s, "simulated_venue" if status["simulated"] else "venue")
        yield from _of_platforms(tuple(self._platforms()))

    def ask(self, verb: str) -> Any:
        """Raises Silent."""
        answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._tell(Question(verb, self._clock.now(), {}, answers.put))
        try:
            return answers.get(timeout=ANSWER_S)
        except queue.Empty:
            raise Silent(verb) from None

    def troubles(self) -> list[str]:
        """Why the gateway is not ready: what it is for cannot be done now. Empty when it is. Raises Silent."""
        status = self.ask("status")["status"]
        links = {name: link["state"] for name, link in status["brokers"].items()}
        troubles = [f"link {name}: {state}" for name, state in links.items() if state != "connected"]
        return troubles + [f"storage {name}: {state}" for name, state in status["storage"].items() if state != "ok"]


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _of_status(status: Mapping[str, Any], now_s: float) -> Iterator[Metric]:
    info = GaugeMetricFamily("venue_gateway_info", "Version and venue; always 1.", labels=["venue", "version"])
    info.add_metric([status["venue"], __version__], 1)
    yield info
    synchronised = float(status["clock"] == "synchronised")
    yield GaugeMetricFamily("venue_clock_synchronised", "Whether a time source sets the clock.", value=synchronised)
    yield GaugeMetricFamily("venue_alarms", "Alarms that stand.", value=status["alarms"])
    yield GaugeMetricFamily(
        "venue_alarms_unacknowledged", "Alarms that nobody has acknowledged.", value=status["unacknowledged"]
    )
    waiting = status["last_event"] - status["stored"]
    yield GaugeMetricFamily("venue_events_not_stored", "Events that are not on the card yet.", value=waiting)
    links = status["brokers"]
    connected = {name: float(link["state"] == "connected") for name, link in links.items()}
    yield _gauge("venue_sink_connected", "Whether the far side is reached.", "sink", connected)
    back = {name: now_s - link["canary_age_s"] for name, link in links.items() if "canary_age_s" in link}
    text = "When a message of our own last came back through the broker, or a platform answered."
    yield _gauge("venue_sink_last_success_timestamp_seconds", text, "sink", back)
    well = {name: float(state == "ok") for name, state in status["storage"].items()}
    yield _gauge("venue_storage_healthy", "Whether the card takes this part of the record.", "store", well)


def _of_points(points: Iterable[Mapping[str, Any]], now_s: float, root: str) -> Iterator[Metric]:
    """Played values have names of their own: whoever scrapes this port never takes them for the venue's."""
    families: dict[str, GaugeMetricFamily] = {}
    heard: dict[str, float] = {}
    for seen in points:
        device, _, name = seen["point"].partition("/")
        quantity = quantity_of(name)
        if quantity is None or QUANTITIES[quantity].stream not in _STREAMS:  # a statistic has no quantity of its own
            continue
        if seen["silent_s"] is not None and seen["valid"]:
            heard[device] = max(heard.get(device, 0.0), now_s - seen["silent_s"])
        scale = _SCALES.get(QUANTITIES[quantity].unit)
        if scale is None or seen["quality"] != "good" or seen["value"] is None:
            continue
        title = f"{root}_{quantity}_{scale.suffix}"
        if title not in families:
            families[title] = GaugeMetricFamily(title, QUANTITIES[quantity].en, labels=["device", "point"])
        families[title].add_metric([device, name], seen["value"] * scale.factor)
    yield from families.values()
    text = "When a device last gave a good value."
    yield _gauge(f"{root}_{HEARD}", text, "device", heard)


def _of_platforms(platforms: tuple[Platform, ...]) -> Iterator[Metric]:
    answered = {sink: proven.wall_ns / NANO for sink, proven, _ in platforms if proven is not None}
    text = "When a platform of HJ 212 last answered something of ours."
    yield _gauge("venue_platform_last_success_timestamp_seconds", text, "sink", answered)
    dropped = CounterMetricFamily(
        "venue_platform_frames_dropped", "What came from a platform and was not right.", labels=["sink"]
    )
    for sink, _, counts in platforms:
        dropped.add_metric([sink], sum(counts.values()))
    yield dropped


# ---- the server -------------------------------------------------------------------------------------------------


class MetricsServer:
    """Answers GET on loopback until told to stop."""

    def __init__(self, exporter: Exporter, port: int) -> None:
        self._exporter, self._port = exporter, port

    def run(self, stop: threading.Event) -> None:
        """Raises OSError when the port is taken; whoever runs it tries again."""
        with ThreadingHTTPServer((HOST, self._port), _handler(self._exporter)) as server:
            server.daemon_threads = True
            server.timeout = 0.5
            while not stop.is_set():
                server.handle_request()


def _handler(exporter: Exporter) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_S

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._send(HTTPStatus.OK, generate_latest(exporter.registry), CONTENT_TYPE_LATEST)
            elif self.path in ("/healthz", "/readyz"):
                self._health(ready=self.path == "/readyz")
            else:
                self._send(HTTPStatus.NOT_FOUND, b"/metrics /healthz /readyz\n")

        def _health(self, *, ready: bool) -> None:
            try:
                troubles = exporter.troubles()
            except Silent:
                self._send(HTTPStatus.SERVICE_UNAVAILABLE, b"the engine does not answer\n")
                return
            if ready and troubles:
                self._send(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join([*troubles, ""]).encode())
            else:
                self._send(HTTPStatus.OK, b"ok\n")

        def _send(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
            """Requests are not logged."""

        def version_string(self) -> str:
            return "venue-gateway"

    return Handler
