"""A wall clock that can be set under a running process, and whether the kernel calls it synchronised (F-CLOCK)."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from gateway.moment import ClockState, Moment, SystemClock

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *control; /* nanoseconds to add; whether synchronised */

__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("CLOCK_CONTROL"), O_RDONLY | O_CLOEXEC);
    void *found = fd < 0 ? MAP_FAILED : mmap(0, 16, PROT_READ, MAP_SHARED, fd, 0);
    control = found == MAP_FAILED ? 0 : found;
    if (fd >= 0)
        close(fd);
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, which, now);
    if (control && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t ns = now->tv_sec * 1000000000LL + now->tv_nsec + control[0];
        now->tv_sec = ns / 1000000000LL;
        now->tv_nsec = ns % 1000000000LL;
    }
    return result;
}

int adjtimex(struct timex *state)
{
    (void)state;
    return control && control[1] ? TIME_OK : TIME_ERROR;
}
"""


class WallClock:
    """Processes started with `env` have it."""

    def __init__(self, folder: Path, *, synchronised: bool = True) -> None:
        self._control, library, source = folder / "clock.control", folder / "clock.so", folder / "clock.c"
        source.write_text(_SOURCE)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)
        self._control.write_bytes(struct.pack("qq", 0, synchronised))
        self.env = {**os.environ, "LD_PRELOAD": str(library), "CLOCK_CONTROL": str(self._control)}

    def set(self, seconds: float, *, synchronised: bool = True) -> None:
        """So far off the machine's own clock, from now on."""
        with self._control.open("r+b") as file:
            file.write(struct.pack("qq", round(seconds * 1e9), synchronised))


class Believing:
    """A clock with a state of our choosing."""

    def __init__(self, state: ClockState) -> None:
        self._clock, self._state = SystemClock(), state

    def now(self) -> Moment:
        now = self._clock.now()
        return Moment(now.wall_ns, now.mono_ns, self._state)

    def pause(self, seconds: float) -> float:
        return seconds
