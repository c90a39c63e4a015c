"""Simulated ports: pseudo-terminals on which simulated devices answer, with their delays and faults; and files."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import queue
import select
import termios
import threading
import time
import tty
from collections.abc import Mapping
from pathlib import Path

from gateway.catalogue import say
from gateway.errors import Refused
from gateway.moment import Clock
from gateway.simulate.actions import Action, FaultKind
from gateway.simulate.devices import SimulatedDevice

TURN_ROUND_S = 0.008  # what a transmitter takes to answer
FRAME_GAP_S = 0.020  # real time: bytes that became no request in so long are forgotten
WAKE_UP_S = 0.2


class SimulatedFile:
    """A device that is a file, as the kernel's 1-Wire sensors are: its text is renewed, and missing while it is away.

    `do` may be called by any thread.
    """

    def __init__(self, name: str, path: Path, devices: Mapping[str, SimulatedDevice], clock: Clock) -> None:
        self.name = name
        self.path = path
        self.devices = dict(devices)
        self._clock = clock
        self._actions: queue.SimpleQueue[tuple[str, str | None, Action]] = queue.SimpleQueue()
        self._renew()

    def do(self, device: str, point: str | None, action: Action) -> None:
        """As SimulatedBus.do."""
        self.devices[device].check(point, action)
        self._actions.put((device, point, action))

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                device, point, action = self._actions.get(timeout=min(self._clock.pause(1.0), WAKE_UP_S))
                self.devices[device].do(point, action, self._clock.now())
            self._renew()

    def close(self) -> None:
        self.path.unlink(missing_ok=True)

    def _renew(self) -> None:
        for device in self.devices.values():
            text = device.spoil(b"", device.stream(self._clock.now()))
            if text:
                fresh = self.path.with_suffix(".new")
                fresh.write_bytes(text)
                fresh.replace(self.path)  # whoever reads finds a whole text, the old or the new
            else:
                self.path.unlink(missing_ok=True)


class SimulatedBus:
    """One port at a stable path. `run` plays it; `do` may be called by any thread, everything else belongs to `run`.

    The port is there from the beginning, so that its path can be opened before anybody runs it.
    """

    def __init__(self, name: str, path: Path, devices: Mapping[str, SimulatedDevice], clock: Clock, baud: int) -> None:
        self.name = name
        self.path = path
        self.devices = dict(devices)
        self._clock = clock
        self._byte_s = 10 / baud
        self._actions: queue.SimpleQueue[tuple[str, str | None, Action]] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ends: tuple[int, int] | None = None  # ours and the other side's, kept open so that it may come and go
        self._buffer = b""
        self._heard_at = 0.0
        self._waiting: list[tuple[float, int, bytes]] = []  # what is to be said: when (real), order, bytes
        self._next_stream: dict[str, float] = {}
        self._order = itertools.count()
        self._plug()

    # ---- for any thread

    def do(self, device: str, point: str | None, action: Action) -> None:
        """Let an action happen to a device of this port, soon. Raises Refused at once if it cannot."""
        self.devices[device].check(point, action)
        self._actions.put((device, point, action))
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Give the port back. Only once nobody runs it any more."""
        if self._wake >= 0:
            self._unplug()
            os.close(self._wake)
            self._wake = -1

    # ---- the port's own thread

    def run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                self._step()
        finally:
            if stop.is_set():
                self._unplug()

    def _step(self) -> None:
        ours = [self._ends[0]] if self._ends else []
        ready, _, _ = select.select([self._wake, *ours], [], [], self._patience())
        if self._wake in ready:
            os.eventfd_read(self._wake)
            self._act()
        if self._ends and self._ends[0] in ready:
            self._listen(self._ends[0])
        self._forget()
        self._stream()
        self._speak()

    def _patience(self) -> float:
        """Real seconds until something is to be done without being asked."""
        now = time.monotonic()
        due = [now + WAKE_UP_S, *self._next_stream.values()]
        if self._waiting:
            due.append(self._waiting[0][0])
        if self._buffer:
            due.append(self._heard_at + FRAME_GAP_S)
        return max(min(due) - now, 0.0)

    def _act(self) -> None:
        while True:
            try:
                name, point, action = self._actions.get_nowait()
            except queue.Empty:
                break
            self.devices[name].do(point, action, self._clock.now())
        unplugged = any(d.fault and d.fault.kind is FaultKind.UNPLUGGED for d in self.devices.values())
        if unplugged and self._ends:
            self._unplug()
        elif not unplugged and not self._ends:
            self._plug()

    def _listen(self, end: int) -> None:
        try:
            self._buffer += os.read(end, 4096)
        except BlockingIOError:
            return
        self._heard_at = time.monotonic()
        while self._buffer:
            for device in self.devices.values():
                heard = device.hear(self._buffer, self._clock.now())
                if heard is not None:
                    request, self._buffer = self._buffer[: heard.length], self._buffer[heard.length :]
                    self._answer(device, request, heard.reply)
                    break
            else:
                if any(device.expects(self._buffer) for device in self.devices.values()):
                    return  # more may come
                self._buffer = self._buffer[1:]

    def _answer(self, device: SimulatedDevice, request: bytes, reply: bytes) -> None:
        said = device.spoil(request, reply)
        if said:
            delay_s = self._clock.pause(TURN_ROUND_S + (len(request) + len(said)) * self._byte_s)
            if device.fault and device.fault.kind is FaultKind.LATE:
                delay_s += device.fault.late_s
            heapq.heappush(self._waiting, (self._heard_at + delay_s, next(self._order), said))

    def _forget(self) -> None:
        if self._buffer and time.monotonic() - self._heard_at >= FRAME_GAP_S:
            self._buffer = b""

    def _stream(self) -> None:
        """Let the devices that talk by themselves talk, each in its own rhythm."""
        now = time.monotonic()
        for name, due in self._next_stream.items():
            if due <= now:
                self._answer_unasked(self.devices[name], now)
                every_s = self._clock.pause(self.devices[name].every_s)
                self._next_stream[name] = max(due + every_s, now)

    def _answer_unasked(self, device: SimulatedDevice, now: float) -> None:
        said = device.spoil(b"", device.stream(self._clock.now()))
        if said:
            late_s = device.fault.late_s if device.fault and device.fault.kind is FaultKind.LATE else 0.0
            heapq.heappush(self._waiting, (now + late_s, next(self._order), said))

    def _speak(self) -> None:
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            data = heapq.heappop(self._waiting)[2]
            if self._ends is None:
                continue
            try:
                os.write(self._ends[0], data)
            except BlockingIOError:  # nobody reads: a real port would have lost it too
                termios.tcflush(self._ends[1], termios.TCIFLUSH)

    def _plug(self) -> None:
        try:
            ours, other = os.openpty()
        except OSError as error:
            raise Refused(say("no pseudo-terminal can be had on this system: {error}", error=error.strerror)) from error
        for end in (ours, other):
            tty.setraw(end)
        os.set_blocking(ours, False)
        name = os.ttyname(other)
        Path(name).chmod(0o600)
        # Replaced in one step, as udev does it: whoever opens the path finds the old port or the new one.
        fresh = self.path.with_suffix(".new")
        fresh.symlink_to(name)
        fresh.replace(self.path)
        self._ends = (ours, other)
        self._buffer = b""
        self._next_stream = {device.name: time.monotonic() for device in self.devices.values() if device.streams}

    def _unplug(self) -> None:
        """As when the adapter is pulled: readers get an error or the end of the file, and the path is gone."""
        self.path.unlink(missing_ok=True)
        if self._ends:
            for end in self._ends:
                os.close(end)
        self._ends = None
        self._waiting.clear()
        self._next_stream.clear()
