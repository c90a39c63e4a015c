"""Old events leave the record when a signed event has said so, and never one that somebody still needs."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kit_engine import Bench
from test_verify import run as journal

from gateway.journal import events_table as table
from gateway.journal.events import EventReader, EventWriter
from gateway.journal.events_ageing import ALARM, KeepEvents
from gateway.journal.verify import Fault, verify
from gateway.moment import ClockState, Moment
from gateway.values import AgedOut

DAY_S = 86_400.0
KEEP = KeepEvents(days=30, bytes=1 << 30)


class Site:
    """The real engine and the real writer, taking turns; time moves by hand."""

    def __init__(self, directory: Path, keep: KeepEvents = KEEP) -> None:
        self.bench = Bench(directory)
        self.clock_state = ClockState.SYNCHRONISED
        self.directory, self.keep, self._written = directory, keep, 0
        self._open()
        self.bench.found_safe()

    def _open(self) -> None:
        self.told: list[Any] = []
        self.writer = EventWriter(self.directory, self, self.told.append, self.keep)
        self.writer.open()
        self.writer.serve(frozenset({"mqtt"}))

    def now(self) -> Moment:
        return Moment(self.bench.now.wall_ns, self.bench.now.mono_ns, self.clock_state)

    def pause(self, seconds: float) -> float:
        return seconds

    def restart(self) -> None:
        self.store()
        self.writer._finish()
        self.bench.restart()
        self._open()

    def store(self, *, delivered: bool = True) -> None:
        for event in self.bench.out.made[self._written :]:
            self.writer.put(event, self.bench.out.snapshots[event.alarm])
            if event.needs_receipt and delivered:
                self.writer.received(event.number, event.hash, "county", event.at.wall_ns)
        self._written = len(self.bench.out.made)
        if delivered and self.bench.out.made:
            self.writer.advance("mqtt", self.bench.out.made[-1].number)
        self.writer._collect()
        assert self.writer._attempt()

    def days(self, count: float) -> None:
        self.bench.now = self.bench.now.after(count * DAY_S)

    def look(self) -> list[AgedOut]:
        """The writer looks for what is due; what it asks the engine for."""
        before = len(self.told)
        self.writer._collect()
        assert self.writer._attempt()
        self.writer._age()
        return [each for each in self.told[before:] if isinstance(each, AgedOut)]

    def age(self, *, delivered: bool = True) -> list[AgedOut]:
        """… and the engine says it, until nothing more is due."""
        asked: list[AgedOut] = []
        while new := self.look():
            asked += new
            for message in new:
                self.bench.engine.handle(message)
            self.store(delivered=delivered)
        return asked

    def kept(self) -> list[dict[str, Any]]:
        reader = EventReader(self.directory)
        events = [json.loads(event.body) for event in reader.after(0, 10_000)]
        reader.close()
        return events

    def rule(self, count: int = 1) -> None:
        """The noise alarm comes and goes; the button is pressed and reset."""
        for _ in range(count):
            self.bench.level(70.0, 18)
            self.bench.level(40.0, 18)
        self.bench.act("ack", "noise-in-session")

    def press(self) -> None:
        self.bench.press()
        self.bench.act("ack", "leak-button")
        self.bench.act("reset", "leak-button")
        self.bench.wait(1)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.rule()
    made.press()
    made.store()
    return made


def test_old_events_leave_when_an_event_says_so(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Not before their age, not before the signed statement is on the card; what remains is proven to follow it."""
    old = site.kept()
    early = site.look()
    site.days(31)
    site.bench.engine.advance(site.bench.now)
    [asked] = site.look()
    unsaid = len(site.kept())
    site.bench.engine.handle(asked)
    site.store()
    said = len(site.kept())
    site.age()
    verdict, remains = verify(site.directory), site.kept()
    whole = journal(capsys, site.directory, "verify")

    assert ([], len(old), len(old) + 1) == (early, unsaid, said)
    assert (asked.count, asked.total) == (len(old), len(old))
    assert {"custody", "environment"} <= asked.anchors.keys()
    assert [] == [event for event in remains if event["hash"] in {each["hash"] for each in old}]
    assert () == verdict.findings
    assert verdict.aged is not None
    assert (asked.total, remains[0]["details"]["until"]) == (verdict.aged.total, verdict.aged.until)
    assert 0 == whole[0]
    assert f"{len(old)} events until 2026-06-07T" in whole[1]


def test_the_chain_goes_on_from_what_left(site: Site) -> None:
    """A stream of which every event has left goes on from the last of them, over a restart too."""
    last = {event["stream"]: event["hash"] for event in site.kept()}
    site.days(31)
    site.age()
    site.restart()
    site.press()
    site.rule()
    site.store()
    first = {event["stream"]: event["previous"] for event in reversed(site.kept())}
    site.days(31)
    asked = site.age()

    assert (last["custody"], last["environment"]) == (first["custody"], first["environment"])
    assert () == verify(site.directory).findings
    assert asked[-1].total > asked[-1].count > 0


def test_heads_that_the_far_side_kept(site: Site) -> None:
    """Heads of what aged out are no sign of a cut; one of an event that was cut off since is."""
    kept = [*site.kept()]
    again = {**kept[-1], "time": "2026-07-20T00:00:00.000+08:00"}  # a head is said every 30 s, whatever its age
    site.days(31)
    site.age()
    site.press()
    site.store()
    gone = site.kept()[-1]
    whole = verify(site.directory, [*kept, again, gone])
    with closing(sqlite3.connect(site.directory / "events.db")) as connection, connection:
        connection.execute("DELETE FROM events WHERE hash = ?", (gone["hash"],))
    cut = verify(site.directory, [*kept, again, gone])

    assert () == whole.findings
    assert {gone["hash"], ""} == {finding.hash for finding in cut.findings}


@pytest.mark.parametrize("stream", ["custody", "gateway"])
def test_a_beginning_that_was_cut_off_is_found(site: Site, stream: str) -> None:
    """Whoever deletes more than was stated and writes anchors himself is found: only a signed statement counts."""
    site.days(31)
    site.age()
    site.rule(2)
    site.press()
    site.store()
    with closing(sqlite3.connect(site.directory / "events.db")) as connection, connection:
        number, run, seq, hash_ = connection.execute(
            "SELECT min(number), run, seq, hash FROM events WHERE stream = ?", (stream,)
        ).fetchone()
        connection.execute("DELETE FROM events WHERE number = ?", (number,))
        for key, value in ((f"aged/{stream}", f"{run} {seq} {hash_}"), (f"anchor/{stream}", hash_)):
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    assert (Fault.MISSING, stream) == (
        verify(site.directory).findings[0].fault,
        verify(site.directory).findings[0].stream,
    )


def undelivered(site: Site) -> None:
    site.rule()
    site.store(delivered=False)


def without_receipt(site: Site) -> None:
    site.press()
    site.store(delivered=False)
    site.writer.advance("mqtt", site.bench.out.made[-1].number)


def standing(site: Site) -> None:
    site.bench.lines("door", True)
    site.bench.wait(1, 0.1)
    site.store()


@pytest.mark.parametrize(
    ("happens", "stays"), [(undelivered, "noise-in-session"), (without_receipt, "leak-button"), (standing, "door")]
)
def test_what_somebody_needs_stays(tmp_path: Path, happens: Callable[[Site], None], stays: str) -> None:
    """No age takes what a sink has no proof for, what needs a receipt, or an alarm that stands; the rest goes."""
    site = Site(tmp_path)
    site.rule()
    site.press()
    site.store()
    old = len(site.kept())
    happens(site)
    needed = [event["hash"] for event in site.kept()[old:] if event["alarm"] == stays]
    site.days(400)
    asked = site.age(delivered=False)
    kept = [event["hash"] for event in site.kept()]

    assert needed
    assert set(needed) <= set(kept)
    assert old <= sum(each.count for each in asked)
    assert () == verify(tmp_path).findings


@pytest.mark.parametrize("unknown", ["clock", "sinks"])
def test_nothing_leaves_on_a_guess(site: Site, unknown: str) -> None:
    """E2: of a clock that nobody has set no age is told; nor does anything go while it is not known who is sent to."""
    if unknown == "clock":
        site.clock_state = ClockState.UNSYNCHRONISED
    else:
        site.writer._sinks = None
    site.days(400)

    assert [] == site.age()


def test_too_many_bytes(tmp_path: Path) -> None:
    """When they are too many the oldest go, whatever the clock says, and the file grows no further."""
    site = Site(tmp_path, KeepEvents(days=1000, bytes=128 * 1024))
    site.clock_state = ClockState.UNSYNCHRONISED
    for _ in range(30):
        site.rule()
        site.press()
        site.store()
        site.days(0.1)
        site.age()
    kept = [event["hash"] for event in site.kept()]
    newest = [event.hash for event in site.bench.out.made[-len(kept) :]]
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection:
        used = table.used_bytes(connection)

    assert used <= 160 * 1024
    assert len(kept) > 20
    assert set(newest[len(kept) // 2 :]) <= set(kept)
    assert () == verify(tmp_path).findings


def test_cut_between_the_statement_and_the_deletion(site: Site) -> None:
    """A stop after the statement was stored: the record is whole as it is, and the next run lets the same events go."""
    old = len(site.kept())
    site.days(31)
    [asked] = site.look()
    site.bench.engine.handle(asked)
    site.restart()
    between = verify(site.directory)
    site.days(31)
    site.age()
    after = verify(site.directory)

    assert ((), None) == (between.findings, between.aged)
    assert ((), True) == (after.findings, after.aged is not None and after.aged.total >= old)
    assert ALARM in {event["alarm"] for event in site.kept()}


def test_a_sink_that_left_holds_nothing_back(site: Site) -> None:
    """The cursor of a sink that the configuration no longer has is forgotten, on the card too."""
    old = len(site.kept())
    site.writer.advance("second", 1)
    site.writer.serve(frozenset({"mqtt", "second"}))
    site.store()
    site.days(31)
    held = site.age()
    site.writer.serve(frozenset({"mqtt"}))
    site.store()
    site.days(1)
    with closing(sqlite3.connect(site.directory / "events.db")) as connection:
        cursors = table.cursors(connection)

    assert 1 == sum(each.count for each in held)
    assert {"mqtt"} == cursors.keys()
    assert old - 1 == sum(each.count for each in site.age())
