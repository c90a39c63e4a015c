"""Delivery to InfluxDB: a server of our own with scripted faults, and victoria-metrics."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asyncapi import document
from kit_clock import Believing
from kit_influx import TOKEN, Influx, VictoriaMetrics
from kit_memory import BLOCK_MS, MemoryJournal, MemoryMinutes, MemoryReadings
from kit_mqtt import free_port, running, until
from kit_tls import Authority

from drivers.base import Quality
from gateway.configuration import config
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import Minute
from gateway.journal.chain import Chain, Identity, new_run
from gateway.moment import NANO, Clock, ClockState, Moment, SystemClock
from gateway.sinks.influx import InfluxSink, Sources
from gateway.sinks.line_protocol import Labels, line, of_events, of_minutes, of_readings
from gateway.sinks.quarantine import Quarantine
from gateway.sinks.supply import Cursors
from gateway.sinks.telemetry import LATE_BLOCKS, LATE_PARCELS, LIVE_BLOCKS
from gateway.values import PointsRefused, Reading, Readings, SinkState

ZONE = ZoneInfo("Asia/Shanghai")
START = Moment(1_780_800_000_123_456_789, 1)
LABELS = Labels("zj-no1", {"gate-noise": "north gate"}, frozenset({"environment"}))
FIELDS = dict(document()["components"]["messages"]["event"]["examples"][0]["payload"])


def reading(point: str, value: float | None, at: Moment = START, quality: Quality = Quality.GOOD) -> Readings:
    return Readings(point.partition("/")[0], (Reading(point, value, quality, at),))


LINES = [
    # what was read -> what is written
    (reading("gate-noise/laf", 58.4), r"noise,device=gate-noise,place=north\ gate,venue=zj-no1 laf=58.4 1780800000123"),
    (reading("hall/temperature_2", 21), "climate,device=hall,venue=zj-no1 temperature_2=21.0 1780800000123"),
    (reading("hall/pm2_5", 1e-7), "air,device=hall,venue=zj-no1 pm2_5=1e-07 1780800000123"),
    (reading("a,b=c d\\/laf", -0.5), r"noise,device=a\,b\=c\ d,venue=zj-no1 laf=-0.5 1780800000123"),
    (reading("gate-noise/laf", None, quality=Quality.MISSING), None),
    (reading("gate-noise/laf", 58.4, quality=Quality.SUSPECT), None),
    (reading("gate-noise/laf", 58.4, quality=Quality.INVALID), None),
    (reading("gate-noise/laf", float("nan")), None),
    (reading("entry/body_temperature", 36.6), None),  # screening was not named
    (reading("ups/charge", 90.0), None),  # nor was gateway
    (
        reading("gate-noise/laf", 58.4, Moment(START.wall_ns, 1, ClockState.FLOOR)),
        r"noise,device=gate-noise,place=north\ gate,venue=zj-no1 clock_unset=1.0,laf=58.4 1780800000123",
    ),
]


@pytest.mark.parametrize(("read", "written"), LINES)
def test_a_reading_is_a_point(read: Readings, written: str | None) -> None:
    """D5: fields are floating point whatever was read; what is not good, or of a stream that was not named, stays."""
    assert ([] if written is None else [written]) == of_readings([read], LABELS)


def test_points_of_one_moment_are_one_line() -> None:
    """All points of a device at one moment, a line for each measurement."""
    at = {"quality": Quality.GOOD, "at": START}
    answer = Readings("hall", tuple(Reading(f"hall/{n}", 1.0, **at) for n in ("temperature", "humidity", "co2")))

    assert [
        "climate,device=hall,venue=zj-no1 temperature=1.0,humidity=1.0 1780800000123",
        "air,device=hall,venue=zj-no1 co2=1.0 1780800000123",
    ] == of_readings([answer], LABELS)


def test_text_that_would_break_a_line_does_not() -> None:
    """A place with every awkward sign stays one tag of one line."""
    assert [r"m,a=x\ \ y\,z\=1\ 门 f=1.0 5"] == line("m", {"a": "x\n\ty,z=1 门\\", "b": " "}, {"f": 1}, 5).split("\n")


def minutes(**values: tuple[float, ...]) -> list[Minute]:
    """The records of the first 3 s of a minute in which every point was due once a second."""
    start = Moment(1_780_800_000 * NANO, NANO)
    maker = MinuteMaker({"hall": 1.0})
    for name, series in values.items():
        for second, value in enumerate(series):
            maker.add(Reading(f"hall/{name}", value, Quality.GOOD, start.after(second)))
    return maker.close(start.after(70))


MINUTES = [
    (
        {"laf": (50.0, 60.0, 60.0)},
        """noise valid=0.05 laf_valid_1min=0.05 laf_eq_1min=58.45 laf_max_sampled_1min=60.0 laf_min_sampled_1min=50.0
        laf_l10_1min=60.0 laf_l50_1min=60.0 laf_l90_1min=50.0 laf_l95_1min=50.0""",
    ),
    ({"lamax": (50.0, 61.0)}, "noise valid=0.033333 lamax_valid_1min=0.033333 lamax_max_1min=61.0"),
    ({"lamin": (50.0, 61.0)}, "noise valid=0.033333 lamin_valid_1min=0.033333 lamin_min_1min=50.0"),
    (
        {"co2": (400.0, 500.0), "pm10": (7.0,)},
        """air valid=0.016667 co2_valid_1min=0.033333 co2_mean_1min=450.0 co2_max_1min=500.0 co2_min_1min=400.0
        pm10_valid_1min=0.016667 pm10_mean_1min=7.0 pm10_max_1min=7.0 pm10_min_1min=7.0""",
    ),
    ({"rain": (1.0, 2.5)}, "weather valid=0.033333 rain_valid_1min=0.033333 rain_last_1min=2.5"),
    ({"laf": (float("nan"),)}, "noise valid=0.0 laf_valid_1min=0.0"),
]


@pytest.mark.parametrize(("values", "said"), MINUTES)
def test_a_minute_is_a_point(values: dict[str, tuple[float, ...]], said: str) -> None:
    """Energy means of levels, arithmetic ones of the rest, and always the share of samples behind them."""
    records = minutes(**values)
    measurement, *fields = said.split()

    assert [f"{measurement},device=hall,venue=zj-no1 {','.join(fields)} 1780800000000"] == of_minutes(records, LABELS)
    assert [] == of_minutes(records, Labels("zj-no1", {}, frozenset({"gateway"})))


EVENTS = [
    # stream, kind, state, condition -> measurement and fields, where custody and gateway are named
    ("custody", "leak", "active_unacknowledged", True, "contact", "condition=1.0,unacknowledged=1.0"),
    ("custody", "line", "latched_acknowledged", False, "contact", "condition=0.0,unacknowledged=0.0"),
    ("gateway", "power", "active_acknowledged", True, "contact", "condition=1.0,unacknowledged=0.0"),
    ("gateway", "link", "cleared_unacknowledged", False, "gateway", "condition=0.0,unacknowledged=1.0"),
    ("environment", "noise", "active_unacknowledged", True, None, ""),
]


def test_a_drill_is_said_to_be_one(tmp_path: Path) -> None:
    """A press of a drill never looks like a leak in the database."""
    chain = Chain(new_run(), "zj-no1", 0, {}, Identity.open(tmp_path, START))
    said = FIELDS | {"alarm": "leak", "kind": "leak", "state": "active_unacknowledged", "condition": True}
    events = [chain.make("custody", said | {"time": START.text(), "drill": drill}, at=START) for drill in (True, False)]
    drilled, real = of_events(events, Labels("zj-no1", {}, frozenset({"custody"})))

    assert ",drill=1.0 " in drilled
    assert "drill" not in real


@pytest.mark.parametrize(("stream", "kind", "state", "condition", "measurement", "fields"), EVENTS)
def test_an_event_is_a_point(
    tmp_path: Path, stream: Any, kind: str, state: str, condition: bool, measurement: str | None, fields: str
) -> None:
    """Contacts and the gateway's own alarms, each where its stream is named and nowhere else."""
    chain = Chain(new_run(), "zj-no1", 0, {}, Identity.open(tmp_path, START))
    said = FIELDS | {"alarm": "door", "kind": kind, "state": state, "condition": condition, "place": "room 1"}
    said |= {"time": START.text()}
    event = chain.make(stream, said, at=START)
    at_ms = 1780800000123
    wanted = [] if measurement is None else [rf"{measurement},device=door,place=room\ 1,venue=zj-no1 {fields} {at_ms}"]

    assert wanted == of_events([event], Labels("zj-no1", {}, frozenset({"custody", "gateway", "environment"})))
    assert [] == of_events([event], Labels("zj-no1", {}, frozenset({"screening"})))


# ---- delivery -----------------------------------------------------------------------------------------------------


class Venue:
    """A sink with a journal in memory."""

    def __init__(self, folder: Path, url: str, clock: Clock | None = None, **more: Any) -> None:
        self.folder, self.clock, self.journal = folder, clock or SystemClock(), MemoryJournal()
        self.told: list[Any] = []
        token = folder / "token"
        token.write_text(f"{TOKEN}\n")
        self.settings = config.InfluxDb(
            **{"url": url, "org": "bureau", "bucket": "venues", "token_file": str(token), "backlog_rate": 0} | more
        )
        self.chain = Chain(new_run(), "zj-no1", 0, {}, Identity.open(folder, START))

    def sink(self, labels: Labels = LABELS) -> InfluxSink:
        return InfluxSink(
            self.settings,
            labels,
            Sources(lambda: self.journal, lambda: MemoryReadings(self.journal), lambda: MemoryMinutes(self.journal)),
            Cursors(self.journal.advance, self.journal.advance_readings),
            Quarantine(self.folder / "quarantine"),
            clock=self.clock,
            tell=self.told.append,
        )

    @contextlib.contextmanager
    def delivering(self, labels: Labels = LABELS) -> Iterator[None]:
        with running(self.sink(labels).run):
            yield

    def read(self, count: int, *, devices: int = 4) -> None:
        """Blocks of 4 s at 1 Hz."""
        for _ in range(count):
            block = len(self.journal.blocks)
            self.journal.blocks.append(
                [
                    reading(f"meter-{device}/laf", 40.0 + device, START.after(4 * block + second))
                    for second in range(4)
                    for device in range(devices)
                ]
            )

    def ledger(self) -> dict[Any, float]:
        """What a database that has it all holds."""
        return {
            (
                "noise",
                (("device", answer.device), ("venue", "zj-no1")),
                "laf",
                each.at.wall_ns // 1_000_000,
            ): each.value
            for block in self.journal.blocks
            for answer in block
            for each in answer.readings
            if each.value is not None
        }

    def done(self) -> bool:
        return self.journal.reading_cursors.get("influxdb") == self.journal.newest_place

    def states(self) -> list[str]:
        return [each.state for each in self.told if isinstance(each, SinkState)]

    def detail(self) -> str:
        return str(next(each.detail for each in reversed(self.told) if isinstance(each, SinkState)))

    def quarantined(self) -> list[dict[str, str]]:
        file = self.folder / "quarantine"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that only cost a test its time."""
    monkeypatch.setattr("gateway.sinks.influx.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("gateway.sinks.influx.RATE_EVERY_S", 0.02)
    monkeypatch.setattr("gateway.sinks.influx.AGAIN_S", 0.05)
    monkeypatch.setattr("gateway.sinks.influx.FIRST_DELAY_S", 0.01)
    monkeypatch.setattr("gateway.sinks.influx.LAST_DELAY_S", 0.02)


@pytest.fixture
def server() -> Iterator[Influx]:
    with Influx() as server:
        yield server


@pytest.fixture
def venue(tmp_path: Path, server: Influx) -> Venue:
    return Venue(tmp_path, server.url)


def test_every_reading_arrives_compressed(venue: Venue, server: Influx) -> None:
    """The ledger is equal, the cursors follow, and what goes over the wire is small."""
    venue.read(60)
    with venue.delivering():
        until(venue.done, 20)

    assert venue.ledger() == server.points
    assert ["connecting", "connected", "stopped"] == venue.states()
    assert sum(map(len, server.bodies)) < 15 * len(server.points)


FAULTS = [
    # what happens to the server while readings wait -> the state, its words
    (500, "unreachable", "cannot take anything now"),
    (503, "unreachable", "cannot take anything now"),
    (429, "unreachable", "cannot take anything now"),
    ("cut", "unreachable", "broke"),
    ("kept-then-cut", "unreachable", "broke"),
    ("hang", "unreachable", "does not answer"),
    (401, "refused", "does not accept the token"),
    (403, "refused", "may not write"),
    (404, "refused", "no such bucket"),
    (301, "refused", "is the address right"),
    ("proxy", "refused", "is the address right"),
]


@pytest.mark.parametrize(("fault", "state", "words"), FAULTS)
def test_whatever_the_server_does_nothing_is_lost(
    venue: Venue, server: Influx, monkeypatch: pytest.MonkeyPatch, fault: Any, state: str, words: str
) -> None:
    """D1, D2, D6, D7: tried again until it is taken; a refusal for a person to mend is told from an outage."""
    monkeypatch.setattr("gateway.sinks.influx.REFUSED_DELAY_S", 0.02)
    if fault == "hang":
        monkeypatch.setattr("gateway.sinks.influx_client.ANSWER_S", 0.3)
    venue.read(3)
    server.fault = fault
    with venue.delivering():
        until(lambda: state in venue.states(), 20)
        until(lambda: len(server.requests) > 2 or fault == "hang", 20)
        told = venue.detail()
        venue.read(30)
        server.fault = None
        until(venue.done, 20)

    assert words in told
    assert venue.ledger() == server.points
    assert [] == venue.quarantined()
    assert venue.states()[-2] == "connected"


def test_a_wrong_token_is_tried_slowly_and_read_anew(venue: Venue, server: Influx) -> None:
    """D7: one request and then a long rest; a file that was corrected is taken up without a restart."""
    server.token = "another"
    venue.read(1)
    with venue.delivering():
        until(lambda: "refused" in venue.states(), 20)
        threading.Event().wait(0.4)

        assert [401] == server.requests
        assert TOKEN not in venue.detail()


TOKENS = [
    (None, "cannot be read"),
    ("", "holds no token"),
    ("two words", "holds no token"),
    ("ключ", "holds no token"),
]


@pytest.mark.parametrize(("token", "words"), TOKENS)
def test_a_token_file_that_is_of_no_use_is_named(venue: Venue, server: Influx, token: str | None, words: str) -> None:
    """D7: nothing is sent without a token, and the file is named."""
    file = Path(venue.settings.token_file)
    file.unlink()
    if token is not None:
        file.write_text(token)
    venue.read(1)
    with venue.delivering():
        until(lambda: "refused" in venue.states(), 20)

        assert (True, True, []) == (words in venue.detail(), str(file) in venue.detail(), server.requests)


def test_a_server_that_asks_for_rest_gets_it(venue: Venue, server: Influx) -> None:
    """429 and 503 name a time: no request before it is over."""
    server.fault, server.headers = 429, {"Retry-After": "30"}
    venue.read(1)
    with venue.delivering():
        until(lambda: "unreachable" in venue.states(), 20)
        threading.Event().wait(0.4)

        assert [429] == server.requests


def test_no_server_and_no_name(tmp_path: Path) -> None:
    """Nobody listening, and a name that nobody knows, each in words; it stops at once when asked."""
    for url, words in ((f"http://127.0.0.1:{free_port()}", "Connection refused"), ("http://x.invalid", "name in")):
        venue = Venue(tmp_path, url)
        venue.read(1)
        with venue.delivering():
            until(lambda venue=venue: "unreachable" in venue.states(), 20)

            assert words in venue.detail()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


SECURE = [
    # the server's certificate, what the configuration names as ca, our clock -> the state, its words
    ("good", "ours", "synchronised", "connected", "https://"),
    ("good", "good", "synchronised", "connected", "https://"),  # pinned: the server's own
    ("good", "foreign", "synchronised", "bad-certificate", "comes from an authority that we do not know"),
    ("good", None, "synchronised", "bad-certificate", "comes from an authority that we do not know"),  # the system's
    ("good", "missing", "synchronised", "bad-certificate", "missing.pem cannot be used: No such file"),
    ("expired", "ours", "synchronised", "bad-certificate", "has expired"),
    ("expired", "ours", "unsynchronised", "bad-clock", "is not valid at our time"),
    ("future", "ours", "synchronised", "bad-clock", "is not valid at our time"),
    ("other-name", "ours", "synchronised", "bad-certificate", "made out for another name"),
    (None, "ours", "synchronised", "bad-certificate", "no secure connection"),  # it speaks http at this port
]


@pytest.mark.parametrize(("certificate", "ca", "clock", "state", "words"), SECURE)
def test_https_trusts_nobody_by_mistake(
    tmp_path: Path, authority: Authority, certificate: str | None, ca: str | None, clock: str, state: str, words: str
) -> None:
    """C13: chain, name and time are verified, each failure has its words; nothing is sent before and nothing lost."""
    files = None if certificate is None else (authority.cert(certificate), authority.key(certificate))
    named = None if ca is None else str(authority.ca(ca))
    with Influx(certificate=files) as server:
        venue = Venue(tmp_path, f"https://127.0.0.1:{server.port}", Believing(ClockState(clock)), ca=named)
        venue.read(2)
        with venue.delivering():
            until(lambda: set(venue.states()) - {"connecting"}, 20)

            assert (state, True) == (venue.states()[-1], words in venue.detail())

            if state == "connected":
                until(venue.done, 20)
        assert (venue.ledger() if state == "connected" else {}) == server.points
        assert [] == venue.quarantined()


def test_what_waited_for_a_certificate_arrives_when_it_is_mended(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C13: the file that `ca` names is read anew at every try, without a restart."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.ca("foreign").read_bytes())
    with Influx(certificate=(authority.cert("good"), authority.key("good"))) as server:
        venue = Venue(tmp_path, server.url, ca=str(ca))
        venue.read(3)
        with venue.delivering():
            until(lambda: "bad-certificate" in venue.states(), 20)
            ca.write_bytes(authority.ca("ours").read_bytes())
            until(venue.done, 20)

        assert venue.ledger() == server.points


def test_one_bad_point_does_not_poison_the_rest(venue: Venue, server: Influx) -> None:
    """D4: requests are halved until the bad point is alone; it is put aside with its reason, all others arrive."""
    venue.read(60)
    bad = {key for key in venue.ledger() if key[3] % 60_000 == 7_123 and key[1][0][1] == "meter-2"}
    server.poison = "meter-2,venue=zj-no1 laf=42.0 17808000071"
    with venue.delivering():
        until(venue.done, 20)
    refused = [each for each in venue.told if isinstance(each, PointsRefused)]

    assert len(bad) >= 1
    assert {key: v for key, v in venue.ledger().items() if key not in server.points}.keys() <= bad
    assert [("noise,device=meter-2,venue=zj-no1 laf=42.0 1780800007123", "unable to parse: poison")] == [
        (each["line"], each["reason"]) for each in venue.quarantined()
    ]
    assert [("influxdb", 1, "unable to parse: poison")] == [(e.sink, e.count, e.reason) for e in refused]


def test_points_that_the_server_drops_by_itself_cost_no_search(venue: Venue, server: Influx) -> None:
    """D4, D5: where the server says how many it dropped and that is all, they are put aside at once and told once."""
    venue.read(50)
    server.integers = frozenset({"laf"})
    with venue.delivering():
        until(venue.done, 20)

    assert {} == server.points
    assert 800 == len(venue.quarantined())
    assert len(server.requests) < 20
    assert 1 == len([each for each in venue.told if isinstance(each, PointsRefused)])


def test_what_is_older_than_the_bucket_keeps_is_passed_over(venue: Venue, server: Influx) -> None:
    """D4: a boundary within a request is found by halving; everything younger is there."""
    venue.read(50)
    server.oldest_ms = START.wall_ns // 1_000_000 + 77_000
    with venue.delivering():
        until(venue.done, 20)

    assert {key: value for key, value in venue.ledger().items() if key[3] >= server.oldest_ms} == server.points
    assert len(venue.ledger()) - len(server.points) == len(venue.quarantined())


def test_requests_that_are_too_large_are_cut(venue: Venue, server: Influx) -> None:
    """A proxy that takes no more than so much: halves of halves arrive."""
    venue.read(6)
    server.largest = 11
    with venue.delivering():
        until(venue.done, 20)

    assert venue.ledger() == server.points
    assert [] == venue.quarantined()


def test_points_are_written_once_however_often_they_are_sent(venue: Venue, server: Influx) -> None:
    """D6: the same time, tags and fields: sending all of it three times over makes not one point more."""
    venue.read(20)
    for _ in range(3):
        venue.journal.reading_cursors.clear()
        with venue.delivering():
            until(venue.done, 20)

    assert venue.ledger() == server.points
    assert server.written == 3 * len(server.points)


def test_live_readings_go_before_the_backlog_and_the_backlog_at_its_rate(tmp_path: Path, server: Influx) -> None:
    """The newest minute first; a backlog that has a rate leaves no faster."""
    venue = Venue(tmp_path, server.url, backlog_rate=100)
    venue.read(100)
    began = time.monotonic()
    with venue.delivering():
        until(lambda: len(server.bodies) >= 2, 20)
        threading.Event().wait(0.3)
        late, took_s = len(server.points) - LIVE_BLOCKS * 16, time.monotonic() - began
    first = {int(line.split()[-1]) for line in gzip.decompress(server.bodies[0]).decode().splitlines()}

    assert min(first) == START.wall_ns // 1_000_000 + 4 * (100 - LIVE_BLOCKS) * 1000
    assert 0 < late <= 100 * (1 + took_s) + LATE_BLOCKS * 16


def test_events_are_written_where_their_stream_is_named(venue: Venue, server: Influx) -> None:
    """Custody is secret unless it is named; the cursor passes over what is not written."""
    for stream in ("custody", "environment", "gateway"):
        said = FIELDS | {"alarm": f"a-{stream}", "kind": "other" if stream == "custody" else "link"}
        venue.journal.events.append(venue.chain.make(stream, said, at=START))
    for labels, written in ((LABELS, set()), (Labels("zj-no1", {}, frozenset({"gateway"})), {"a-gateway"})):
        venue.journal.cursors.clear()
        with venue.delivering(labels):
            until(lambda: venue.journal.cursors.get("influxdb") == 3, 20)

        assert written == {dict(tags)["device"] for _, tags, _, _ in server.points}


def test_an_outage_is_not_kept_in_memory(venue: Venue, server: Influx) -> None:
    """D3: while the server is away a few blocks are held, however much the record grows; then all arrives."""
    server.fault = 503
    sink = venue.sink()
    most = 0
    with running(sink.run):
        for _ in range(4):
            venue.read(50)
            seen = len(server.requests)
            until(lambda seen=seen: len(server.requests) > seen + 3, 20)
            most = max(most, held(sink))
        server.fault = None
        until(venue.done, 20)
    line_bytes = len(b"noise,device=meter-0,venue=zj-no1 laf=40.0 1780800000123") + 1

    assert line_bytes <= most <= (LIVE_BLOCKS + LATE_PARCELS * LATE_BLOCKS) * 16 * line_bytes
    assert (0, venue.ledger()) == (held(sink), server.points)


def held(sink: InfluxSink) -> int:
    return sum(len(message.payload) for parcel in sink._telemetry._parcels for message in parcel.waiting)


def test_minutes_arrive_with_their_block_and_outlive_it(venue: Venue, server: Influx) -> None:
    """Minute records go with the readings that they were kept with, and where the readings were thinned, alone."""
    (record,) = minutes(co2=(400.0, 500.0))
    venue.read(40)
    later = range(30 * BLOCK_MS, 60 * BLOCK_MS, BLOCK_MS)
    venue.journal.minutes = {at: [replace(record, start_s=record.start_s + 60 * at)] for at in later}
    with venue.delivering():
        until(lambda: venue.journal.reading_cursors.get("influxdb") == later[-1], 20)

    assert {(record.start_s + 60 * at) * 1000: 450.0 for at in later} == server.values("air", "co2_mean_1min")
    assert venue.ledger() == {key: value for key, value in server.points.items() if key[0] == "noise"}


def test_a_minute_that_was_lived_twice_is_one_point_of_both(venue: Venue, server: Influx) -> None:
    """E1: a further record of a minute (a late reading, the clock set back) does not overwrite the first by its own."""
    (first,) = minutes(laf=(50.0,) * 3)
    (second,) = minutes(laf=(60.0,))
    venue.journal.minutes = {BLOCK_MS: [first], 2 * BLOCK_MS: [replace(second, due=1, set_aside={})]}
    venue.read(2)
    with venue.delivering():
        until(venue.done, 20)

    assert [55.12] == list(server.values("noise", "laf_eq_1min").values())
    assert [60.0] == list(server.values("noise", "laf_max_sampled_1min").values())
    assert [round(4 / 61, 6)] == list(server.values("noise", "laf_valid_1min").values())


def test_a_record_that_cannot_be_read_is_asked_again(venue: Venue, server: Influx) -> None:
    """A card that stalls or fails delays and loses nothing."""
    broken = 3
    real = venue.journal.after

    def after(number: int, limit: int) -> Any:
        nonlocal broken
        if broken:
            broken -= 1
            raise OSError(5, "Input/output error")
        return real(number, limit)

    venue.journal.after = after  # type: ignore[method-assign]
    venue.read(5)
    with venue.delivering():
        until(venue.done, 20)

    assert (0, venue.ledger()) == (broken, server.points)


def test_the_quarantine_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files at most, the newest lines among them; nobody else may read them."""
    monkeypatch.setattr("gateway.sinks.quarantine.MOST_BYTES", 1000)
    quarantine = Quarantine(tmp_path / "q")
    for number in range(100):
        quarantine.put([f"line {number}"], "reason", START)

    assert {"q", "q.1"} == {path.name for path in tmp_path.iterdir()}
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert "line 99" == json.loads((tmp_path / "q").read_text().splitlines()[-1])["line"]
    assert 0 == (tmp_path / "q").stat().st_mode & 0o007


@pytest.mark.skipif(VictoriaMetrics.program is None, reason="victoria-metrics is neither installed nor in build/")
def test_a_real_database_gives_back_what_was_read(tmp_path: Path) -> None:
    """D6: a round trip through Debian's victoria-metrics, after sending everything twice: values, times and tags."""
    with VictoriaMetrics(tmp_path) as database:
        venue = Venue(tmp_path, database.url)
        venue.read(30, devices=2)
        for _ in range(2):
            venue.journal.reading_cursors.clear()
            with venue.delivering():
                until(venue.done, 20)
        found = {
            ("noise", (("device", each["metric"]["device"]), ("venue", each["metric"]["venue"])), "laf", at): value
            for each in database.series('{__name__="noise_laf"}')
            for at, value in zip(each["timestamps"], each["values"], strict=True)
        }

    assert venue.ledger() == found


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_thirteen_hours_away_cost_no_memory(tmp_path: Path) -> None:
    """D2, D3, C9: broker and database away with 13 h of readings owed, then both back: flat memory, quick presses."""
    from benchmarks.drain import outage

    found = outage(tmp_path, 13 * 3600 * 16, away_s=60.0)
    settled = found.away_mib[len(found.away_mib) // 3 :]

    assert max(settled) - min(settled) < 4.0
    assert max(found.drain_mib) - max(settled) < 24.0
    assert (found.backlog, found.backlog) == (found.mqtt, found.fields)
    assert max(found.presses_ms) < 1000
