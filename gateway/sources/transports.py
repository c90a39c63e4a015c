"""Ways to a device that has no serial line: the kernel's files, hidraw, I2C, and lines of text over TCP.

Each carries out one `Read` of a driver and gives the raw reply. It raises PortError when the way itself is broken (file
gone, node gone, nobody listening) and a DeviceError when the device does not answer as it should.
"""

from __future__ import annotations

import errno
import importlib
import os
import select
import socket
import threading
import time
from pathlib import Path
from typing import Any, Protocol

from drivers.base import Read
from drivers.errors import BadFrame, Timeout
from drivers.frames import Scanner
from gateway.catalogue import say
from gateway.sources.link import PortError

MAX_FILE_BYTES = 4096  # the kernel's files are a page at most
SLICE_S = 0.25
_HIDRAW = Path("/sys/class/hidraw")
_NO_ACKNOWLEDGE = frozenset({errno.EREMOTEIO, errno.ENXIO, errno.EIO, errno.ETIMEDOUT})


class Transport(Protocol):
    def ask(self, read: Read, stop: threading.Event) -> bytes: ...
    def close(self) -> None: ...


class TextFile:
    """A file whose whole content is one reply, read afresh each time (1-Wire's `w1_slave`)."""

    def __init__(self, port: str) -> None:
        self._path = Path(port)
        if not self._path.exists():
            raise PortError(say("there is no file {port}: is the sensor connected?", port=port))

    def ask(self, read: Read, stop: threading.Event) -> bytes:  # noqa: ARG002  the kernel answers or fails, in its time
        try:
            with self._path.open("rb") as file:
                text = file.read(MAX_FILE_BYTES)
        except OSError as error:
            raise _broken(self._path, error) from error
        if not text:
            raise Timeout("the file is empty: the sensor did not answer")
        if read.frame(text) != len(text):
            raise BadFrame(f"not one whole answer: {text[:80]!r}")
        return text

    def close(self) -> None:
        """Nothing is kept open."""


class HidRaw:
    """A USB HID device through /dev/hidrawN, or `hid:VVVV:PPPP` by its USB vendor and product in hexadecimal."""

    def __init__(self, port: str, sys_folder: Path = _HIDRAW) -> None:
        self._path = _hid_node(port, sys_folder) if port.startswith("hid:") else Path(port)
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _broken(self._path, error) from error

    def ask(self, read: Read, stop: threading.Event) -> bytes:
        """Reports have borders: a report is one reply, cut to the frame that it begins with."""
        try:
            while select.select([self._fd], [], [], 0)[0]:
                if not os.read(self._fd, 4096):
                    raise PortError(say("port {port} is gone: its adapter was unplugged", port=self._path))
            if read.send:
                os.write(self._fd, read.send)
            if read.pause_s:
                stop.wait(read.pause_s)
            return self._report(read, stop) if read.answered else b""
        except OSError as error:
            raise _broken(self._path, error) from error

    def close(self) -> None:
        os.close(self._fd)

    def _report(self, read: Read, stop: threading.Event) -> bytes:
        deadline = time.monotonic() + read.timeout_s
        while (left_s := deadline - time.monotonic()) > 0 and not stop.is_set():
            if not select.select([self._fd], [], [], min(left_s, SLICE_S))[0]:
                continue
            report = os.read(self._fd, 4096)
            length = read.frame(report)
            if length:
                return report[:length]
            raise BadFrame(f"half a report: {report[:16].hex(' ')}")
        raise Timeout("no report")


class I2c:
    """A device on an I2C bus: port `/dev/i2c-1`. One transaction at a time by the kernel."""

    def __init__(self, port: str, address: int, library: Any = None) -> None:
        try:
            library = library or importlib.import_module("smbus2")  # only venues with I2C sensors pay for it
        except ImportError as error:
            raise PortError(say("I2C needs the Python package smbus2")) from error
        self._port, self._address, self._message = port, address, library.i2c_msg
        try:
            self._bus = library.SMBus(port)
        except OSError as error:
            raise _broken(Path(port), error) from error

    def ask(self, read: Read, stop: threading.Event) -> bytes:
        try:
            reply = self._transfer(read, stop)
        except OSError as error:
            if error.errno in _NO_ACKNOWLEDGE:
                raise Timeout(f"nobody acknowledges address 0x{self._address:02x}") from error
            raise _broken(Path(self._port), error) from error
        if not read.answered or not read.size:
            return b""
        if read.frame(reply) != len(reply):
            raise BadFrame(f"not one whole answer: {reply.hex(' ')}")
        return reply

    def close(self) -> None:
        self._bus.close()

    def _transfer(self, read: Read, stop: threading.Event) -> bytes:
        """Without a pause one transaction with a repeated start; with one: write, stop, wait, read."""
        write = [self._message.write(self._address, read.send)] if read.send else []
        answer = [self._message.read(self._address, read.size)] if read.size and read.answered else []
        if write and (read.pause_s or not answer):
            self._bus.i2c_rdwr(*write)
            write = []
        if read.pause_s:
            stop.wait(read.pause_s)
        if write or answer:
            self._bus.i2c_rdwr(*write, *answer)
        return bytes(answer[0]) if answer else b""


class TcpLines:
    """A server that answers lines with lines, at `host:port` (the network UPS tools' upsd)."""

    def __init__(self, port: str, timeout_s: float = 3.0) -> None:
        host, _, number = port.rpartition(":")
        try:
            self._socket = socket.create_connection((host or "127.0.0.1", int(number)), timeout=timeout_s)
        except (OSError, ValueError) as error:
            raise PortError(say("nobody answers at {port}: {error}", port=port, error=str(error))) from error
        self._port = port

    def ask(self, read: Read, stop: threading.Event) -> bytes:
        scanner = Scanner(read.frame)
        try:
            self._socket.settimeout(read.timeout_s)
            self._socket.sendall(read.send)
            if not read.answered:
                return b""
            deadline = time.monotonic() + read.timeout_s
            while (left_s := deadline - time.monotonic()) > 0 and not stop.is_set():
                if not select.select([self._socket], [], [], min(left_s, SLICE_S))[0]:
                    continue
                data = self._socket.recv(4096)
                if not data:
                    raise PortError(say("{port} closed the connection", port=self._port))
                if frames := scanner.feed(data):
                    return frames[0]
        except OSError as error:
            raise PortError(say("{port} is gone: {error}", port=self._port, error=str(error))) from error
        # Its late answer would be taken for the next one's: the connection must not be used again.
        raise PortError(say("{port} does not answer", port=self._port))

    def close(self) -> None:
        self._socket.close()


def _broken(path: Path, error: OSError) -> PortError:
    if error.errno == errno.EACCES:
        return PortError(say("no right to use {port}", port=path))
    if error.errno in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
        return PortError(say("{port} is gone: is the sensor connected?", port=path))
    return PortError(say("{port} cannot be used: {error}", port=path, error=error.strerror or str(error)))


def _hid_node(port: str, folder: Path) -> Path:
    """By the kernel's uevent, `HID_ID=0003:000064BD:000074E3`: a node's number changes with the order of plugging."""
    try:
        vendor, product = (int(part, 16) for part in port.removeprefix("hid:").split(":"))
    except ValueError as error:
        raise PortError(say("{port} is not hid:VVVV:PPPP in hexadecimal", port=port)) from error
    wanted = f"HID_ID=0003:{vendor:08X}:{product:08X}"
    found = [node for node in sorted(folder.glob("hidraw*")) if wanted in _text(node / "device" / "uevent")]
    if len(found) != 1:
        raise PortError(say("{count} USB devices are {port}, and one is wanted", count=len(found), port=port))
    return Path("/dev") / found[0].name


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").upper()
    except OSError:
        return ""
