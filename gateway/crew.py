"""The threads that depend on the configuration: a post is filled anew when what it is made of has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.assembly import Plan
from gateway.worker import Worker


@dataclass(slots=True)
class Post:
    """`made_of`: what of a plan it depends on; equal before and after a reload, it goes on undisturbed."""

    made_of: Callable[[Plan], object]
    make: Callable[[], list[Worker]]
    workers: list[Worker] = field(default_factory=list)

    def fill(self) -> None:
        self.workers = self.make()

    def renew(self, before: Plan, after: Plan) -> None:
        if self.made_of(before) != self.made_of(after):
            end(self.workers, 2.0)
            self.fill()
            start(self.workers)


def start(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.start()


def end(workers: Sequence[Worker], limit_s: float) -> None:
    """Ask all to stop, then wait for them, together no longer than so (real seconds)."""
    for worker in workers:
        worker.stop()
    deadline = time.monotonic() + limit_s
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
