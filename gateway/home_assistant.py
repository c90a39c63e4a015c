"""MQTT discovery of Home Assistant: one message that describes the gateway as a device with its entities. Pure.

    PREFIX/device/VENUE/exam/config, retained: device, origin, availability, components (2024.11 and later)

The entities read what the gateway publishes anyway: batches of readings and retained states of contacts. A value that
is not good is unknown there, one that is late (a backlog) changes nothing, one that stops coming expires. Nothing is
in the message that is not in the gateway's own `meta`, and no entity can command anything. The venue is a level of the
topic, so that a broker's access list can name it (`%u`). A simulated gateway is a device of its own, and called so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from drivers.base import quantity_of
from drivers.quantities import QUANTITIES
from gateway import __version__
from gateway.configuration.config import Config
from gateway.configuration.neighbours import HomeAssistant
from gateway.payloads import Origin, stream_of
from gateway.values import CUSTODY_KINDS

EXPIRE_CYCLES, EXPIRE_S = 3, 60  # a value is kept for so many cycles, and at least so long
MAKER = "Exam venue gateway"
MICROGRAMS = "\u00b5g/m³"  # the micro sign: before 2025.8 nothing else is taken, later ones know both


class Shown(NamedTuple):
    """How Home Assistant calls a quantity."""

    device_class: str | None
    unit: str


_SHOWN: Mapping[str, Shown] = {
    "laf": Shown("sound_pressure", "dBA"),
    "las": Shown("sound_pressure", "dBA"),
    "laeq": Shown("sound_pressure", "dBA"),
    "lamax": Shown("sound_pressure", "dBA"),
    "lcf": Shown("sound_pressure", "dB"),
    "pm1": Shown("pm1", MICROGRAMS),
    "pm2_5": Shown("pm25", MICROGRAMS),
    "pm10": Shown("pm10", MICROGRAMS),
    "co2": Shown("carbon_dioxide", "ppm"),
    "co": Shown("carbon_monoxide", "ppm"),
    "temperature": Shown("temperature", "°C"),
    "humidity": Shown("humidity", "%"),
    "pressure": Shown("atmospheric_pressure", "hPa"),
    "illuminance": Shown("illuminance", "lx"),
    "wind_speed": Shown("wind_speed", "m/s"),
    "radiation": Shown("irradiance", "W/m²"),
    "voltage": Shown("voltage", "V"),
    "current": Shown("current", "A"),
    "charge": Shown("battery", "%"),
}
_CONTACTS: Mapping[str, str | None] = {
    "seal": "door",
    "leak": "safety",
    "tamper": "tamper",
    "fire": "smoke",
    "flood": "moisture",
    "power": "problem",
    "other": None,
}


def discovery(
    settings: HomeAssistant,
    config: Config,
    points: Mapping[str, tuple[str, ...]],
    every_s: Mapping[str, float],
    origin: Origin,
) -> tuple[str, bytes]:
    """Topic and payload. `points`: the names of each device's points."""
    kind, mark = _kind(origin), " (simulated)" if origin.simulated else ""
    identifier = f"{kind}_{origin.venue}"
    components = dict(_sensors(settings, config, points, every_s, origin))
    components |= dict(_contacts(settings, config, origin))
    message = {
        "device": {
            "identifiers": [identifier],
            "name": config.venue.name + mark,
            "manufacturer": MAKER,
            "model": "venue-gateway",
            "sw_version": __version__,
        },
        "origin": {"name": "venue-gateway", "sw_version": __version__},
        "availability": [
            {
                "topic": f"{origin.root}/status",
                "value_template": "{{ value_json.state }}",
                "payload_available": "online",
                "payload_not_available": "offline",
            }
        ],
        "qos": 1,
        "components": components,
    }
    return f"{settings.prefix}/device/{origin.venue}/{kind}/config", json.dumps(message, ensure_ascii=False).encode()


def _sensors(
    settings: HomeAssistant,
    config: Config,
    points: Mapping[str, tuple[str, ...]],
    every_s: Mapping[str, float],
    origin: Origin,
) -> Iterator[tuple[str, dict[str, Any]]]:
    for device, names in points.items():
        for name in names:
            quantity, stream = quantity_of(name), stream_of(name)
            if quantity is None or stream not in settings.streams or quantity not in _SHOWN:
                continue
            shown, entry = _SHOWN[quantity], QUANTITIES[quantity]
            place = config.device[device].place or device
            yield (
                _id(device, name),
                {
                    "platform": "sensor",
                    "unique_id": f"{_kind(origin)}_{origin.venue}_{_id(device, name)}",
                    "name": f"{place} {entry.zh} {name.removeprefix(quantity).strip('_')}".strip(),
                    "device_class": shown.device_class,
                    "state_class": "measurement",
                    "unit_of_measurement": shown.unit,
                    "state_topic": f"{origin.root}/{stream}/reading/{device}",
                    "value_template": _newest(f"{device}/{name}"),
                    "expire_after": max(EXPIRE_S, round(EXPIRE_CYCLES * every_s[device])),
                },
            )


def _newest(point: str) -> str:
    """The newest value of a point in a batch: `None` (unknown) when it is not good, nothing when it is of before."""
    return (
        f"{{% set found = value_json.points | selectattr('point', 'eq', '{point}') | list %}}"
        "{% if found and not value_json.historical %}"
        "{{ found[0].value[-1] if found[0].quality[-1] == 'good' else 'None' }}{% endif %}"
    )


def _contacts(settings: HomeAssistant, config: Config, origin: Origin) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, contact in config.contact.items():
        stream = "custody" if contact.kind in CUSTODY_KINDS else "gateway"
        if stream not in settings.streams:
            continue
        yield (
            _id(name),
            {
                "platform": "binary_sensor",
                "unique_id": f"{_kind(origin)}_{origin.venue}_{_id(name)}",
                "name": f"{contact.place} {name}".strip(),
                "device_class": _CONTACTS[contact.kind],
                "state_topic": f"{origin.root}/{stream}/contact/{name}",
                # A line that is cut, short or unknown is neither: the alarm about it comes with its own event.
                "value_template": "{{ {'safe': 'OFF', 'active': 'ON'}.get(value_json.state, 'None') }}",
                "payload_on": "ON",
                "payload_off": "OFF",
            },
        )


def _kind(origin: Origin) -> str:
    """Played values never pass for the venue's, not even at the same broker."""
    return "exam-sim" if origin.simulated else "exam"


def _id(*names: str) -> str:
    return "_".join(names).replace("-", "_")
