"""Threads that sleep on something of their own are woken by the stop that ends them."""

import os
import queue
import select
import threading
import time

import pytest

from gateway.configuration.config import Bus
from gateway.nudge import Nudge
from gateway.sources.link import Link
from gateway.worker import ASLEEP_S, LOOK_S, Stop, Worker, idle_s


def test_a_stop_wakes_whoever_sleeps() -> None:
    """A worker that sleeps on a queue for a minute ends as soon as it is asked to."""
    asleep: queue.SimpleQueue[float] = queue.SimpleQueue()
    news: queue.SimpleQueue[None] = queue.SimpleQueue()

    def work(stop: threading.Event) -> None:
        longest_s = idle_s(stop, lambda: news.put(None))
        asleep.put(longest_s)
        while not stop.is_set():
            news.get(timeout=longest_s)

    worker = Worker("sleeper", work)
    worker.start()

    assert asleep.get(timeout=10) == ASLEEP_S
    worker.stop()
    assert worker.join(ASLEEP_S / 2)


def test_a_stop_that_came_first_wakes_too() -> None:
    """Nobody falls asleep after the stop; and after a failure only the new attempt is woken."""
    stop, woken = Stop(), list[str]()
    stop.wakes(lambda: woken.append("before"))
    stop.forget()
    stop.set()

    assert (ASLEEP_S, ["now"]) == (idle_s(stop, lambda: woken.append("now")), woken)


def test_a_plain_event_must_be_looked_at() -> None:
    """An event that cannot wake is looked at twice a second."""
    assert LOOK_S == idle_s(threading.Event(), lambda: None)


def test_a_nudge_is_taken_once() -> None:
    """Given twice before it is looked at, it is one; and its file descriptor is ready until it is taken."""
    nudge = Nudge()
    nudge.give()
    nudge.give()
    ready = select.select([nudge], [], [], 0)[0]

    assert ([nudge], True, False) == (ready, nudge.take(), nudge.take())
    assert [] == select.select([nudge], [], [], 0)[0]


def test_a_nudge_ends_the_wait_for_a_port() -> None:
    """A port's thread that listens for a minute comes back at once when it is nudged, and loses no byte over it."""
    far, near = os.openpty()
    nudge = Nudge()
    link = Link(Bus(port=os.ttyname(near)), nudge)
    threading.Timer(0.05, nudge.give).start()
    began = time.monotonic()

    assert b"" == link.read(60)
    assert time.monotonic() - began < 30
    nudge.give()
    os.write(far, b"abc")
    assert b"abc" == link.read(60) or link.read(60)
    link.close()
    for descriptor in (far, near):
        os.close(descriptor)


@pytest.mark.parametrize("waiting", [True, False])
def test_what_wakes_comes_after_the_stop_is_set(waiting: bool) -> None:
    """Whoever is woken finds the stop set: else it would fall asleep again."""
    stop, seen = Stop(), list[bool]()
    if waiting:
        stop.wakes(lambda: seen.append(stop.is_set()))
    stop.set()
    if not waiting:
        stop.wakes(lambda: seen.append(stop.is_set()))

    assert [True] == seen
