"""A gateway's journal with readings made by hand, and sinks of HJ 212 that send from it."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from kit_hj212 import CST, MN, PW, Platform

from drivers.base import Quality
from gateway.configuration.config import Venue
from gateway.configuration.hj212 import Hj212
from gateway.environment.minute_maker import MinuteMaker
from gateway.hj212.link import link_of
from gateway.journal.readings import ReadingsWriter
from gateway.moment import NANO, ClockState, Moment
from gateway.sinks import hj212, hj212_talk
from gateway.sinks.hj212 import Hj212Sink, Sources
from gateway.values import Reading, Readings, RemoteSetting, SinkState

EVERY = {"gate-noise": 20.0, "yard-air": 60.0}
DAY_S = int(datetime(2026, 6, 8, tzinfo=CST).timestamp())
TABLE = f"""
host = "127.0.0.1"
port = 1
mn = "{MN}"
password_file = "none"
over_time = "1s"
re_count = 1

[factors]
LA = "gate-noise/laf"
a34004 = "yard-air/pm2_5"
a01006 = "yard-air/pressure"
"""


READY = ("9011", {"QnRtn": "1"})
FRAMES = Path(__file__).parent / "hj212_frames.toml"


class HandClock:
    """Stands still until it is moved; product waits are short."""

    def __init__(self, second: float) -> None:
        self.second, self.state = second, ClockState.SYNCHRONISED

    def now(self) -> Moment:
        return Moment(round(self.second * NANO), round(self.second * NANO), self.state)

    def pause(self, seconds: float) -> float:
        return min(seconds, 0.05)


class Site:
    """A gateway's journal with its readings made by hand, and one sink that sends from it."""

    def __init__(self, folder: Path, start_s: int = DAY_S) -> None:
        self.folder = folder
        self.clock = HandClock(start_s)
        self.told: list[Any] = []
        self.in_session = False
        self.writer = ReadingsWriter(folder, self.clock, self.told.append, CST, maker=MinuteMaker(EVERY))
        self.password = folder / "password"
        self.password.write_text(PW + "\n")

    def sink(self, platform: Platform | int, name: str = "city", **changes: Any) -> Hj212Sink:
        port = platform if isinstance(platform, int) else platform.port
        table = tomllib.loads(TABLE) | {"port": port, "password_file": str(self.password)} | changes
        venue = Venue(id="zj-no1", name="考点")
        link = link_of(name, Hj212.model_validate(table), venue, CST, EVERY)
        sources = Sources(self.folder, self.writer)
        return Hj212Sink(link, sources, self.told.append, self.clock, lambda _now: self.in_session)

    def live(self, minutes: int, *, silent: Callable[[int], bool] = lambda _second: False) -> None:
        """So many minutes of readings pass; the journal has them."""
        for _ in range(minutes):
            second = int(self.clock.second)
            for offset in (0, 20, 40):
                if not silent(second + offset):
                    self.put(second + offset)
            self.clock.second = second + 60
            if (second // 60) % 30 == 29 or (silent(second) and second // 60 % 3 == 0):
                self.writer._turn()
        self.clock.second += 3
        self.writer._turn()
        self.clock.second -= 3

    def put(self, second: int, quality: Quality = Quality.GOOD, reason: str | None = None) -> None:
        at = Moment(second * NANO, second * NANO)
        level = level_at(second) if quality is Quality.GOOD else None
        self.writer.put(Readings("gate-noise", (Reading("gate-noise/laf", level, quality, at, reason),)))
        if second % 60 == 0:
            air = [Reading("yard-air/pm2_5", 20.0 + second % 7, Quality.GOOD, at)]
            air += [Reading("yard-air/pressure", 1004.12, Quality.GOOD, at)]
            self.writer.put(Readings("yard-air", tuple(air)))

    def states(self) -> list[str]:
        return [told.state for told in self.told if isinstance(told, SinkState)]

    def settings(self) -> list[tuple[bool, str]]:
        return [(told.done, told.what) for told in self.told if isinstance(told, RemoteSetting)]


def level_at(second: int) -> float:
    return round(45.0 + 10 * math.sin(second / 997) + second % 11, 1)


def quick_site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Its sinks look more often for what is due: the same turns, sooner."""
    monkeypatch.setattr(hj212, "TURN_S", 0.02)
    monkeypatch.setattr(hj212_talk, "LOOK_EVERY_S", 0.1)
    return Site(folder)


def times(platform: Platform, cn: str, st: str) -> list[str]:
    return [said.values["DataTime"] for said in platform.said(cn, st)]


def stamps(start_s: int, every_s: int, count: int) -> list[str]:
    return [datetime.fromtimestamp(start_s + n * every_s, CST).strftime("%Y%m%d%H%M%S") for n in range(count)]


def qn(site: Site, milli: int = 0) -> str:
    """Of a platform's request: not of a millisecond in which the station speaks too."""
    return datetime.fromtimestamp(site.clock.second - 30, CST).strftime("%Y%m%d%H%M%S") + f"{milli:03d}"


def hasty(sink: Hj212Sink) -> Hj212Sink:
    """Waits 0.2 s for an answer; less than the configuration allows."""
    sink.link = replace(sink.link, terms=replace(sink.link.terms, over_time_s=0.2))  # type: ignore[arg-type]
    return sink
