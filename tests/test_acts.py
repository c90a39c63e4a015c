"""What named persons do beyond one alarm: drills, retiring, windows, over the local socket and over MQTT."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine import STATION

from gateway.assembly import Plan
from gateway.configuration import armed
from gateway.configuration.config import Config
from gateway.engine import Reconfigured
from gateway.persons.people import public_text
from gateway.persons.signing import make_command
from gateway.values import Inbound
from tests.kit_engine import EARLY_NS, VENUE, Bench

KEYS = {name: Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n, name in enumerate(("chen", "zhou"), 1)}
MAY = '["open-window", "retire", "drill"]'
PERSONS = "".join(
    f'\n[[person]]\nid = "{name}"\nname = "{name}"\nkey = "{public_text(key)}"\nmay = {MAY}\n'
    for name, key in KEYS.items()
)
BROKER = '\n[mqtt]\nhost = "broker.example"\n'
TOML = VENUE + PERSONS + BROKER + STATION


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, TOML)
    bench.found_safe()
    bench.wait(1)
    return bench


def custody(bench: Bench) -> list[dict[str, Any]]:
    return [e for e in bench.out.events if e["stream"] == "custody"]


# ---- retiring ----------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> Bench:
    """A bench whose leak button is no longer in the file."""
    bench = Bench(tmp_path, TOML, start_ns=EARLY_NS, kept=("leak-button", "venue.id"))
    bench.found_safe()
    bench.wait(1)
    return bench


def test_what_the_file_would_disarm_stays_armed_until_it_is_retired(kept: Bench) -> None:
    """The alarm `disarm-…` stands, the button works; a named person with a reason lets it go, on record."""
    kept.press()
    pressed = kept.transitions("leak-button")
    nameless = kept.act("retire", "leak-button", note=" ", name="leak-button")
    done = kept.act("retire", "leak-button", note="replaced", name="leak-button")

    assert ["raised", "cleared"] == pressed
    assert (False, True) == (nameless["ok"], done["ok"])
    assert ["leak-button"] == kept.out.retired
    disarmed = [e for e in kept.out.events if e["alarm"] == "disarm-leak-button"]
    assert [("raised", None), ("cleared", "li-wei")] == [(e["transition"], e["by"]) for e in disarmed]
    said = custody(kept)[-1]
    assert ("updated", "retired", "li-wei", "replaced") == tuple(
        said[k] for k in ("transition", "reason", "by", "note")
    )


def test_an_alarm_outlives_its_contact(kept: Bench) -> None:
    """A button that was torn out and is retired: its alarm and its cut line stand until they are reset by name; both
    can be reset, although nothing looks at the wire any more; after a restart too.
    """
    kept.lines("leak-button", True, False)
    kept.wait(1)
    kept.lines("leak-button", True, True)
    kept.wait(1)
    kept.act("retire", "leak-button", note="replaced", name="leak-button")
    contacts = {name: contact for name, contact in kept.config.contact.items() if name != "leak-button"}
    kept.config = kept.config.model_copy(update={"contact": contacts})
    plan = Plan.of(armed.Armed(kept.config, ()), "1" * 64)
    kept.engine.handle(Reconfigured(plan, kept.engine.health, kept.engine.points, kept.now))
    states = [kept.state("leak-button"), kept.state("leak-button-line")]
    kept.kept = ()
    kept.restart()
    states += [kept.state("leak-button"), kept.state("leak-button-line")]
    for alarm in ("leak-button", "leak-button-line"):
        kept.act("ack", alarm)
        assert kept.act("reset", alarm, note="button replaced")["ok"]

    assert ["latched_unacknowledged"] * 4 == states


def test_the_venues_id_is_retired_likewise(kept: Bench) -> None:
    """Effective with the next start, and the answer says so."""
    done = kept.act("retire", "venue.id", note="renamed", name="venue.id")

    assert "next start" in done["text"]
    assert ["venue.id"] == kept.out.retired
    assert ["raised", "cleared"] == kept.transitions("disarm-venue-id")


def test_what_is_in_the_file_is_not_retired(tmp_path: Path) -> None:
    """A contact is taken out of the file first; a word alone disarms nothing."""
    bench = Bench(tmp_path, TOML, start_ns=EARLY_NS)
    for name in ("leak-button", "door", "venue.id", "nothing", ""):
        assert "nothing to retire" in bench.act("retire", name, note="x", name=name)["error"]
    assert [] == bench.out.retired


GOOD = {"venue": {"id": "zj-no1", "name": "x"}}
LEAK = {"kind": "leak", "pin": 27, "safe": "low", "hold": "1s"}


def config(**tables: Any) -> Config:
    return Config.model_validate({**GOOD, **tables})


def test_what_is_armed_is_kept_in_the_state_directory(tmp_path: Path) -> None:
    """A file without the button, or with another kind, does not take it away; retired, it is gone."""
    before = config(contact={"leak-button": LEAK})
    armed.keep(before, tmp_path)
    without = armed.merge(config(), tmp_path)
    other = armed.merge(config(contact={"leak-button": {"kind": "seal", "pin": 4, "safe": "low"}}), tmp_path)
    gone = armed.retire("leak-button", without.config, tmp_path)
    again = armed.retire("leak-button", without.config, tmp_path)
    after = armed.merge(config(), tmp_path)

    assert (("leak-button",), before.contact) == (without.kept, without.config.contact)
    assert (("leak-button",), before.contact) == (other.kept, other.config.contact)
    assert (True, False) == (gone, again)
    assert ((), {}) == (after.kept, after.config.contact)


def test_the_venues_id_is_kept_until_it_is_retired(tmp_path: Path) -> None:
    """Another id would be another venue to everybody who listens."""
    armed.keep(config(), tmp_path)
    renamed = config(venue={"id": "zj-no2", "name": "x"})
    kept = armed.merge(renamed, tmp_path)
    armed.retire("venue.id", kept.config, tmp_path)
    after = armed.merge(renamed, tmp_path)

    assert ("zj-no1", ("venue.id",)) == (kept.config.venue.id, kept.kept)
    assert ("zj-no2", ()) == (after.config.venue.id, after.kept)


def test_the_end_of_custody_is_kept_for_its_start(tmp_path: Path) -> None:
    """Ended by name it stays ended over restarts and reloads; another start begins anew; damage means sealed."""
    june, july = (
        tomllib.loads(f"start = 2026-{month}-05T16:00:00\nend = 2026-{month}-10T18:00:00") for month in ("06", "07")
    )
    first, other = config(custody=june), config(custody=july)
    armed.keep(first, tmp_path)
    before = armed.merge(first, tmp_path)
    armed.retire("custody", first, tmp_path)
    armed.keep(first, tmp_path)
    ended = [armed.merge(each, tmp_path).custody_ended for each in (first, other, config())]
    (tmp_path / armed.FILE).write_bytes(b"{")

    assert not before.custody_ended
    assert [True, False, False] == ended
    assert not armed.merge(first, tmp_path).custody_ended
    assert not armed.retire("custody", config(), tmp_path)


# ---- over MQTT ---------------------------------------------------------------------------------------------------


def send(bench: Bench, verb: str, by: str, number: int, **fields: Any) -> dict[str, Any]:
    body = make_command(KEYS[by], verb, id_=f"c{number}", by=by, nonce="nonce-1", **fields)
    bench.engine.handle(Inbound(f"command/{verb}", body, False, "mqtt", bench.now))
    return bench.out.answers[-1][1]


def test_two_signed_commands_open_a_window(bench: Bench) -> None:
    """Each is authenticated by its own person's key; one person's two commands are one wish."""
    wish: dict[str, Any] = {"alarm": "door", "note": "papers", "arguments": {"for_s": 600}}
    answers = [send(bench, "open-window", by, n, **wish) for n, by in enumerate(("chen", "chen", "zhou"))]

    assert [True] * 3 == [answer["ok"] for answer in answers]
    assert [None, None, "2026-06-07"] == [(answer["result"]["until"] or "")[:10] or None for answer in answers]
    bench.lines("door", True)
    bench.wait(1)
    assert [] == [e for e in custody(bench) if e["transition"] == "raised"]


def test_nothing_is_retired_from_afar(kept: Bench) -> None:
    """Like the reset of leak and seal: at the venue, unless the configuration says otherwise."""
    answer = send(kept, "retire", "chen", 1, alarm="leak-button", note="x", arguments={"name": "leak-button"})

    assert not answer["ok"]
    assert "not from afar" in answer["error"]["en"]
    assert [] == kept.out.retired


def test_a_drill_ordered_by_the_command_centre(bench: Bench) -> None:
    """A signed command of a person who may; the answer carries the alarm."""
    answer = send(bench, "drill", "zhou", 1, alarm="leak-button", note="county drill")

    assert ("zhou", True) == (custody(bench)[0]["by"], answer["ok"])


# ---- whatever anybody commands -----------------------------------------------------------------------------------

VERBS = ["ack", "reset", "shelve", "unshelve", "suppress", "release", "remove", "return"]
VERBS += ["drill", "open-window", "retire", "log", "nonsense"]
NAMES = ["leak-button", "leak-button-line", "door", "door-long", "door-alone", "custody", "venue.id", "nothing"]
COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(VERBS),
        st.sampled_from(NAMES),
        st.sampled_from(["li-wei", "chen", "zhou", ""]),
        st.sampled_from(["checked", "", None]),
        st.sampled_from([None, 1.0, 600.0, 1800.0, float("nan"), -1.0]),
        st.sampled_from([0.0, 0.2, 60.0]),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(COMMANDS, COMMANDS)
def test_no_sequence_of_commands_hides_a_leak_or_seal_event(
    tmp_path_factory: pytest.TempPathFactory, before: list[Any], between: list[Any]
) -> None:
    """G8: after any commands of any persons every press is raised or repeated as real and needs a receipt; every
    opening of the door is an event; what stands leaves only by an acknowledgement and a reset of a named person.
    """
    bench = Bench(tmp_path_factory.mktemp("venue"), TOML)
    bench.found_safe()
    bench.wait(0.2, 0.1)
    for commands in (before, between):
        for verb, name, by, note, for_s, after_s in commands:
            bench.act(verb, name, by=by, note=note, for_s=for_s, name=name)
            bench.wait(after_s, 20.0)
        made = len(bench.out.made)
        bench.press(0.2)
        bench.lines("door", True)
        bench.wait(0.2, 0.1)
        bench.lines("door", False)
        bench.wait(0.2, 0.1)
        new = [e for e in bench.out.events[made:] if e["alarm"] in ("leak-button", "door")]
        press = [e for e in new if e["alarm"] == "leak-button" and e["transition"] in ("raised", "repeated")]
        opening = [e for e in new if e["alarm"] == "door" and e["condition"] | (e["reason"] == "opened-in-window")]

        assert 1 == len(press)
        assert not press[0]["drill"]
        assert 1 <= len(opening)
        assert opening[0]["transition"] in ("raised", "repeated") or opening[0]["reason"] == "opened-in-window"
        assert all(e.needs_receipt for e in bench.out.made if e.id in (press[0]["id"], opening[0]["id"]))
        assert bench.state("leak-button") == "latched_unacknowledged"
        assert "leak-button" in bench.out.latched
