"""One question and its one answer on a line: echo, noise, late answers, and what to call a failure.

RTU has no transaction number, so everything rests on order. Nothing is sent while bytes are still coming; what lies
there before a question is thrown away; two answers to one question are none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from drivers.base import Read
from drivers.checks import crc16_modbus
from drivers.errors import BadChecksum, BadFrame, DeviceError, Timeout
from drivers.frames import Scanner
from gateway.sources.link import Link

SLICE_S = 0.5  # longest wait before looking whether to stop
SETTLED_S = 0.1  # silence after a damaged answer that ends it: an FTDI adapter may pause 16 ms within one
_STRAY_BYTES = 512
RESTLESS_S = 0.5  # a line that is not quiet for so long is not waited for any longer


class Garbled(BadFrame):
    """Bytes come where an answer should, and they are no frame of any device: speed, parity or wiring are wrong."""


class Confused(BadFrame):
    """More came than was asked for: a late answer, or two devices of one address. What is whose cannot be known."""


class Reply:
    """Collects what comes after a question until it is the answer. Pure: bytes in, frame or error out."""

    def __init__(self, read: Read, echo: bool | None = None) -> None:
        self.echoed = False  # the line gave back what was sent
        self._sent = read.send
        self._frame = read.frame
        self._echo = echo
        self._scanner = Scanner(read.frame)
        self._received = b""
        self._body = b""
        self._decided = not read.send

    @property
    def damaged(self) -> bool:
        """A whole frame came whose check fails."""
        return self._scanner.bad_checks > 0

    @property
    def dropped(self) -> int:
        return self._scanner.dropped

    def feed(self, data: bytes) -> bytes | None:
        """The answer, as soon as it is whole. Raises Confused when there are two."""
        self._received += data
        if self._decided:
            return self._scan(data)
        if self._received.startswith(self._sent):
            # Where the answer repeats the question (functions 5, 6) it is the answer, unless the line is known to echo.
            self._decided = True
            self.echoed = bool(self._echo) or not self._is_frame(self._sent)
            return self._scan(self._received[len(self._sent) if self.echoed else 0 :])
        if self._sent.startswith(self._received):
            return None  # may become an echo
        self._decided = True
        return self._scan(self._received)

    def finish(self) -> bytes:
        """At the end of the time: an answer hidden behind a false start, or the error that says what came instead."""
        for start in range(1, len(self._body)):
            try:
                length = self._frame(self._body[start:])
            except BadFrame:
                continue
            if length:
                return self._body[start : start + length]
        raise self._failure()

    def _is_frame(self, data: bytes) -> bool:
        try:
            return self._frame(data) == len(data)
        except BadFrame:
            return False

    def _scan(self, data: bytes) -> bytes | None:
        self._body += data
        frames = self._scanner.feed(data)
        if len(frames) > 1:
            raise Confused(f"{len(frames)} answers to one question")
        return frames[0] if frames else None

    def _failure(self) -> DeviceError:
        if not self._received:
            return Timeout("no answer")
        if not self._body:
            if self.echoed:
                return Timeout("no answer, only the echo of the question")
            return Timeout(f"answer cut off after {len(self._received)} bytes: {_shown(self._received)}")
        if self.damaged:
            return BadChecksum(f"the check of the answer fails: {_shown(self._body)}")
        try:
            self._frame(self._body)
        except BadFrame as error:
            return self._stranger(error)
        return Timeout(f"answer cut off after {len(self._body)} bytes: {_shown(self._body)}")

    def _stranger(self, error: BadFrame) -> BadFrame:
        """A frame of another unit or function has a valid check; what has none, and is not short, is garbled."""
        if len(self._body) >= 4 and crc16_modbus(self._body[:-2]) == self._body[-2:]:
            return error
        zeros = sum(byte in {0x00, 0x80, 0xFF} for byte in self._body[1:])
        if self._sent[:1] == self._body[:1] and 2 * zeros >= len(self._body) - 1 > 1:
            return Garbled(f"the right address, then mostly zeros: parity or speed is wrong: {_shown(self._body)}")
        if len(self._body) >= 3:
            return Garbled(f"no frame: speed, parity or wiring is wrong, or the line is noisy: {_shown(self._body)}")
        return error


class Exchange:
    """Asks on one open link. Owned by the thread that owns the link."""

    def __init__(
        self, link: Link, stop: threading.Event, *, patient: bool = True, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`patient`: wait for a quiet line before a question; not so where a device talks by itself."""
        self.echo: bool | None = None  # whether the line gives back what is sent; None: not yet known
        self.dropped = 0  # bytes that belonged to no answer
        self.latency_s = 0.0  # of the last answer, from the last byte sent
        self.stray = b""  # what came between answers, since somebody last looked
        self._link = link
        self._patient = patient
        self._stop = stop
        self._now = now

    def ask(self, read: Read, timeout_s: float | None = None) -> bytes:
        """The frame that answers `read`, or b"" where none is due. Raises DeviceError or PortError.

        `timeout_s` (real seconds) replaces the read's own.
        """
        self.clear_line()
        if read.send:
            self._link.write(read.send)
        sent = self._now() + self._link.seconds_for(len(read.send))
        if read.pause_s:
            self._stop.wait(read.pause_s)
        if not read.answered:
            return b""
        reply = Reply(read, self.echo)
        try:
            frame = self._collect(reply, sent + (read.timeout_s if timeout_s is None else timeout_s))
        finally:
            self.dropped += reply.dropped
            if reply.echoed:
                self.echo = True
        self.echo = reply.echoed
        self.latency_s = max(0.0, self._now() - sent)
        return frame

    def clear_line(self) -> None:
        """Throws away what lies on the line, and waits until nothing more comes."""
        if not self.discard(0) or not self._patient:
            return
        deadline = self._now() + RESTLESS_S
        while self.discard(0.02 + self._link.seconds_for(4)):  # the latency of USB adapters, and Modbus's silence
            if self._now() > deadline:
                raise Garbled("the line is never quiet")

    def discard(self, wait_s: float) -> int:
        """Listens for at most `wait_s` and throws away what comes first; how many bytes."""
        data = self._link.read(wait_s)
        self.dropped += len(data)
        self.stray = (self.stray + data)[-_STRAY_BYTES:]
        return len(data)

    def listen(self, seconds: float) -> None:
        """Listens for so long; what comes is stray."""
        deadline = self._now() + seconds
        while (left_s := deadline - self._now()) > 0:
            self.discard(left_s)

    def _collect(self, reply: Reply, deadline: float) -> bytes:
        heard = self._now()
        while (left_s := deadline - self._now()) > 0 and not self._stop.is_set():
            data = self._link.read(min(left_s, SETTLED_S if reply.damaged else SLICE_S))
            if data:
                heard = self._now()
                frame = reply.feed(data)
                if frame is not None:
                    return frame
            elif reply.damaged and self._now() - heard >= SETTLED_S:
                break
        return reply.finish()


def _shown(data: bytes) -> str:
    return data[:24].hex(" ") + (" ..." if len(data) > 24 else "")
