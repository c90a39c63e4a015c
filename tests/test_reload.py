"""SIGHUP: a new configuration comes into force, and nothing that was recorded or stands is touched."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit_mqtt import Broker, Proxy, until
from kit_process import NOISE_RULE, Command, Gateway, bus, faults, meter, record, venue

from gateway.journal.verify import verify

RELOADS = 100


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


def reload(gateway: Gateway, toml: str) -> None:
    gateway.config.write_text(toml)
    assert gateway.process is not None
    os.kill(gateway.process.pid, signal.SIGHUP)


def limit(gateway: Gateway) -> float:
    return float(gateway.ask("why", alarm="too-loud")["rule"]["above"])


def test_reloaded_again_and_again_in_an_outage(tmp_path: Path, broker: Broker) -> None:
    """F14: a hundred SIGHUPs with new files while the network is away lose no event and no latch; all arrives after."""
    with Proxy(broker.port) as network, Command(broker.port) as far:
        toml = venue(network.port, bus(), meter("gate-noise", 1), NOISE_RULE)
        gateway = Gateway(tmp_path, toml)
        with gateway:
            gateway.start()
            network.mood = "refuse"
            for number in range(RELOADS):
                reload(gateway, toml.replace("above = 65.0", f"above = {66 + number}.0"))
                if number % 25 == 0:
                    gateway.press()
            until(lambda: limit(gateway) == 65.0 + RELOADS, 20, "the last configuration in force")
            standing = gateway.standing()
            network.mood = "ok"
            kept = {event["hash"] for event in record(gateway.state)}
            until(lambda: kept <= {event["hash"] for event in far.events()}, 20, "everything at the far end")
            gateway.stop()

        raised = far.events("leak-button", "raised", "repeated")

    assert "leak-button" in standing
    assert RELOADS // 25 == len(raised)
    assert [] == faults(record(gateway.state), far.events())
    assert () == verify(gateway.state).findings


def test_a_broken_file_changes_nothing_and_is_told(tmp_path: Path, broker: Broker) -> None:
    """F1: a reload of a broken file leaves the one in force, as an alarm with both hashes; mended, it clears."""
    toml = venue(broker.port, bus(), meter("gate-noise", 1), NOISE_RULE)
    with Command(broker.port) as far:
        gateway = Gateway(tmp_path, toml)
        with gateway:
            gateway.start()
            reload(gateway, toml.replace("above = 65.0", "above = loud"))
            (refused,) = until(lambda: far.events("configuration-refused", "raised"))
            before = limit(gateway)
            gateway.press()
            reload(gateway, toml.replace("above = 65.0", "above = 70.0"))
            until(lambda: limit(gateway) == 70.0, 10, "the mended file in force")
            until(lambda: far.events("configuration-refused", "cleared"))
            gateway.stop()

    assert 65.0 == before
    assert gateway.log().count("Traceback") == 0
    assert "in force" in refused["text"]["en"]
