"""Files that the configuration names: certificates, passwords, tokens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.catalogue import N_
from gateway.configuration.complaints import Location, Problem, phrase, warning
from gateway.configuration.config import Config, Mqtt

_CREDENTIAL = "$CREDENTIALS_DIRECTORY/secret_"  # as the shipped unit loads the folder `secrets`


def located(folder: Path, name: str) -> Path:
    """Where a file that the configuration names lies; the service's secrets also when seen from outside the service."""
    if name.startswith(_CREDENTIAL) and "CREDENTIALS_DIRECTORY" not in os.environ:
        outside = folder / "secrets" / name.removeprefix(_CREDENTIAL)
        if outside.parent.is_dir():
            return outside
    return folder / os.path.expandvars(name)


def with_files(config: Config, folder: Path) -> Config:
    """The configuration with whole paths, whatever directory the program works in."""

    def whole(name: str | None) -> str | None:
        return None if name is None else str(located(folder, name))

    def broker(table: Any) -> Any:
        if table is None:
            return None
        tls = table.tls and table.tls.model_copy(
            update={k: whole(getattr(table.tls, k)) for k in ("ca", "cert", "key")}
        )
        return table.model_copy(update={"tls": tls, "password_file": whole(table.password_file)})

    mqtt, influxdb = broker(config.mqtt), config.influxdb
    if mqtt is not None:
        mqtt = mqtt.model_copy(update={"second": broker(mqtt.second)})
    if influxdb is not None:
        influxdb = influxdb.model_copy(update={k: whole(getattr(influxdb, k)) for k in ("token_file", "ca")})
    modem = config.modem
    if modem is not None:
        modem = modem.model_copy(update={"pin_file": whole(modem.pin_file)})
    hj212 = {
        name: platform.model_copy(update={"password_file": whole(platform.password_file)})
        for name, platform in config.hj212.items()
    }
    return config.model_copy(update={"mqtt": mqtt, "influxdb": influxdb, "modem": modem, "hj212": hj212})


def files(config: Config, folder: Path) -> Iterator[Problem]:
    """What does not lie there, or may not be read, now. The names may hold $CREDENTIALS_DIRECTORY of systemd."""
    for at, name in _file_names(config):
        path = located(folder, name)
        if "$" in str(path):
            yield warning(
                at,
                phrase(N_("{name} can only be found where the service runs"), name=name),
                phrase(N_("nothing to do if the service's own check is content")),
            )
        elif (trouble := _unreadable(path)) is not None:
            remedy = phrase(
                N_("put the file there; names without / are beside this configuration, in {folder}"), folder=folder
            )
            yield Problem("", at, phrase(trouble, file=path), remedy, outside=True)


def _file_names(config: Config) -> Iterator[tuple[Location, str]]:
    brokers: list[tuple[Location, Mqtt | None]] = [(("mqtt",), config.mqtt)]
    if config.mqtt is not None:
        brokers.append((("mqtt", "second"), config.mqtt.second))
    for at, broker in brokers:
        if broker is None:
            continue
        if broker.password_file is not None:
            yield (*at, "password_file"), broker.password_file
        for key in ("ca", "cert", "key"):
            name = None if broker.tls is None else getattr(broker.tls, key)
            if name is not None:
                yield (*at, "tls", key), name
    if config.influxdb is not None:
        yield ("influxdb", "token_file"), config.influxdb.token_file
        if config.influxdb.ca is not None:
            yield ("influxdb", "ca"), config.influxdb.ca
    for name, platform in config.hj212.items():
        yield ("hj212", name, "password_file"), platform.password_file
    if config.modem is not None and config.modem.pin_file is not None:
        yield ("modem", "pin_file"), config.modem.pin_file


def _unreadable(path: Path) -> str | None:
    checks: tuple[tuple[Callable[[], bool], str], ...] = (
        (path.exists, N_("there is no file {file}")),
        (path.is_file, N_("{file} is no file")),
        (lambda: os.access(path, os.R_OK), N_("{file} may not be read by this user")),
    )
    try:
        return next((message for fits, message in checks if not fits()), None)
    except (OSError, ValueError):
        return N_("{file} cannot be looked at")
