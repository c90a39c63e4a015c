"""A GSM modem on a pseudo-terminal, which behaves as real ones do: echo, slow prompts, errors, silence, stray lines."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from dataclasses import dataclass, field
from typing import Self


@dataclass
class FakeModem:
    """`says` answers commands by their beginning, in place of the usual; "" is silence. `sent`: (length, PDU)."""

    echo: bool = True
    pin: str | None = None  # the SIM asks for this one
    says: dict[str, str] = field(default_factory=dict)
    prompt_s: float = 0.0
    result: bytes = b"\r\n+CMGS: 7\r\n\r\nOK\r\n"  # to a whole message
    registration: list[str] = field(default_factory=list)  # answers to AT+CREG?, the last one for ever
    refuse: tuple[str, ...] = ()  # PDUs that contain this are refused with a CMS error
    stray: bytes = b"\r\n^RSSI: 21\r\n"
    sent: list[tuple[int, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self._slave = slave  # held open: a modem does not hang up when nobody listens
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="fake-modem")
        self._length: int | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        os.close(self._master)
        os.close(self._slave)

    def _run(self) -> None:
        heard = b""
        while not self._ended.is_set():
            if not select.select([self._master], [], [], 0.02)[0]:
                continue
            data = os.read(self._master, 4096)
            if self.echo:
                self._out(data)
            heard += data
            while True:
                if self._length is not None and b"\x1a" in heard:
                    pdu, _, heard = heard.partition(b"\x1a")
                    self._take(pdu.decode())
                elif self._length is not None and heard.startswith(b"\x1b"):
                    heard, self._length = heard[1:], None
                elif self._length is None and b"\r" in heard:
                    line, _, heard = heard.partition(b"\r")
                    self._command(line.replace(b"\x1b", b"").decode().strip())
                else:
                    break

    def _command(self, line: str) -> None:
        if not line:
            return
        self.asked.append(line)
        self._out(self.stray)
        for begins, answer in self.says.items():
            if line.startswith(begins):
                self._out(f"\r\n{answer}\r\n".encode() if answer else b"")
                return
        if line == "ATE0":
            self.echo = False
        if line == "AT+CPIN?":
            self._out(b"\r\n+CPIN: SIM PIN\r\n" if self.pin else b"\r\n+CPIN: READY\r\n")
        elif line.startswith("AT+CPIN="):
            if line != f'AT+CPIN="{self.pin}"':
                self._out(b"\r\n+CME ERROR: 16\r\n")
                return
            self.pin = None
        elif line == "AT+CREG?":
            state = self.registration.pop(0) if len(self.registration) > 1 else "".join(self.registration) or "0,1"
            self._out(f"\r\n+CREG: {state}\r\n".encode())
        elif line.startswith("AT+CMGS="):
            self._length = int(line.removeprefix("AT+CMGS="))
            self._ended.wait(self.prompt_s)
            self._out(b"\r\n> ")
            return
        self._out(b"\r\nOK\r\n")

    def _take(self, pdu: str) -> None:
        length, self._length = self._length or 0, None
        if any(part in pdu for part in self.refuse):
            self._out(b"\r\n+CMS ERROR: 28\r\n")
            return
        self.sent.append((length, pdu.strip()))
        self._out(self.result)

    def _out(self, data: bytes) -> None:
        os.write(self._master, data)


def text_of(pdu: str) -> str:
    """What a person reads."""
    digits = int(pdu[6:8], 16)
    start = 10 + (digits + digits % 2) + 6
    length = int(pdu[start : start + 2], 16)
    data = bytes.fromhex(pdu[start + 2 :])
    assert length == len(data)
    return data.decode("utf-16-be")
