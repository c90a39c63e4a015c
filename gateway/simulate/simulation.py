"""The devices and contacts of one configuration, simulated: its ports are pseudo-terminals, its pins mock pins."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from drivers import library
from drivers.base import Driver
from gateway.catalogue import say
from gateway.configuration.config import Config, Device
from gateway.errors import Refused
from gateway.moment import Clock
from gateway.simulate.actions import BROKER, Action, Fail, Heal, Move, Power, Reset, Turn, no_such, parse
from gateway.simulate.devices import SimulatedDevice
from gateway.simulate.pins import SimulatedPins
from gateway.simulate.ports import SimulatedBus, SimulatedFile

Work = Callable[[threading.Event], None]


class Simulation:
    """Plays what `config` names. `config` of this object has its simulated ports in place of the real ones.

    `workers` are to be run, each in a thread, for as long as the gateway runs; `act` may be called by any thread.
    Raises Refused, with a line for each device that cannot be simulated.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        pins: bool = True,
        ports: bool = True,
        profiles: Path | None = None,
        switches: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        """`switches`: a file in which simulated switches keep their positions from one run to the next.

        The ports lie in a folder of their own below `folder`, by default the system's for temporary files.
        """
        self.pins = pins
        self.ports = ports
        self.folder = Path(tempfile.mkdtemp(prefix="venue-gateway-sim-", dir=folder))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.pin_factory = SimulatedPins(config.contact, clock, switches) if pins and config.contact else None
        self.buses: dict[str, SimulatedBus | SimulatedFile] = {}
        self.power: Callable[[bool], None] | None = None  # takes the broker away, where one is played too
        self.people = False  # a person is played too, who resets alarms
        self._real = config
        self._clock = clock
        self._profiles = profiles
        self.config = self._with_ports(config) if ports else config
        self._bus_of = {device: bus for bus in self.buses.values() for device in bus.devices}

    @property
    def workers(self) -> list[tuple[str, Work]]:
        found: list[tuple[str, Work]] = [(f"sim-{name}", bus.run) for name, bus in self.buses.items()]
        if self.pin_factory is not None:
            found.append(("sim-pins", self.pin_factory.run))
        return found

    def act(self, name: str, action: list[str]) -> str:
        """Do as `sim NAME ACTION` says, soon; the answer is a line for people. Raises Refused at once if it cannot."""
        parsed = self.check(name, action)
        device, _, point = name.partition("/")
        if isinstance(parsed, Power):
            if self.power is not None:
                self.power(parsed.on)
        elif device in self._bus_of:
            self._bus_of[device].do(device, point or None, parsed)
        elif self.pin_factory is not None:
            self.pin_factory.do(name, parsed)
        return _said(name, parsed)

    def close(self) -> None:
        """Give back every port and the folder they lie in, once the workers have ended."""
        for bus in self.buses.values():
            bus.close()
        self._remove()

    def check(self, name: str, action: list[str]) -> Action:
        """The action, read. Raises Refused when it cannot be done, or not to this."""
        parsed = parse(action)
        device, _, point = name.partition("/")
        if name == BROKER and isinstance(parsed, Power):
            if self.power is None:
                raise Refused(say("the broker is real and cannot be driven"))
        elif isinstance(parsed, Reset):
            if not self.people:
                raise Refused(say("alarms are reset by a named person: venue-gateway reset {alarm}", alarm=name))
        elif device in self._bus_of:
            self._bus_of[device].devices[device].check(point or None, parsed)
        elif device in self._real.device:
            raise Refused(say("the port of {device} is real and cannot be driven", device=device))
        elif name in self._real.contact and self.pin_factory is not None:
            self.pin_factory.check(name, parsed)
        elif name in self._real.contact:
            raise Refused(say("the pin of {contact} is real and cannot be driven", contact=name))
        else:
            raise no_such(name, [*self._bus_of, *(self._real.contact if self.pin_factory else ())])
        return parsed

    def _with_ports(self, config: Config) -> Config:
        """The same configuration on simulated ports, one for each bus and one for each device with its own port."""
        devices: dict[str, Device] = dict(config.device)
        refusals: list[str] = []
        on_bus: dict[str, list[SimulatedDevice]] = {name: [] for name in config.bus}
        for name, table in config.device.items():
            try:
                driver = driver_of(table, self._profiles)
                simulated = SimulatedDevice(name, driver, table.every)
            except (Refused, ValueError, LookupError) as error:
                refusals.append(str(error) if isinstance(error, Refused) else f"{name}: {error}")
                continue
            if table.bus is not None and table.bus in on_bus:
                on_bus[table.bus].append(simulated)
            else:
                path = (
                    self._file(name, simulated) if simulated.is_file else self._bus(name, simulated, baud=driver.baud)
                )
                devices[name] = table.model_copy(update={"port": str(path)})
        if refusals:
            self.close()
            raise Refused("\n".join(refusals))
        buses = {
            name: table.model_copy(update={"port": str(self._bus(name, *on_bus[name], baud=table.baud))})
            for name, table in config.bus.items()
        }
        return config.model_copy(update={"bus": buses, "device": devices})

    def _bus(self, name: str, *devices: SimulatedDevice, baud: int) -> Path:
        by_name = {device.name: device for device in devices}
        self.buses[name] = SimulatedBus(name, self.folder / name, by_name, self._clock, baud)
        return self.folder / name

    def _file(self, name: str, device: SimulatedDevice) -> Path:
        self.buses[name] = SimulatedFile(name, self.folder / name, {device.name: device}, self._clock)
        return self.folder / name


def driver_of(device: Device, profiles: Path | None = None) -> Driver:
    """The driver that a device's table asks for, at its address and with its options."""
    return library.bound(device.driver, device.address, device.options, profiles)


def _said(name: str, action: Action) -> str:
    match action:
        case Move(value, None):
            return say("{name} is at {value}", name=name, value=value)
        case Move(value, over_s):
            return say("{name} goes to {value} in {seconds} s", name=name, value=value, seconds=f"{over_s:g}")
        case Fail(kind):
            return say("{name} plays the fault: {fault}", name=name, fault=kind)
        case Heal():
            return say("{name} is well again", name=name)
        case Turn(position, None):
            return say("{name} is {position}", name=name, position=say(position))
        case Turn(position):
            return say("{name} is {position}, for a moment", name=name, position=say(position))
        case Reset():
            return say("{name} is reset", name=name)
        case Power(on):
            return say("the broker is back") if on else say("the broker is down")
