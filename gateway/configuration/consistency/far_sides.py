"""Brokers, databases and escalation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import urlsplit

from gateway.catalogue import N_
from gateway.configuration.complaints import Location, Problem, error, phrase, warning
from gateway.configuration.config import Config, InfluxDb, Mqtt

HERE = ("localhost", "127.0.0.1", "::1")  # what stays on this machine needs no encryption
TLS = 'tls = { ca = "ca.pem" }'


def far_sides(config: Config) -> Iterator[Problem]:
    if config.mqtt is None:
        yield warning(
            ("mqtt",),
            phrase(N_("there is no [mqtt]: no alarm leaves this venue")),
            phrase(N_('add [mqtt] with host = "..."')),
        )
    else:
        yield from _broker(("mqtt",), config.mqtt)
        if config.mqtt.second is not None:
            yield from _broker(("mqtt", "second"), config.mqtt.second)
            if (config.mqtt.second.host, config.mqtt.second.port) == (config.mqtt.host, config.mqtt.port):
                yield warning(
                    ("mqtt", "second", "host"),
                    phrase(N_("the second broker is the first one, so it helps nothing when that one fails")),
                    phrase(N_("give a broker on another machine, best by another line")),
                )
    for number, step in enumerate(config.escalation.steps):
        if step.to == "second-broker" and (config.mqtt is None or config.mqtt.second is None):
            yield error(
                ("escalation", "steps", number, "to"),
                phrase(N_("there is no second broker to escalate to")),
                phrase(N_("add [mqtt.second], or take the step out")),
            )
        table = {"modem": config.modem, "siren": config.siren}.get(step.to, config)
        if table is None:
            yield warning(
                ("escalation", "steps", number, "to"),
                phrase(N_("there is no [{table}], so this step reaches nobody"), table=step.to),
                phrase(N_("add [{table}], or take the step out"), table=step.to),
            )
    if config.modem is not None and not config.modem.numbers:
        yield error(
            ("modem", "numbers"),
            phrase(N_("nobody is called")),
            phrase(N_("write for example: {example}"), example='numbers = ["+8613800138000"]'),
        )
    for (_, early), (number, late) in pairwise(enumerate(config.escalation.steps)):
        if late.after < early.after:
            yield warning(
                ("escalation", "steps", number, "after"),
                phrase(N_("this step comes earlier than the one above it")),
                phrase(N_("order the steps by time; each is counted from the alarm")),
            )
    if config.influxdb is not None:
        yield from _influx(config.influxdb)


def _broker(at: Location, broker: Mqtt) -> Iterator[Problem]:
    if any(sign in broker.host for sign in "/: @") and broker.host.count(":") < 2:  # more colons: an IPv6 address
        yield error(
            (*at, "host"),
            phrase(N_("{host} is more than the name of a machine"), host=broker.host.rpartition("@")[2]),
            phrase(N_("write the name or address alone; the port is a line of its own: port = 8883")),
        )
    if broker.tls is None and broker.port == 8883:
        yield warning(
            (*at, "tls"),
            phrase(N_("port 8883 expects TLS, but tls is missing")),
            phrase(N_("add {example}, or port = 1883 for a broker without encryption"), example=TLS),
        )
    elif broker.tls is None and broker.host not in HERE:
        yield warning(
            at,
            phrase(N_("nothing that goes to {host} is encrypted"), host=broker.host),
            phrase(N_("add {example} and port = 8883"), example=TLS),
        )
    elif broker.tls is not None and (broker.tls.cert is None) != (broker.tls.key is None):
        yield error(
            (*at, "tls"),
            phrase(N_("a certificate needs its key, and a key its certificate")),
            phrase(N_('give both: cert = "venue.pem", key = "venue.key"')),
        )
    if (broker.user is None) != (broker.password_file is None):
        yield warning(
            (*at, "user"),
            phrase(N_("user and password_file belong together, one is missing")),
            phrase(N_('give both: user = "venue", password_file = "mqtt.password"')),
        )


def _influx(influxdb: InfluxDb) -> Iterator[Problem]:
    url = influxdb.url
    at: Location = ("influxdb", "url")
    example = phrase(N_("write for example: {example}"), example='url = "http://influx.example:8086"')
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        secret = parts.password is not None
        open_way = parts.scheme == "http" and parts.hostname not in HERE
    except ValueError:
        usable, secret, open_way = False, False, False
    if not usable:
        yield error(at, phrase(N_("this is no address of a database")), example)
    elif secret:
        yield error(at, phrase(N_("secrets never stand in this file: take the password out of the address")), example)
    elif open_way:
        yield warning(
            at,
            phrase(N_("nothing that goes to {host} is encrypted"), host=parts.hostname),
            phrase(N_("let the database be reached by https, or only inside a network that you trust")),
        )
    if influxdb.ca is not None and url.lower().startswith("http:"):
        yield warning(
            ("influxdb", "ca"),
            phrase(N_("ca is of no use here: the address begins with http://")),
            phrase(N_("write https:// in url if the database has a certificate, or take ca out")),
        )
