"""The leak alarm over any sequence of commands, presses, pauses and restarts: nothing hides it, nothing loses it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine import STATION

from tests.kit_engine import EARLY_NS, START_NS, VENUE, Bench

PEOPLE = """
[[person]]
id = "wang-fang"
name = "王芳"
may = ["ack", "reset", "shelve", "unshelve", "suppress", "release", "remove", "return", "open-window", "retire", "drill", "log"]

[custody]
start = 2026-06-05T16:00:00
end = 2026-06-10T18:00:00
"""  # noqa: E501  a list of TOML is one line
VERBS = ("ack", "shelve", "unshelve", "suppress", "release", "remove", "return", "reset", "drill", "retire")
VERBS += ("open-window", "log", "unheard-of")
SHOWN = ("active_unacknowledged", "active_acknowledged", "latched_unacknowledged", "latched_acknowledged")

OTHERS = ("leak-button-line", "leak-button-pin", "door", "noise-in-session", "leak-button-drill", "nowhere")

commands = st.fixed_dictionaries(  # mostly what could be done, so that it is what is refused
    {
        "verb": st.sampled_from(VERBS),
        "alarm": st.sampled_from(("leak-button",) * 9 + OTHERS),
        "by": st.sampled_from(("wang-fang",) * 6 + ("li-wei", "nobody", "")),
        "note": st.sampled_from(("checked on site",) * 4 + (None, "")),
        "for_s": st.sampled_from((60.0, 60.0, 60.0, 1e9, -1.0)),
    },
    optional={"name": st.sampled_from(("leak-button", "door", "custody")), "end": st.just(True)},
)
happenings = st.lists(st.sampled_from(("press", "wait", "restart")) | commands, min_size=3, max_size=20)


@settings(max_examples=50, deadline=None)
@given(happenings, st.sampled_from((EARLY_NS, EARLY_NS, START_NS)))  # in a session people may do less
def test_no_sequence_of_commands_hides_the_leak_alarm(happenings: list[Any], start_ns: int) -> None:
    """A9, G8: every press is a real opening, stands and is at the brokers as standing, until it is acknowledged and
    reset by a named person with a reason after the last press; no other command, pause or restart ends or hides it.
    """
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), VENUE + STATION + PEOPLE, start_ns=start_ns)
        bench.found_safe()
        bench.wait(1)
        stands, presses = False, 0
        for one in happenings:
            if one == "press":
                bench.press(0.2)
                stands, presses = True, presses + 1
            elif one == "wait":
                bench.wait(300, 100)
            elif one == "restart":
                bench.restart()
                bench.found_safe()
                bench.wait(1)
            else:
                answer = bench.act(**one)
                ended = answer["ok"] and (one["verb"], one["alarm"]) == ("reset", "leak-button")
                assert not ended or (one["by"] in ("li-wei", "wang-fang") and one["note"])
                stands = stands and not ended
            alarm = bench.engine.book.pages["leak-button"].alarm

            assert stands is alarm.standing
            assert (bench.state("leak-button") in SHOWN) is stands
            assert (bench.out.retained["custody/alarm/leak-button"]["state"] in SHOWN) is stands
            assert not alarm.drill

        said = [e for e in bench.out.events if e["alarm"] == "leak-button" and not e["drill"]]
        openings = [e for e in said if e["transition"] in ("raised", "repeated") and e["reason"] != "restart"]
        assert presses == len(openings)
