"""Whatever is commanded, entered, tested, drilled, restarted, in whatever stage: no leak or seal event is hidden."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.moment import NANO
from tests.kit_engine import START_NS, VENUE, Bench

MORE = """
[custody]
start = 2026-06-05T16:00:00
end = 2026-06-10T18:00:00
duties = ["patrol", "half-day-check"]
[zero_report]
at = ["09:00"]
[contact.leak-two]
kind = "leak"
pin = 12
safe = "low"
[contact.mains]
kind = "power"
pin = 16
safe = "low"
[[person]]
id = "chen"
name = "陈"
may = ["log", "drill"]
"""
LINES = {"leak-button": 2, "leak-two": 1, "door": 1, "mains": 1}
STEPS = st.one_of(
    st.tuples(st.just("press"), st.sampled_from(["leak-button", "leak-two", "door"]), st.sampled_from([0.2, 2.0, 4.0])),
    st.tuples(
        st.just("act"),
        st.sampled_from(["shelve", "suppress", "remove", "retire", "ack", "reset", "open-window"]),
        st.sampled_from(["leak-button", "leak-button-drill", "door", "door-drill", "leak-two", "custody"]),
    ),
    st.tuples(
        st.just("drill"), st.sampled_from(["leak-button", "leak-two", "door"]), st.sampled_from(["", "test", "end"])
    ),
    st.tuples(
        st.just("log"),
        st.sampled_from(["patrol", "session-held", "session-resumed", "evacuation", "seal-record", "incident"]),
        st.sampled_from(["paper-leak", None]),
    ),
    st.tuples(st.just("try"), st.sampled_from(["leak-button", "leak-two"]), st.sampled_from([0.2, 2.0, 4.0])),
    st.tuples(st.just("move"), st.just("语文"), st.sampled_from(["09:05", "11:45"])),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([1.0, 59.0, 400.0])),
    st.tuples(st.just("restart"), st.just(""), st.just(0.0)),
    st.tuples(st.just("mains"), st.just(""), st.sampled_from([True, False])),
)


class Venue(Bench):
    """A bench that knows which tests were open when a contact was pressed."""

    def quiet(self) -> None:
        for name, lines in LINES.items():
            self.lines(name, *(False, True)[:lines], source="start")
        self.wait(0.2, 0.1)

    def do(self, step: tuple[str, Any, Any]) -> None:
        what, name, more = step
        match what:
            case "press":
                self.pressed(name, more)
            case "act":
                self.act(name, more, for_s=600.0, note="x", name=more)
            case "drill":
                arguments = {more: True} if more else {}
                self.act("drill", name, by="chen", note="x", **arguments)
            case "try":
                self.tried(name, more)
            case "log":
                self.act("log", "", by="chen", kind=name, incident=more, note="x")
            case "move":
                self.act("log", "", by="chen", kind="session-moved", session=name, until=more, note="x")
            case "wait":
                self.wait(more, 20.0)
            case "restart":
                self.restart()
                self.quiet()
            case _:
                self.lines("mains", more)
                self.wait(0.2, 0.1)

    def tried(self, name: str, for_s: float) -> None:
        """Everything calm, a test, its press, and another one: that one is real whatever the first was."""
        for alarm in self.engine.book.pages:
            self.act("ack", alarm)
            self.act("reset", alarm, note="x")
        self.act("drill", name, by="chen", note="x", test=True)
        self.pressed(name, for_s)
        self.pressed(name, 0.2)

        assert self.state(name) == "latched_unacknowledged"

    def pressed(self, name: str, for_s: float) -> None:
        """Presses; what becomes of it is checked at once."""
        watch = self.engine.watches[name]
        tested = watch.trial is not None and watch.trial.pressed is None and self.now < watch.trial.until
        window = watch.guard.phase.value == "authorised"
        made = len(self.out.made)
        lines = LINES[name]
        self.lines(name, *(True, False)[:lines])
        self.wait(for_s, 0.1)
        self.lines(name, *(False, True)[:lines])
        self.wait(0.2, 0.1)
        new = list(zip(self.out.made[made:], self.out.events[made:], strict=True))
        real = [made for made, e in new if e["alarm"] == name and e["transition"] in ("raised", "repeated")]
        drilled = [made for made, e in new if e["alarm"] == f"{name}-drill" and e["transition"] == "raised"]
        opened = [made for made, e in new if e["alarm"] == name and e["reason"] == "opened-in-window"]

        assert real or opened or (drilled and tested), (name, for_s, [e for _, e in new])
        assert real or opened or for_s < 3
        assert all(event.needs_receipt for event in (*real, *drilled, *opened))
        assert bool(opened) <= window
        assert not [e for made, e in new if made in real and e["drill"]]


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, max_size=14), st.sampled_from([-1200, -30, 60]))
@example([("try", "leak-button", 4.0)], -1200)
@example([("try", "leak-two", 0.2), ("try", "leak-button", 2.0)], -1200)
def test_no_lock_stage_test_or_entry_hides_a_leak_or_seal_event(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any], begin_s: int
) -> None:
    """G8: every press and opening is an event that needs a receipt: real, or the drill of a test that was open, once,
    and short; a second press and one that is held are real; a latched leak leaves only by a reset.
    """
    bench = Venue(tmp_path_factory.mktemp("venue"), VENUE + MORE, start_ns=START_NS + begin_s * NANO)
    bench.quiet()
    for step in steps:
        bench.do(step)
    bench.pressed("leak-button", 0.2)
    bench.pressed("leak-button", 0.2)
    bench.restart()

    assert bench.state("leak-button") == "latched_unacknowledged"
