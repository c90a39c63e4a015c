"""A configuration that was changed while a session is on is not taken by way of a restart either."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path

import pytest
from kit_alarms import ZONE
from kit_engine import VENUE

from gateway import changes
from gateway.configuration import settings
from gateway.journal.alive import AliveWriter, session_goes_on
from gateway.moment import NANO, Moment

URGENT = '\n[change]\ncannot_wait = "order 12"\n'
IN_THE_SESSION, AFTER = datetime(2026, 6, 7, 10, tzinfo=ZONE), datetime(2026, 6, 7, 11, 31, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("before", "given", "at", "taken", "told"),
    [
        ("", "# changed\n", IN_THE_SESSION, False, ("waits", None)),
        ("", URGENT, IN_THE_SESSION, True, ("urgent", "order 12")),
        (URGENT, URGENT + "# changed\n", IN_THE_SESSION, False, ("waits", None)),  # no words of its own
        ("", "", IN_THE_SESSION, True, None),
        ("", "# changed\n", AFTER, True, None),
        (None, "# changed\n", IN_THE_SESSION, True, None),  # the first start of all
        ("", "[nonsense", IN_THE_SESSION, False, None),  # told as a broken file, as ever
    ],
)
def test_a_start_in_a_session(
    before: str | None, given: str, at: datetime, taken: bool, told: tuple[str, str | None] | None, tmp_path: Path
) -> None:
    """What was in force before goes on in a session, unless the file that was given says anew why it cannot wait."""
    path, state = tmp_path / "venue.toml", tmp_path / "state"
    if before is not None:
        path.write_text(VENUE + before)
        settings.load(path, state)
    path.write_text(VENUE + given)
    now = Moment(round(at.timestamp()) * NANO, NANO)
    loaded, change = changes.load(path, state, now)
    again, _ = changes.load(path, state, now)

    assert taken == (loaded.sha256 == settings.check(path).sha256)
    assert told == (None if change is None else ("waits" if change.why is None else "urgent", change.why))
    assert loaded.sha256 == again.sha256  # the next start decides the same


@pytest.mark.parametrize(
    ("until", "waits"),
    [
        (datetime(2026, 6, 7, 11, 45, tzinfo=ZONE), True),
        (datetime(2026, 6, 7, 11, 31, tzinfo=ZONE), False),
        (None, False),
    ],
)
def test_a_start_in_the_extra_time(until: datetime | None, waits: bool, tmp_path: Path) -> None:
    """A session that goes on by order is a session, for a changed file and for an upgrade; only the last sign of life
    knows of it before the record is open.
    """
    path, state = tmp_path / "venue.toml", tmp_path / "state"
    path.write_text(VENUE)
    settings.load(path, state)
    now = Moment(round(AFTER.timestamp()) * NANO, NANO)
    writer, stop = AliveWriter(state), threading.Event()
    writer.put(now, None if until is None else until.timestamp())
    stop.set()
    writer.run(stop)
    path.write_text(VENUE + "# changed\n")
    loaded, change = changes.load(path, state, now)

    assert waits == (change is not None) == (loaded.sha256 != settings.check(path).sha256)
    assert waits == session_goes_on(state, now)
    assert not session_goes_on(tmp_path / "nowhere", now)
