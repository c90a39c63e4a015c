"""Every module with a serial line over a real pseudo-terminal: its own bytes, the real bus, start commands first."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from drivers import library
from drivers.base import Driver
from gateway.moment import SystemClock
from gateway.simulate.devices import SimulatedDevice
from gateway.simulate.ports import SimulatedBus
from gateway.sources.choice import source_for
from gateway.sources.unit import BoundDevice
from gateway.values import Lost, Readings

OPTIONS: dict[str, list[dict[str, object]]] = {
    "bswa_308": [{"screen": "main"}, {"configure": True}],
    "gy_mcu90614": [{"mode": "continuous"}],
    "gy_mcu90640": [{"mode": "continuous"}],
    "mh_z19b": [{"self_calibration": "off", "range": 2000}],
    "nsrt_mk3": [{"configure": True}],
    "nti_xl2": [{"speed": "slow"}],
    "pms5003": [{"mode": "passive"}],
    "sds011": [{"mode": "asked"}],
    "ze08_ch2o": [{"mode": "active"}],
    "zh03b": [{"mode": "asked"}],
}
FOLDER = Path(library.__file__).parent
SERIAL = [
    name for name in library.names() if (FOLDER / f"{name}.py").is_file() and library.find(name).transport == "serial"
]
WAYS = [(name, {}) for name in SERIAL] + [(name, options) for name in OPTIONS for options in OPTIONS[name]]


@contextmanager
def played(driver: Driver, folder: Path, stop: threading.Event) -> Iterator[queue.SimpleQueue[object]]:
    """What the real bus tells of a simulated device."""
    said: queue.SimpleQueue[object] = queue.SimpleQueue()
    clock = SystemClock()
    path = folder / driver.name
    with closing(SimulatedBus(driver.name, path, {"it": SimulatedDevice("it", driver)}, clock, driver.baud)) as bus:
        source = source_for(BoundDevice("it", driver, driver.every_s), str(path), said.put, clock)
        threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in (bus, source)]
        try:
            for thread in threads:
                thread.start()
            yield said
        finally:
            stop.set()
            for thread in threads:
                thread.join(10)


@pytest.mark.parametrize("share", range(4))
def test_every_serial_module_answers_on_a_real_port(share: int, tmp_path: Path) -> None:
    """Start commands, requests, streams and answers of each driver pass a real port and the real bus unharmed."""
    found, stop = {}, threading.Event()  # one for all, so that they end together
    with ExitStack() as stack:
        ours = WAYS[share::4]
        for number, (name, options) in enumerate(ours):
            (folder := tmp_path / str(number)).mkdir()
            driver = library.find(name)
            if options and driver.at is not None:
                driver = driver.at(None, options)
            found[name, str(options)] = driver, stack.enter_context(played(driver, folder, stop))
        for (name, options_text), (driver, said) in found.items():
            message = next(m for m in iter(lambda q=said: q.get(timeout=10), None) if isinstance(m, Readings | Lost))

            assert isinstance(message, Readings), (name, options_text, message)
            points = {reading.point.removeprefix("it/") for reading in message.readings}
            assert points
            assert points <= set(driver.points), name
            assert all(reading.value is not None for reading in message.readings), (name, message)
