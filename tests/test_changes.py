"""A configuration that was changed while a session is on is not taken by way of a restart either."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from kit_alarms import ZONE
from kit_engine import VENUE

from gateway import changes
from gateway.configuration import settings
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
