"""The record on a card that hangs, fills up, becomes read-only or fails, and under a process that is killed."""

import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from kit_disk import SickCard
from test_verify import record

from gateway.journal.chain import read_event
from gateway.journal.database import open_reader
from gateway.journal.events import EventReader
from gateway.journal.readings import ReadingsReader

KIT = Path(__file__).parent / "kit_disk"


class Child:
    """The journal in a process of its own; `lines` is what it has said so far."""

    every: ClassVar[list["Child"]] = []

    def __init__(
        self, state: Path, env: dict[str, str], every_s: float = 0.01, script: str = "journal_child.py"
    ) -> None:
        self.lines: list[dict[str, Any]] = []
        self._new = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, str(KIT / script), str(state), str(every_s)],
            env=env | {"PYTHONPATH": str(Path(__file__).parent.parent)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.every.append(self)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._new:
                if line.endswith("\n"):  # the last one may be cut by the kill
                    self.lines.append(json.loads(line))
                self._new.notify_all()

    def wait(self, key: str, value: Any = ..., since: int = 0, timeout_s: float = 20) -> int:
        """The index of the first line from `since` on that says `key` (as `value`)."""

        def found() -> int | None:
            for i, line in enumerate(self.lines[since:], since):
                if key in line and value in (..., line[key]):
                    return i + 1
            return None

        with self._new:
            index = self._new.wait_for(found, timeout_s)
        assert index, (key, value, self.lines[-5:])
        return index - 1

    def kill(self) -> None:
        self.every.remove(self)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._thread.join()
        assert self.process.stdout
        self.process.stdout.close()

    def said(self, key: str) -> list[Any]:
        return [line[key] for line in self.lines if key in line]


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SickCard]:
    with SickCard(tmp_path / "state") as card:
        yield card
    for child in list(Child.every):
        child.kill()


def in_record(card: SickCard) -> list[int]:
    reader = EventReader(card.directory)
    numbers = [e.number for e in reader.after(0, 100_000)]
    reader.close()
    return numbers


def test_stalled_commit(card: SickCard) -> None:
    """A9: while a commit hangs, events are made and wait, and none is called stored; after it, all are."""
    child = Child(card.directory, card.env())
    child.wait("stored")
    card.stall(1.5)
    start = child.wait("made", since=len(child.lines))
    mark = child.wait("made", since=start + 100)
    early = sum("stored" in line for line in child.lines[start + 5 : mark])
    caught_up = child.wait("stored", since=child.wait("stored", since=mark) + 1)
    child.kill()
    waited = child.lines[mark]["made"]

    assert 0 == early
    assert waited <= child.lines[caught_up]["stored"]
    assert set(range(1, waited + 1)) <= set(in_record(card))


@pytest.mark.parametrize(
    ("name", "said"),
    [("EROFS", "the card has become read-only"), ("EIO", "the card fails to read or write")],
)
def test_failing_card(card: SickCard, name: str, said: str) -> None:
    """F8: a card that fails is said, nothing is lost meanwhile, and all is written when it is well."""
    child = Child(card.directory, card.env())
    child.wait("stored")
    card.fail(name)
    failed = child.wait("error", said)
    child.wait("made", since=failed + 50)
    card.heal()
    child.wait("error", None, since=failed + 1)
    child.wait("stored", since=len(child.lines))
    child.kill()
    made, kept = child.said("made"), in_record(card)

    assert set(child.said("stored")) <= set(kept)
    assert made[: len(kept)] == kept
    assert not child.said("aside")


def test_full_card(card: SickCard) -> None:
    """F7: on a full card the reserve is given up and custody events are still recorded; the card's state is said."""
    child = Child(card.directory, card.env())
    child.wait("stored")
    assert 4 * 1024 * 1024 == (card.directory / "events.reserve").stat().st_size
    card.fail("ENOSPC")
    failed = child.wait("error", "the card is full")
    child.wait("stored", since=child.wait("made", since=failed + 100))
    given_up = not (card.directory / "events.reserve").exists()
    card.heal()
    child.wait("error", None, since=failed)
    child.kill()

    assert given_up
    assert (card.directory / "events.reserve").exists()
    assert set(child.said("stored")) <= set(in_record(card))


def test_read_only_from_the_start(card: SickCard) -> None:
    """F8: a card that is read-only at the start still gives numbers and heads; the run goes on from memory."""
    child = Child(card.directory, card.env())
    child.wait("stored")
    child.kill()
    before = in_record(card)
    card.fail("EROFS")
    child = Child(card.directory, card.env())
    child.wait("error", "the card has become read-only")
    failed = child.wait("made")
    card.heal()
    child.wait("stored", since=failed)
    child.kill()

    assert before[-1] == child.said("number")[0]
    assert in_record(card) == sorted(set(in_record(card)))
    assert set(child.said("stored")) <= set(in_record(card))


def test_kills(card: SickCard) -> None:
    """C4: killed at any instant, also in a stall, nothing that was called stored is lost; the chain has no break."""
    random.seed(7)
    promised: set[str] = set()
    for round_ in range(6):
        child = Child(card.directory, card.env(), every_s=0.002)
        child.wait("made")
        if round_ % 3 == 2:
            card.stall(30)
        threading.Event().wait(random.uniform(0.0, 0.4))
        child.kill()
        card.heal()
        stored = max(child.said("stored"), default=0)
        promised |= {line["hash"] for line in child.lines if "hash" in line and line["made"] <= stored}
    reader = EventReader(card.directory)
    events = reader.after(0, 100_000)
    reader.close()
    bodies = [read_event(e.body, (card.directory / "device.pub").read_text().strip()) for e in events]

    assert len(promised) > 50
    assert set() == promised - {e.hash for e in events}
    assert [None, *(b["hash"] for b in bodies)][:-1] == [b["previous"] for b in bodies]


def test_reading_a_dead_gateways_record(card: SickCard) -> None:
    """The record of a killed gateway can be read without writing: log and all, also from a read-only place."""
    child = Child(card.directory, card.env())
    child.wait("stored")
    child.kill()
    before = {p.name: p.read_bytes() for p in card.directory.glob("events.db*") if not p.name.endswith("-shm")}
    connection = open_reader(card.directory / "events.db")
    count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    connection.close()
    after = {p.name: p.read_bytes() for p in card.directory.glob("events.db*") if not p.name.endswith("-shm")}

    assert len(child.said("stored")) > 0
    assert count >= max(child.said("stored"))
    assert before == after


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ENOSPC", "the card is full"),
        ("EROFS", "the card has become read-only"),
        ("EIO", "the card fails to read or write"),
    ],
)
def test_readings_on_a_sick_card(card: SickCard, name: str, said: str) -> None:
    """F7, F8, C5: while the card takes no readings a sink gets each one all the same; later all are on the card."""
    child = Child(card.directory, card.env(), script="readings_child.py")
    child.wait("seen")
    card.fail(name)
    failed = child.wait("error", said)
    child.wait("seen", since=child.wait("seen", since=failed + 3) + 1)
    card.heal()
    healed = child.wait("error", None, since=failed)
    child.wait("seen", since=healed + 3)
    child.kill()
    seen = [value for values in child.said("seen") for value in values]
    reader = ReadingsReader(card.directory)
    kept = [answer.readings[0].value for _, block in reader.after(0, 10_000) for answer in block]
    cursor = reader.cursor("sink")
    reader.close()
    sick = [value for line in child.lines[:healed] for value in line.get("seen", [])]

    assert list(range(len(seen))) == seen
    assert sick == kept[: len(sick)]
    assert cursor in child.said("place")
    assert 0 == child.lines[healed]["lost"]


def test_readings_killed(card: SickCard) -> None:
    """C5: a kill costs readings of less than 5 s, at the end, and never one that was on the card."""
    child = Child(card.directory, card.env(), script="readings_child.py")
    for _ in range(5):
        child.wait("seen", since=len(child.lines))
    child.kill()
    seen = len([value for values in child.said("seen") for value in values])
    reader = ReadingsReader(card.directory)
    kept = [answer.readings[0].value for _, block in reader.after(0, 10_000) for answer in block]
    reader.close()

    assert list(range(len(kept))) == kept
    assert len(kept) > 100
    assert seen - len(kept) < 200 * 5 / 20


def test_closed_record_on_a_read_only_card(card: SickCard) -> None:
    """F8: a cleanly closed record on a read-only card is read by the next run and by `journal verify` all the same."""
    events = record(card.directory, 2)
    card.fail("EROFS")
    words = ["-m", "gateway", "journal", "verify", "--lang", "en", "--state", str(card.directory)]
    proof = subprocess.run([sys.executable, *words], env=card.env(), capture_output=True, text=True, check=False)
    child = Child(card.directory, card.env())
    child.wait("made")
    child.kill()

    assert (0, "") == (proof.returncode, proof.stderr)
    assert proof.stdout.startswith(f"{len(events)} events: none removed")
    assert len(events) == child.said("number")[0]
    assert "the card has become read-only" in child.said("error")
