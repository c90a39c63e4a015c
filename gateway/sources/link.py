"""A serial port, opened so that nobody else can, with every foreign error turned into a sentence for people.

A port is a device name (best one of /dev/serial/by-id or by-path, which survive renumbering), a pseudo-terminal, or a
URL of a serial server: `socket://host:port` (raw bytes; the server has its own speed) or `rfc2217://host:port`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import termios
import time

import serial

from gateway.catalogue import say
from gateway.configuration.config import Bus
from gateway.nudge import Nudge
from gateway.sources.holder import holder

WRITE_LIMIT_S = 2.0  # a port that takes no byte for so long is as good as gone
_SLICE_S = 0.05  # how often a port without a file descriptor (rfc2217) is looked at
_CHUNK = 4096
_GONE = frozenset({errno.EIO, errno.ENODEV, errno.ENXIO, errno.EBADF, errno.EPIPE, errno.ECONNRESET})


class PortError(Exception):
    """The port itself failed: gone, held by another program, not permitted. Close it, wait, open it again."""


class Link:
    """An open port. Every method raises PortError, and only that, when the port fails."""

    def __init__(self, config: Bus, nudge: Nudge | None = None) -> None:
        """`nudge` ends a wait for input early."""
        self.name = config.port
        self._nudge = nudge
        self.bits_per_byte = 10 + (config.parity != "N") + (config.stop_bits - 1)
        self.baud = config.baud
        self._local = "://" not in config.port
        self._port = self._open(config)
        # An rfc2217 port has none: there pyserial takes the telnet commands out of the stream in a thread of its own.
        self._fd: int | None = None if config.port.startswith("rfc2217:") else self._port.fileno()
        self._input = select.poll()
        if self._fd is not None:
            self._input.register(self._fd, select.POLLIN)
        if nudge is not None:
            self._input.register(nudge, select.POLLIN)

    def seconds_for(self, count: int) -> float:
        """How long `count` bytes take on the wire."""
        return count * self.bits_per_byte / self.baud

    def read(self, timeout_s: float) -> bytes:
        """What has come, waiting at most `timeout_s` (real seconds) for the first byte; b"" when none came."""
        if self._fd is None:
            return self._read_slowly(timeout_s)
        try:
            ready = [fd for fd, _ in self._input.poll(max(0.0, timeout_s) * 1000)]
            if self._fd not in ready:
                if ready and self._nudge is not None:
                    self._nudge.take()
                return b""
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return b""
        except (OSError, ValueError) as error:
            raise self._failure(error) from error
        if not data:  # readable and empty: how Linux says that the far end, or the adapter, is gone
            raise PortError(_gone(self.name))
        return data

    def write(self, data: bytes) -> None:
        """Hands all of `data` to the port; it may still be on its way when this returns."""
        if self._fd is None:
            try:
                self._port.write(data)
            except OSError as error:
                raise self._failure(error) from error
            return
        deadline = time.monotonic() + WRITE_LIMIT_S
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                self._await_room(self._fd, deadline)
            except (OSError, ValueError) as error:
                raise self._failure(error) from error

    def _await_room(self, fd: int, deadline: float) -> None:
        try:
            _, ready, _ = select.select([], [fd], [], max(0.0, deadline - time.monotonic()))
        except (OSError, ValueError) as error:
            raise self._failure(error) from error
        if not ready:
            raise PortError(say("port {port} takes no bytes", port=self.name))

    def close(self) -> None:
        with contextlib.suppress(OSError):  # where the device is gone, its lock is too
            if self._local and self._fd is not None:
                fcntl.ioctl(self._fd, termios.TIOCNXCL)
        with contextlib.suppress(OSError):
            self._port.close()

    def _open(self, config: Bus) -> serial.Serial:
        if self._local and (who := holder(config.port)):
            raise PortError(_held(config.port, who))
        try:
            port = serial.serial_for_url(
                config.port,
                do_not_open=True,
                baudrate=config.baud,
                parity=config.parity,
                stopbits=config.stop_bits,
                timeout=_SLICE_S,
            )
            if self._local:
                port.exclusive = True
            port.open()
        except (OSError, ValueError, termios.error) as error:
            raise self._failure(error) from error
        if self._local:
            try:
                _make_raw(port.fileno())
            except (OSError, termios.error) as error:
                port.close()
                raise self._failure(error) from error
        return port

    def _read_slowly(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                if waiting := self._port.in_waiting:
                    return bytes(self._port.read(waiting))
                if time.monotonic() >= deadline or (self._nudge is not None and self._nudge.take()):
                    return b""
                if first := self._port.read(1):  # waits _SLICE_S at most
                    return bytes(first) + bytes(self._port.read(self._port.in_waiting))
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> PortError:
        code = getattr(error, "errno", None)
        if code == errno.ENOENT:
            return PortError(say("there is no port {port}: is its adapter plugged in?", port=self.name))
        if code == errno.EACCES:
            return PortError(say("no right to use port {port}: the user must be in the group dialout", port=self.name))
        if code in {errno.EAGAIN, errno.EBUSY}:
            return PortError(_held(self.name, holder(self.name) or say("another program")))
        if code in _GONE:
            return PortError(_gone(self.name))
        return PortError(say("port {port} cannot be used: {error}", port=self.name, error=str(error)))


def _make_raw(fd: int) -> None:
    """What pyserial leaves: a break must not flush the input, and no other program may open the port from now on."""
    settings = termios.tcgetattr(fd)
    settings[0] &= ~(termios.BRKINT | termios.PARMRK | termios.INPCK | termios.IXON | termios.IXOFF)
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    fcntl.ioctl(fd, termios.TIOCEXCL)


def _held(port: str, who: str) -> str:
    return say("port {port} is in use by {holder}", port=port, holder=who)


def _gone(port: str) -> str:
    return say("port {port} is gone: its adapter was unplugged or its far end closed", port=port)
