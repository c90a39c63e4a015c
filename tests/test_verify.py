"""The verifier finds every single edit of the record and names the first bad event; and the command line around it."""

import argparse
import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue import choose
from gateway.errors import Refused
from gateway.journal.chain import Chain, Head, Identity, new_run, public_keys
from gateway.journal.cli import journal_main
from gateway.journal.events import EventWriter
from gateway.journal.events_table import insert
from gateway.journal.parser import add_journal_parser
from gateway.journal.verify import Fault, Finding, verify
from gateway.moment import Moment, SystemClock
from gateway.values import Event

CLOCK = SystemClock()
AT = Moment(1_780_794_723_123_000_000, 5_000_000_000)
STOPPED = threading.Event()
STOPPED.set()
PATTERN = ["custody", "environment", "environment", "custody", "gateway", "environment"]


def fields(count: int) -> dict[str, Any]:
    return {
        "alarm": "noise",
        "count": count,
        "time": f"2026-06-07T09:{count % 60:02d}:03.123+08:00",
        "transition": "raised",
        "value": 58.4,
        "unit": "dB(A)",
        "text": {"zh": "噪声", "en": "noise"},
        "note": "=1+1",
        "by": "li-wei",
    }


def record(directory: Path, runs: int = 3) -> list[Event]:
    """A record of several runs and streams, written by the real writer."""
    events: list[Event] = []
    identity = Identity.open(directory, AT)
    for _ in range(runs):
        writer = EventWriter(directory, CLOCK, lambda _: None)
        found = writer.open()
        chain = Chain(new_run(), "zj-no1", found.number, found.heads, identity)
        for stream in PATTERN:
            events.append(chain.make(stream, fields(len(events)), at=AT.after(len(events) * 60)))
            writer.put(events[-1])
        writer.run(STOPPED)
    return events


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    directory = tmp_path_factory.mktemp("state")
    return directory, record(directory)


def edited(original: Path, edit: Callable[[sqlite3.Connection], object]) -> tuple[Finding, ...]:
    """What the verifier says of a copy that somebody has edited, with the guarding index out of the way."""
    copy = original.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(original, copy)
    with closing(sqlite3.connect(copy / "events.db")) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("DROP INDEX by_seq")
        edit(connection)
    return verify(copy).findings


def test_untouched(original: tuple[Path, list[Event]]) -> None:
    """A record of several runs as it was written is whole; each head of its streams is found in it."""
    directory, events = original
    heads = [json.loads(event.body) for event in events[-6:]]
    verdict = verify(directory, heads)

    assert (len(events), (), None, True) == (verdict.events, verdict.findings, verdict.after, verdict.joined)


INDEX = st.integers(0, 3 * len(PATTERN) - 1)


@settings(max_examples=40)
@given(index=INDEX)
def test_removed(original: tuple[Path, list[Event]], index: int) -> None:
    """Every removed event is found, and the next of its stream is named; of a stream's last one, a kept head tells."""
    directory, events = original
    gone = events[index]
    following = next((e for e in events[index + 1 :] if e.stream == gone.stream), None)
    found = edited(directory, lambda c: c.execute("DELETE FROM events WHERE number = ?", (gone.number,)))

    if following is not None:
        assert (Fault.MISSING, following.number) == (found[0].fault, found[0].number)
    elif gone is events[-1]:
        assert [(Fault.CUT_OFF, gone.number)] == [(f.fault, f.number) for f in found]
    head = verify(directory.with_name("copy"), [json.loads(gone.body)]).findings[-1]
    assert (Fault.CUT_OFF, gone.hash, gone.stream, gone.seq) == (head.fault, head.hash, head.stream, head.seq)


@settings(max_examples=150)
@given(index=INDEX, data=st.data())
def test_altered_body(original: tuple[Path, list[Event]], index: int, data: st.DataObject) -> None:
    """Every byte of a message that is replaced, removed or added is found, and that event is named."""
    directory, events = original
    body = events[index].body
    at = data.draw(st.integers(0, len(body) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])
    edits = [body[:at] + byte + body[at + 1 :], body[:at] + body[at + 1 :], body[:at] + byte + body[at:]]
    new = data.draw(st.sampled_from(edits))
    if new == body:
        return
    number = events[index].number
    found = edited(directory, lambda c: c.execute("UPDATE events SET body = ? WHERE number = ?", (new, number)))

    assert number == found[0].number
    assert found[0].fault in {Fault.ALTERED, Fault.UNSIGNED}


@pytest.mark.parametrize(
    ("column", "value"),
    [("stream", "screening"), ("run", "f" * 16), ("seq", 99), ("id", "x"), ("hash", "0" * 64), ("alarm", "other")],
)
def test_altered_row(original: tuple[Path, list[Event]], column: str, value: object) -> None:
    """A row that says something else than its message is found, whichever column it is."""
    directory, events = original
    number = events[7].number
    found = edited(directory, lambda c: c.execute(f"UPDATE events SET {column} = ? WHERE number = ?", (value, number)))

    assert (Fault.ALTERED, number, column) == (found[0].fault, found[0].number, found[0].detail)


def test_marked_historical(original: tuple[Path, list[Event]]) -> None:
    """The stored message is the one of the moment: the mark that hash and signature leave out cannot be set in it."""
    directory, events = original
    body = events[3].body.replace(b'"historical":false', b'"historical":true')
    found = edited(directory, lambda c: c.execute("UPDATE events SET body = ? WHERE number = 4", (body,)))

    assert [(Fault.ALTERED, 4, "historical")] == [(f.fault, f.number, f.detail) for f in found]


@settings(max_examples=40)
@given(first=INDEX, second=INDEX)
def test_reordered(original: tuple[Path, list[Event]], first: int, second: int) -> None:
    """Two events of a stream that change places are found, and the first place where the order is wrong is named."""
    directory, events = original
    if first >= second or events[first].stream != events[second].stream:
        return
    one, two = events[first].number, events[second].number

    def swap(connection: sqlite3.Connection) -> None:
        for new, old in ((-1, one), (one, two), (two, -1)):
            connection.execute("UPDATE events SET number = ? WHERE number = ?", (new, old))

    found = edited(directory, swap)

    assert (Fault.REORDERED, one) == (found[0].fault, found[0].number)


def renumbered(event: Event, number: int) -> Event:
    return Event(number, *(getattr(event, name) for name in Event.__slots__[1:]))


def test_inserted_copy(original: tuple[Path, list[Event]]) -> None:
    """A true event that stands there twice is found."""
    directory, events = original
    found = edited(directory, lambda c: insert(c, "events", [renumbered(events[2], 1000)]))

    assert (Fault.FORKED, 1000) == (found[0].fault, found[0].number)


def test_inserted_by_a_stranger(original: tuple[Path, list[Event]], tmp_path: Path) -> None:
    """An event that fits the chain but is signed by another key is found."""
    directory, events = original
    last = next(e for e in reversed(events) if e.stream == "custody")
    stranger = Chain(
        last.run, "zj-no1", 1000, {"custody": Head(last.run, last.seq, last.hash)}, Identity.open(tmp_path, AT)
    )
    found = edited(directory, lambda c: insert(c, "events", [stranger.make("custody", fields(1), at=AT)]))

    assert [(Fault.UNSIGNED, 1001)] == [(f.fault, f.number) for f in found]


def test_forked_by_the_owner(original: tuple[Path, list[Event]]) -> None:
    """Even with the device's own key, a second continuation of an old event is found."""
    directory, events = original
    old = events[1]
    identity = Identity.open(directory, AT)
    fork = Chain(new_run(), "zj-no1", 1000, {"environment": Head(old.run, old.seq, old.hash)}, identity)
    found = edited(directory, lambda c: insert(c, "events", [fork.make("environment", fields(1), at=AT)]))

    assert [(Fault.FORKED, 1001)] == [(f.fault, f.number) for f in found]


def test_second_beginning(original: tuple[Path, list[Event]]) -> None:
    """A run that names nothing before it, in a stream that has a history, is found."""
    directory, _ = original
    anew = Chain(new_run(), "zj-no1", 1000, {}, Identity.open(directory, AT))
    found = edited(directory, lambda c: insert(c, "events", [anew.make("environment", fields(1), at=AT)]))

    assert [(Fault.FORKED, 1001)] == [(f.fault, f.number) for f in found]


def test_miscounted(original: tuple[Path, list[Event]]) -> None:
    """A signed event that names the right one before it but counts wrongly is found."""
    directory, events = original
    last = next(e for e in reversed(events) if e.stream == "gateway")
    identity = Identity.open(directory, AT)
    wrong = [
        Chain(last.run, "zj-no1", 1000, {"gateway": Head(last.run, last.seq + 1, last.hash)}, identity),
        Chain(events[4].run, "zj-no1", 1000, {"gateway": Head("another", 1, last.hash)}, identity),
    ]
    for chain in wrong:
        event = chain.make("gateway", fields(1), at=AT)
        found = edited(directory, lambda c, event=event: insert(c, "events", [event]))

        assert [(Fault.MISCOUNTED, 1001)] == [(f.fault, f.number) for f in found]


def test_after_a_damaged_file(tmp_path: Path) -> None:
    """F6: a record that follows a damaged file says so; readable or not, its own events are proven."""
    record(tmp_path, 1)
    path = tmp_path / "events.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'by_seq'")
    record(tmp_path, 1)
    readable = verify(tmp_path)
    path.write_bytes(b"\0" * path.stat().st_size)
    record(tmp_path, 1)
    unreadable = verify(tmp_path)

    assert (6, (), True) == (readable.events, readable.findings, readable.joined)
    assert (6, (), False) == (unreadable.events, unreadable.findings, unreadable.joined)
    assert unreadable.after != readable.after


def test_anchor_of_the_file_before(tmp_path: Path) -> None:
    """F6: also behind a damaged file, the removal of a stream's first event is found."""
    record(tmp_path, 1)
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection, connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'by_seq'")
    first, *_ = record(tmp_path, 1)
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection, connection:
        connection.execute("DELETE FROM events WHERE number = ?", (first.number,))

    assert [(Fault.MISSING, "custody")] == [(f.fault, f.stream) for f in verify(tmp_path).findings]


def test_replaced_key(tmp_path: Path) -> None:
    """F5: what a lost key has signed is still proven, by its public half that was kept."""
    record(tmp_path, 1)
    (tmp_path / "device.key").write_bytes(b"")
    record(tmp_path, 1)

    assert 2 == len(public_keys(tmp_path))
    assert () == verify(tmp_path).findings
    assert Fault.UNSIGNED == verify(tmp_path, keys=public_keys(tmp_path)[:1]).findings[0].fault


# ---- the command line -------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], state: Path, *words: str) -> tuple[int, str]:
    choose("en")
    parser = argparse.ArgumentParser()
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path)
    add_journal_parser(parser.add_subparsers(), [common])
    code = journal_main(parser.parse_args(["journal", *words, "--state", str(state)]))
    return code, capsys.readouterr().out


def test_tail(original: tuple[Path, list[Event]], capsys: pytest.CaptureFixture[str]) -> None:
    """`journal tail` shows the last events, one a line, in the reader's language."""
    code, text = run(capsys, original[0], "tail", "-n", "2")
    _, custody = run(capsys, original[0], "tail", "-n", "1", "--stream", "custody", "--json")

    assert 0 == code
    assert (
        "2026-06-07T09:17:03.123+08:00  environment  noise  raised  58.4 dB(A)  noise  [li-wei]"
        == text.splitlines()[-1]
    )
    assert 2 == len(text.splitlines())
    assert original[1][15].body.decode() + "\n" == custody


def test_export(original: tuple[Path, list[Event]], capsys: pytest.CaptureFixture[str]) -> None:
    """`journal export` gives the messages byte for byte, or a table that no spreadsheet takes for formulas."""
    directory, events = original
    lines = run(capsys, directory, "export", "--since", "2026-06-07T09:10", "--stream", "environment")[1]
    table = run(capsys, directory, "export", "--csv", "--since", "2026-06-07T01:16:00+00:00")[1]
    rows = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"))))

    assert [e.body.decode() for e in events[10:] if e.stream == "environment"] == lines.splitlines()
    assert [e.hash for e in events[16:]] == [row["hash"] for row in rows]
    assert ("'=1+1", "58.4", "noise") == (rows[0]["note"], rows[0]["value"], rows[0]["text"])
    assert table.startswith("\ufeff")


def test_verify_command(original: tuple[Path, list[Event]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`journal verify` says in a sentence that all is whole, or names the first bad event; by exit code too."""
    directory, events = original
    head = tmp_path / "heads.jsonl"
    head.write_bytes(b'{"stream":"custody","run":null,"seq":0,"hash":null}\n' + events[-1].body + b"\n")
    whole = run(capsys, directory, "verify", "--head", str(head))
    edited(directory, lambda c: c.execute("DELETE FROM events WHERE number = 3"))
    bad = run(capsys, directory.with_name("copy"), "verify")
    as_json = json.loads(run(capsys, directory.with_name("copy"), "verify", "--json")[1])

    assert (0, "18 events: none removed, altered, reordered, inserted or forked\n") == whole
    assert 1 == bad[0]
    assert bad[1].startswith("17 events, 1 not as they were written. The first:\nevent 6 of environment, run ")
    assert bad[1].endswith("one or more events before it are missing\n")
    assert (17, False, "missing") == (as_json["events"], as_json["whole"], as_json["bad"][0]["fault"])


@pytest.mark.parametrize("content", ["no JSON", "[1]", "\udcff"])
def test_bad_heads(original: tuple[Path, list[Event]], tmp_path: Path, capsys: Any, content: str) -> None:
    """A head file that is none is refused in words."""
    path = tmp_path / "heads"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(Refused, match="holds no heads"):
        run(capsys, original[0], "verify", "--head", str(path))


def test_no_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory without a record is named."""
    with pytest.raises(Refused, match=str(tmp_path)):
        run(capsys, tmp_path, "verify")


def test_tail_follows_a_running_gateway(tmp_path: Path) -> None:
    """`journal tail -f` beside a running writer shows what comes, and holds up neither its commits nor its log."""
    code = (
        "import sys; from gateway.journal.cli import journal_main as m; from argparse import Namespace as N;"
        "from pathlib import Path as P;"
        "m(N(state=P(sys.argv[1]), journal_verb='tail', lines=1, follow=True, stream=None, json=True))"
    )
    identity = Identity.open(tmp_path, AT)
    writer = EventWriter(tmp_path, CLOCK, lambda _: None)
    chain = Chain(new_run(), "zj-no1", writer.open().number, {}, identity)
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop,))
    thread.start()
    events = [chain.make("gateway", fields(n), at=AT) for n in range(5)]
    writer.put(events[0])
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout
    lines = [child.stdout.readline()]
    for event in events[1:]:
        writer.put(event)
        lines.append(child.stdout.readline())
    stop.set()
    thread.join()
    child.kill()
    child.wait()
    child.stdout.close()

    assert [e.body + b"\n" for e in events] == lines
