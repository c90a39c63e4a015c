"""F9: what the card has to bear is shown while it can still be changed."""

from pathlib import Path

import pytest

from gateway.machine.card_life import card_life, written_bytes
from gateway.moment import NANO, Moment

START = Moment(0, 1000 * NANO)


@pytest.mark.parametrize(
    ("written", "readings", "expected"),
    [
        (6 * 2**20, 48000, {"commits_a_minute": 15.0, "mib_a_day": 144.0, "kib_for_1000_readings": 128.0}),
        (6 * 2**20, 0, {"commits_a_minute": 15.0, "mib_a_day": 144.0}),
        (None, 48000, {"commits_a_minute": 15.0}),
    ],
)
def test_what_the_card_bears(written: int | None, readings: int, expected: dict[str, float]) -> None:
    """An hour's writing as a day's, and for a thousand readings; what is not known is not there."""

    assert expected == card_life(START, START.after(3600), written, 900, readings)


def test_seconds_are_not_made_a_day_of() -> None:
    """The four MiB that a first start reserves were shown as six GiB a day."""
    assert {} == card_life(START, START.after(60), 2**22, 2, 8000)


def test_the_kernel_says(tmp_path: Path) -> None:
    """The kernel's own count; nothing where it gives none."""
    (tmp_path / "io").write_text("rchar: 5\nwrite_bytes: 4096\n")
    (tmp_path / "bad").write_text("?")

    assert [4096, None, None] == [written_bytes(tmp_path / name) for name in ("io", "bad", "none")]
