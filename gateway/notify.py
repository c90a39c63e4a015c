"""Telling systemd: READY, WATCHDOG, STATUS, STOPPING (sd_notify(3)); silent where nobody listens."""

from __future__ import annotations

import contextlib
import os
import socket


class Notifier:
    """One datagram socket to $NOTIFY_SOCKET. Sending never blocks and never fails the caller."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET") if address is None else address
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def send(self, message: str) -> None:
        if self._address:
            with contextlib.suppress(OSError):
                self._socket.sendto(message.encode(), self._address)

    def close(self) -> None:
        """What is sent afterwards is lost, as where nobody listens."""
        self._socket.close()
