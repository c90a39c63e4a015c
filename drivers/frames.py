"""Finding frames in a stream of bytes, one byte at a time where it must be."""

from __future__ import annotations

from drivers.base import Framing
from drivers.errors import BadChecksum, BadFrame

MAX_BUFFER = 4096  # more than twice the longest frame of any device here (1544 bytes)


def whole(frame: Framing, reply: bytes) -> bytes:
    """The reply, if it is exactly one good frame; BadFrame or BadChecksum if not. What every `decode` begins with."""
    if frame(reply) != len(reply) or not reply:
        raise BadFrame(f"not one whole frame: {reply.hex(' ')!r}")
    return reply


class Scanner:
    """Feeds on a stream and yields its good frames. Drops one byte on a false start, so that no frame is lost."""

    def __init__(self, frame: Framing) -> None:
        self._frame = frame
        self._buffer = bytearray()
        self.dropped = 0  # bytes that belonged to no frame
        self.bad_checks = 0  # whole frames whose check failed

    def feed(self, data: bytes) -> list[bytes]:
        self._buffer += data
        frames: list[bytes] = []
        start = 0
        while start < len(self._buffer):
            rest = bytes(self._buffer[start:])
            try:
                length = self._frame(rest)
            except BadFrame as error:
                self.bad_checks += isinstance(error, BadChecksum)
                self.dropped += 1
                start += 1
                continue
            if length == 0:
                break
            frames.append(rest[:length])
            start += length
        del self._buffer[:start]
        if len(self._buffer) > MAX_BUFFER:  # a framing that always asks for more must not eat the memory
            self.dropped += len(self._buffer)
            self._buffer.clear()
        return frames

    def clear(self) -> None:
        self._buffer.clear()
