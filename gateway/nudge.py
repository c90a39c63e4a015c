"""Wakes a thread that sleeps on file descriptors."""

from __future__ import annotations

import os
import weakref


class Nudge:
    """`give` is for any thread; whoever sleeps polls `fileno()` and takes it afterwards. Several are one."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._fd)

    def fileno(self) -> int:
        return self._fd

    def give(self) -> None:
        os.eventfd_write(self._fd, 1)

    def take(self) -> bool:
        """Whether it was given since it was taken last."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return False
        return True
