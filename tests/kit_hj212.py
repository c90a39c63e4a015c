"""A strict platform: a server that speaks HJ 212 as the standard has it, and holds the station to every rule.

Written against the standard's text and the frames of `hj212_frames.toml`; it shares no code with the gateway.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Self

from kit_mqtt import until

CST = timezone(timedelta(hours=8))
MN, PW = "010000A8900016F000169DC0", "123456"
EDITION = {"2005": 0, "2017": 4, "2025": 8}
_HEAD = re.compile(
    r"(?:QN=(?P<QN>\d{17});)?ST=(?P<ST>[0-9A-Z]{2});CN=(?P<CN>\d{4});PW=(?P<PW>[^;]{1,6});MN=(?P<MN>[0-9A-Za-z]+);"
    r"Flag=(?P<Flag>\d{1,3});(?:PNUM=(?P<PNUM>\d+);PNO=(?P<PNO>\d+);)?CP=&&(?P<CP>[^&]*)&&"
)
# Form of a value, by the end of its name: one decimal for levels, no sign but minus, no padding, no exponent.
_LEVEL = re.compile(r"-?(0|[1-9]\d{0,2})\.\d")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_FLAGS = set("NFMSDCTB")
_NAMES = re.compile(
    r"(DataTime|RestartTime|SystemTime|RtdInterval|MinInterval|QnRtn|ExeRtn|QN|RF)"
    r"|(LA|L5|L10|L50|L90|L95|Leq|Ldn|Ld|Ln|LMx|LMn)-(Rtd|Data|DayData|NightData|Flag)|a\d{5}-(Rtd|Min|Avg|Max|Flag)"
)


def crc(data: bytes, modbus: bool = False) -> int:
    register = 0xFFFF
    for byte in data:
        register = register ^ byte if modbus else (register >> 8) ^ byte
        for _ in range(8):
            lost, register = register & 1, register >> 1
            register ^= 0xA001 * lost
    return register


def framed(segment: str, modbus: bool = False) -> bytes:
    data = segment.encode()
    return f"##{len(data):04d}".encode() + data + f"{crc(data, modbus):04X}\r\n".encode()


@dataclass
class Said:
    """One message of the station, and when its connection was made."""

    fields: dict[str, str]
    values: dict[str, str]
    raw: bytes
    connection: int

    @property
    def cn(self) -> str:
        return self.fields["CN"]

    @property
    def qn(self) -> str:
        return self.fields.get("QN") or self.values["QN"]


@dataclass
class Platform:
    """`answer`: whether a message is answered 9014 or 9013 (all that ask). `faults`: rules that were broken."""

    edition: str = "2017"
    mn: str = MN
    pw: str = PW
    modbus: bool = False
    answer: Callable[[Said], bool] = lambda _said: True
    heard: list[Said] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._line: socket.socket | None = None
        self._frames: set[bytes] = set()
        self._last_qn = ""
        threading.Thread(target=self._serve, daemon=True).start()

    # ---- the far end's own acts

    def send(self, data: bytes) -> None:
        until(lambda: self._line is not None, 10, "a connection")
        assert self._line is not None
        self._line.sendall(data)

    def ask(self, cn: str, cp: str = "", *, qn: str, st: str = "23", **other: Any) -> None:
        """A request; `other` replaces fields (MN, PW, Flag)."""
        flag = other.get("Flag", EDITION[self.edition] | 1)
        head = f"QN={qn};ST={st};CN={cn};PW={other.get('PW', self.pw)};MN={other.get('MN', self.mn)};Flag={flag}"
        self.send(framed(f"{head};CP=&&{cp}&&", self.modbus))

    def answers(self, qn: str) -> list[tuple[str, dict[str, str]]]:
        """What the station said under this QN."""
        return [(said.cn, said.values) for said in self.heard if said.qn == qn]

    def said(self, cn: str, st: str | None = None) -> list[Said]:
        return [said for said in self.heard if said.cn == cn and st in (None, said.fields["ST"])]

    def hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.hang_up()

    # ---- what it hears

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._line = line
            self.connections += 1
            with line:
                self._listen(line)
            self._line = None if self._line is line else self._line

    def _listen(self, line: socket.socket) -> None:
        buffer = b""
        while True:
            try:
                data = line.recv(4096)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while len(buffer) >= 6 and len(buffer) >= int(buffer[2:6]) + 12:
                size = int(buffer[2:6]) + 12
                frame, buffer = buffer[:size], buffer[size:]
                self._hear(frame, line)

    def _hear(self, frame: bytes, line: socket.socket) -> None:
        said = self._read(frame)
        if said is None:
            return
        again = frame in self._frames and said.fields["ST"] != "91"  # a retry: the same bytes
        self._frames.add(frame)
        if not again:
            self.heard.append(said)
            self._judge(said)
        if int(said.fields["Flag"]) & 1 and self.answer(said):
            cn = "9013" if said.cn in ("1013", "9015") else "9014"
            head = f"ST=91;CN={cn};PW={self.pw};MN={self.mn};Flag={EDITION[self.edition]};CP=&&"
            inside = self.edition == "2005"
            text = f"{head}QN={said.qn}&&" if inside else f"QN={said.qn};{head}&&"
            try:
                line.sendall(framed(text, self.modbus))
            except OSError:
                return

    def _read(self, frame: bytes) -> Said | None:
        body = frame[6:-6]
        self._rule(frame[:2] == b"##" and frame[-2:] == b"\r\n", f"head and tail: {frame!r}")
        self._rule(len(body) <= 1024, f"longer than 1024: {frame!r}")
        self._rule(frame[-6:-2] == f"{crc(body, self.modbus):04X}".encode(), f"CRC: {frame!r}")
        match = _HEAD.fullmatch(body.decode())
        self._rule(match is not None, f"segment: {frame!r}")
        if match is None:
            return None
        fields = {name: value for name, value in match.groupdict().items() if value is not None}
        content = fields.pop("CP")
        self._rule(len(content) <= 950, f"CP over 950: {frame!r}")
        pairs = [pair.split("=", 1) for item in content.split(";") if item for pair in item.split(",")]
        self._rule(all(len(pair) == 2 for pair in pairs), f"values: {frame!r}")
        names = [pair[0] for pair in pairs]
        self._rule(len(set(names)) == len(names), f"a name twice: {frame!r}")
        return Said(fields, dict(pairs), frame, self.connections)

    def _judge(self, said: Said) -> None:
        flag, raw = int(said.fields["Flag"]), said.raw
        self._rule(said.fields["MN"] == self.mn, f"MN: {raw!r}")
        self._rule(flag & ~3 == EDITION[self.edition], f"edition: {raw!r}")
        self._rule(bool(flag & 2) == ("PNUM" in said.fields), f"packet bit: {raw!r}")
        inside = self.edition == "2005" and said.fields["ST"] == "91"
        self._rule(("QN" in said.values) == inside and ("QN" in said.fields) != inside, f"place of QN: {raw!r}")
        if said.fields["ST"] != "91" and said.cn not in ("1011", "1061", "1063"):
            self._rule(said.qn > self._last_qn, f"QN does not rise: {raw!r}")
            self._last_qn = said.qn
        for name, value in said.values.items():
            self._value(name, value, raw)

    def _value(self, name: str, value: str, raw: bytes) -> None:
        self._rule(_NAMES.fullmatch(name) is not None, f"{name}: {raw!r}")
        if name.endswith("-Flag"):
            self._rule(value in _FLAGS, f"{name}={value}: {raw!r}")
        elif name.endswith("Time"):
            self._rule(re.fullmatch(r"\d{14}", value) is not None, f"{name}={value}: {raw!r}")
            datetime.strptime(value, "%Y%m%d%H%M%S").replace(tzinfo=CST)
        elif "-" in name:
            form = _LEVEL if name.startswith("L") else _NUMBER
            self._rule(form.fullmatch(value) is not None, f"{name}={value}: {raw!r}")

    def _rule(self, kept: bool, fault: str) -> None:
        if not kept:
            self.faults.append(fault)
