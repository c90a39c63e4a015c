"""The station's own small configuration: one TOML file.

id = "county-command"                 # as `[[station]]` of the venues has it
key_file = "county-command.key"       # made by `venue-gateway station add`
venues = ["zj-no1", "zj-no2"]         # or ["+"] for all that the broker shows
streams = ["custody", "gateway"]

[broker]                              # as [mqtt] of a venue
host = "broker.example"

[person]                              # who acknowledges here
id = "li-wei"
key_file = "li-wei.key"
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from drivers.quantities import Stream
from gateway.catalogue import say
from gateway.configuration.config import Duration, Mqtt, Slug, Table
from gateway.errors import ConfigError

VenuePattern = Annotated[str, Field(pattern=r"^(\+|[a-z0-9][a-z0-9-]{0,47})$")]


class Acting(Table):
    id: Slug
    key_file: str


class StationConfig(Table):
    id: Slug
    key_file: str
    broker: Mqtt
    venues: tuple[VenuePattern, ...] = ("+",)
    streams: tuple[Stream, ...] = ("custody", "screening", "environment", "gateway")
    root: Literal["exam/v1", "exam-sim/v1"] = "exam/v1"
    keys: dict[Slug, Annotated[str, Field(pattern=r"^ed25519:")]] = Field(default_factory=dict)  # of venues, if known
    person: Acting | None = None
    auto_receipt: bool = True
    bell: bool = True
    late_after: Duration = 300.0  # an event that took longer to come is shown as late
    store: str = "station.db"


def load(path: Path) -> StationConfig:
    """Files are named from the folder of the configuration. Raises `ConfigError` with everything that is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        config = StationConfig.model_validate(table)
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
        raise ConfigError("\n".join(lines)) from error
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(say("{file} cannot be read: {why}", file=path, why=error)) from error
    return _resolved(config, path.parent)


def _resolved(config: StationConfig, folder: Path) -> StationConfig:
    def near(name: str | None) -> str | None:
        return None if name is None else str(folder / name)

    tls = config.broker.tls
    if tls is not None:
        tls = tls.model_copy(update={"ca": near(tls.ca), "cert": near(tls.cert), "key": near(tls.key)})
    broker = config.broker.model_copy(update={"password_file": near(config.broker.password_file), "tls": tls})
    person = config.person
    if person is not None:
        person = person.model_copy(update={"key_file": near(person.key_file)})
    changed = {"broker": broker, "person": person, "key_file": near(config.key_file), "store": near(config.store)}
    return config.model_copy(update=changed)
