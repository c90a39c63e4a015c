"""The demo's broker: an installed mosquitto as a child process, or else amqtt (over 3.1.1) in one of its own.

Only this machine can reach it. It is never for real use: it keeps nothing, and asks nobody who they are.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Literal

from gateway.catalogue import say
from gateway.errors import Refused, Unavailable

HOST = "127.0.0.1"
STARTS_WITHIN_S = 20.0
ENDS_WITHIN_S = 2.0
LOOK_S = 0.05
# No-delay: an acknowledgement would wait up to 40 ms for company.
_SETTINGS = "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
# Started by root it would change to a user of its own, which undoes that it ends with the demo.
_AS_ROOT = "user root\n"


class DemoBroker:
    """One broker on a port of its own, which it keeps when it is taken away and brought back."""

    def __init__(self, folder: Path, *, embedded: bool | None = None) -> None:
        """`embedded` chooses; by default mosquitto is preferred. Raises Refused when neither is installed."""
        mosquitto = _mosquitto()
        if embedded is None:
            embedded = mosquitto is None
        if embedded and importlib.util.find_spec("amqtt") is None:
            raise Refused(say("the demo needs a broker: install mosquitto, or amqtt with pip (make demo does it)"))
        self.name = "amqtt" if embedded else "mosquitto"
        self.version: Literal["5", "3.1.1"] = "3.1.1" if embedded else "5"
        self.port = _free_port()
        self._command = [sys.executable, "-m", "gateway.simulate.broker", str(self.port)]
        if not embedded and mosquitto is not None:
            settings = folder / "mosquitto.conf"
            settings.write_text(_SETTINGS.format(port=self.port) + (_AS_ROOT if os.geteuid() == 0 else ""))
            self._command = [mosquitto, "-c", str(settings)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises Unavailable when it does not come up in time."""
        # setpriv: should the demo be killed, its broker goes with it. A session of its own: Ctrl-C is for the demo,
        # which then ends the broker last.
        wrapper = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        self._process = subprocess.Popen(
            [*wrapper, *self._command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + STARTS_WITHIN_S
        wait = threading.Event()
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise Unavailable(say("the demo's broker ({name}) does not start", name=self.name))
            wait.wait(LOOK_S)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _mosquitto() -> str | None:
    path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin" + os.pathsep + "/usr/local/sbin"
    return shutil.which("mosquitto", path=path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=0.5):
            return True
    except OSError:
        return False


async def _serve(port: int) -> None:
    from amqtt.broker import Broker  # noqa: PLC0415  only where mosquitto is missing

    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = Broker(config)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await broker.start()
    await ended.wait()
    await broker.shutdown()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(_serve(int(sys.argv[1])))
