"""Home Assistant and Prometheus: what they are told is by their own rules, true, and nothing secret."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment
from kit_engine import VENUE
from kit_mqtt import Broker, Listener, free_port, until
from kit_process import Gateway, bus, meter, venue

from drivers.base import Quality
from gateway import payloads
from gateway.assembly import Plan
from gateway.calendar import Calendar
from gateway.configuration.config import Config
from gateway.metrics import HEARD, _of_points
from gateway.moment import NANO, Moment
from gateway.payloads import Origin
from gateway.values import Reading, Readings

NOW = Moment(1_780_800_000 * NANO, NANO)

# ---- Home Assistant, by its published rules (integrations: mqtt, sensor.mqtt, binary_sensor.mqtt; core 2024.11 on)

DEVICE_KEYS = {"identifiers", "name", "manufacturer", "model", "sw_version"}
COMMON = {"platform", "unique_id", "name", "device_class", "state_topic", "value_template"}
KEYS = {
    "sensor": COMMON | {"state_class", "unit_of_measurement", "expire_after"},
    "binary_sensor": COMMON | {"payload_on", "payload_off"},
}
UNITS = {  # the units that each class of a sensor may have
    "sound_pressure": {"dB", "dBA"},
    "pm1": {"\u00b5g/m³"},
    "pm25": {"\u00b5g/m³"},
    "pm10": {"\u00b5g/m³"},
    "carbon_dioxide": {"ppm"},
    "temperature": {"°C", "°F", "K"},
    "humidity": {"%"},
    "atmospheric_pressure": {"hPa", "kPa", "Pa", "mbar"},
}
CLASSES = {"door", "safety", "tamper", "smoke", "moisture", "problem", None}
DUST = """
[device.dust]
driver = "pms5003"
port = "/dev/null"

[home_assistant]
enabled = true
"""
MORE = """
[device.hall-air]
driver = "{driver}"
bus = "rs485"
address = 9
every = "30s"
place = "hall"

[home_assistant]
enabled = true
streams = ["custody", "environment"]
"""


def plan_of(toml: str, *, simulated: bool = False) -> tuple[Plan, Origin]:
    config = Config.model_validate(tomllib.loads(toml))
    from gateway.sources.choice import bind

    origin = Origin(config.venue.id, "run", Calendar(config).zone, simulated=simulated)
    return Plan(config, "0" * 64, (), tuple(bind(config))), origin


@pytest.fixture(scope="module")
def message() -> dict[str, Any]:
    plan, origin = plan_of(VENUE + MORE.format(driver="renke_rs_ws"))
    ((topic, payload),) = plan.announcements(origin)

    assert re.fullmatch(r"homeassistant/device/zj-no1/[a-zA-Z0-9_-]+/config", topic)  # node and object, by its rules
    return dict(json.loads(payload))


def test_the_discovery_message_is_by_the_rules(message: dict[str, Any]) -> None:
    """Device, origin, availability and every component have the keys, classes and units that Home Assistant takes."""
    components = message["components"]

    assert {"device", "origin", "availability", "qos", "components"} == message.keys()
    assert DEVICE_KEYS == message["device"].keys()
    assert message["origin"]["name"]
    assert ["exam/v1/zj-no1/status"] == [each["topic"] for each in message["availability"]]
    assert {"gate_noise_laf", "hall_air_temperature", "hall_air_humidity", "leak_button", "door"} <= components.keys()
    assert len(components) == len({each["unique_id"] for each in components.values()})
    for each in components.values():
        assert KEYS[each["platform"]] == each.keys()
        assert each["state_topic"].startswith("exam/v1/zj-no1/")
        if each["platform"] == "sensor":
            assert each["unit_of_measurement"] in UNITS[each["device_class"]]
            assert each["expire_after"] >= 60
        else:
            assert each["device_class"] in CLASSES
    assert "safety" == components["leak_button"]["device_class"]
    assert "door" == components["door"]["device_class"]
    assert 90 == components["hall_air_temperature"]["expire_after"]
    assert not [key for key in json.dumps(message).split('"') if "command" in key or "password" in key or "key" in key]


@pytest.mark.parametrize(
    ("qualities", "historical", "shown"),
    [
        ([("good", 41.5), ("good", 50.3)], False, "50.3"),
        ([("good", 41.5), ("missing", None)], False, "None"),
        ([("good", 41.5), ("suspect", 99.0)], False, "None"),
        ([("good", 41.5)], True, ""),
        ([], False, ""),
    ],
)
def test_what_an_entity_shows(
    message: dict[str, Any], qualities: list[tuple[str, float | None]], historical: bool, shown: str
) -> None:
    """The template gives the newest good value of our own message; unknown for another; nothing for one of before."""
    _, origin = plan_of(VENUE)
    given = [Reading("gate-noise/laf", value, Quality(quality), NOW) for quality, value in qualities]
    other = Reading("gate-noise/laeq", 33.0, Quality.GOOD, NOW)
    (sent,) = payloads.readings(origin, [Readings("gate-noise", (*given, other))], historical=historical)
    template = message["components"]["gate_noise_laf"]["value_template"]

    assert shown == Environment(autoescape=False).from_string(template).render(value_json=json.loads(sent.payload))


@pytest.mark.parametrize(("state", "shown"), [("safe", "OFF"), ("active", "ON"), ("cut", "None"), ("unknown", "None")])
def test_what_a_door_shows(message: dict[str, Any], state: str, shown: str) -> None:
    """A contact that is cut or unknown is unknown, and neither open nor closed."""
    _, origin = plan_of(VENUE)
    sent = payloads.contact_state(origin, "custody", "door", kind="seal", state=state, since=NOW)
    component = message["components"]["door"]

    assert f"{origin.root}/{sent.topic}" == component["state_topic"]
    assert shown == Environment(autoescape=False).from_string(component["value_template"]).render(
        value_json=json.loads(sent.payload)
    )


def test_custody_only_when_it_is_named() -> None:
    """Without the stream custody no contact of the paper room is shown; without the table nothing is said at all."""
    plan, origin = plan_of(VENUE + "\n[home_assistant]\nenabled = true\n")
    ((_, payload),) = plan.announcements(origin)
    off, _ = plan_of(VENUE)

    assert {"gate_noise_laf"} == json.loads(payload)["components"].keys()
    assert () == off.announcements(origin)


def test_a_simulated_gateway_is_another_device() -> None:
    """Played values never stand under the entities of the venue: topic, identifier, ids and name are others."""
    (real, told), (played, said) = (
        plan.announcements(origin)[0] for plan, origin in (plan_of(VENUE + DUST), plan_of(VENUE + DUST, simulated=True))
    )
    venue, other = json.loads(told), json.loads(said)
    ids = [{each["unique_id"] for each in message["components"].values()} for message in (venue, other)]

    assert real != played
    assert venue["device"]["identifiers"] != other["device"]["identifiers"]
    assert "考点 (simulated)" == other["device"]["name"]
    assert not ids[0] & ids[1]
    assert all("exam-sim/v1/" in each["state_topic"] for each in other["components"].values())
    assert venue["components"]["dust_pm2_5"]["unit_of_measurement"] in UNITS["pm25"]


# ---- Prometheus, and both on the real program


class Running:
    def __init__(self, gateway: Gateway, broker: Broker, port: int) -> None:
        self.gateway, self.broker, self.port = gateway, broker, port

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder, port = tmp_path_factory.mktemp("neighbours"), free_port()
    tables = f"\n[metrics]\nenabled = true\nport = {port}\n\n[home_assistant]\nenabled = true\n"
    with Broker(folder) as broker:
        gateway = Gateway(folder, venue(broker.port, bus() + meter("gate-noise", 1), tables))
        gateway.start()
        running = Running(gateway, broker, port)
        try:
            until(lambda: "simulated_venue_laf_decibels{" in running.get("/metrics")[1], 30, "a level")
            yield running
        finally:
            gateway.stop()


def test_metrics(program: Running) -> None:
    """/metrics has levels, links and moments of the last success in base units, nothing of custody, nothing secret;
    promtool, where it is installed, finds no fault with it.
    """
    until(lambda: "venue_sink_last_success_timestamp_seconds{" in program.get("/metrics")[1], 40, "a message came back")
    _, text = program.get("/metrics")
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))

    assert "1.0" == samples["venue_up"]
    assert "1.0" == samples['venue_sink_connected{sink="mqtt"}']
    assert 30 < float(samples['simulated_venue_laf_decibels{device="gate-noise",point="laf"}']) < 120
    assert float(samples['simulated_venue_device_last_success_timestamp_seconds{device="gate-noise"}']) > 1_700_000_000
    assert not [name for name in samples if name.startswith("venue_laf")]  # these levels are played
    assert "leak" not in text
    assert "li-wei" not in text
    if shutil.which("promtool"):
        found = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )

        assert (0, "") == (found.returncode, found.stderr)


def test_values_in_base_units() -> None:
    """A value that is not good has no sample; grams, ratios and pascals instead of what the devices say."""
    rows = [
        ("dust/pm2_5", 28.0, "good", 2.8e-5),
        ("dust/pm10", 28.0, "suspect", None),
        ("hall/co2", 800.0, "good", 8e-4),
        ("hall/pressure", 1004.12, "good", 100412.0),
        ("entrance/body_temperature", 36.5, "good", None),
    ]
    points = [{"point": p, "value": v, "quality": q, "silent_s": 2.0, "valid": 1.0} for p, v, q, _ in rows]
    found = {s.labels.get("point"): s for family in _of_points(points, 1000.0, "venue") for s in family.samples}

    assert {p.partition("/")[2]: pytest.approx(e) for p, _, _, e in rows if e is not None} == {
        point: sample.value for point, sample in found.items() if point
    }
    assert "venue_pm2_5_grams_per_cubic_meter" == found["pm2_5"].name


def test_health_and_readiness(program: Running) -> None:
    """/healthz says that the engine answers, /readyz names what is not reached; only loopback listens."""
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {fields[1] for fields in sockets if fields[3] == "0A" and fields[1].endswith(f":{program.port:04X}")}

    assert (200, "ok\n") == program.get("/healthz")
    assert (200, "ok\n") == program.get("/readyz")
    assert 404 == program.get("/other")[0]
    assert {f"0100007F:{program.port:04X}"} == listening


def test_home_assistant_hears_of_the_gateway(program: Running) -> None:
    """The discovery message lies retained at the broker, above the gateway's own root."""
    with Listener(program.broker.port, ("homeassistant/#",), described=False) as listener:
        until(lambda: listener.on("config"), 10, "the discovery message")
    (heard,) = listener.on("config")

    assert heard.retained
    assert {"gate_noise_laf"} <= heard.json["components"].keys()


def test_not_ready_without_a_broker(program: Running) -> None:
    """While the broker is away /readyz says so, and /healthz still says well."""
    program.broker.stop()
    try:
        until(lambda: program.get("/readyz")[0] == 503, 20, "not ready")

        assert "link mqtt" in program.get("/readyz")[1]
        assert 200 == program.get("/healthz")[0]
    finally:
        program.broker.start()


def test_alert_rules() -> None:
    """promtool accepts the example rules, and each names a metric that the gateway has."""
    file = Path(__file__).parent.parent / "firmware_config" / "prometheus" / "venue-gateway.rules.yml"
    source = (Path(__file__).parent.parent / "gateway" / "metrics.py").read_text() + f'"venue_{HEARD}"'
    named = set(re.findall(r"\bvenue_[a-z_]+", " ".join(re.findall(r"expr: (.*)", file.read_text()))))

    assert {name for name in named if f'"{name}"' in source} == named
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian's prometheus) is not installed: the names alone were compared")
    found = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)

    assert 0 == found.returncode, found.stderr
