"""The strict door: every broken file gives messages to act on, and the button works on with the last good one."""

import argparse
import hashlib
import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit_settings import BROKEN, BYTES, GOOD, WARNINGS

from gateway import catalogue
from gateway.configuration import last_good
from gateway.configuration.complaints import Phrase, Problem, phrase
from gateway.configuration.config import duration_text, seconds
from gateway.configuration.settings import Checked, check, check_bytes, load
from gateway.configuration.settings_cli import check_main, config_main, sample, tables, toml
from gateway.errors import ConfigError


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "venue.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def errors(checked: Checked) -> list[Problem]:
    return [p for p in checked.problems if p.severity == "error"]


def test_a_good_file_has_no_problems(tmp_path: Path) -> None:
    """A configuration that is right gives a Config, no error, no warning, and its SHA-256."""
    checked = check(written(tmp_path, GOOD))

    assert [] == [str(p) for p in checked.problems]
    assert checked.good
    assert hashlib.sha256(GOOD.encode()).hexdigest() == checked.sha256
    assert ["paper-room-door", "leak-button"] == list(checked.config.contact if checked.config else ())


@pytest.mark.parametrize("name", BROKEN)
def test_each_mistake_is_named_with_its_remedy(tmp_path: Path, name: str) -> None:
    """F1: one mistake gives one error, at its key and line, saying what is wrong and what would be right."""
    old, new, key, wrong, remedy = BROKEN[name]

    assert old in GOOD

    text = GOOD.replace(old, new, 1)
    checked = check(written(tmp_path, text))
    found = errors(checked)

    assert [key] == [p.key for p in found], [str(p) for p in found]
    assert wrong in str(found[0].wrong)
    assert remedy in str(found[0].remedy)
    assert "venue.toml" == found[0].file
    assert not checked.good
    if name != "no venue":
        changed = next(i for i, (a, b) in enumerate(zip(GOOD.split("\n"), text.split("\n"), strict=False), 1) if a != b)

        assert abs(found[0].line - changed) <= 15


@pytest.mark.parametrize("name", BYTES)
def test_a_file_that_is_no_configuration(tmp_path: Path, name: str) -> None:
    """F1, F5: torn, foreign and empty files each get a sentence, never a traceback."""
    data, wrong, remedy = BYTES[name]
    found = check(written(tmp_path, data)).problems

    assert 1 == len(found)
    assert wrong in str(found[0].wrong)
    assert remedy in str(found[0].remedy)


def test_names_that_are_no_files(tmp_path: Path) -> None:
    """F1: a missing file, a folder, a pipe that nobody writes to and an impossible name each end in a sentence."""
    os.mkfifo(tmp_path / "pipe")
    names = [tmp_path / "gone.toml", tmp_path, tmp_path / "pipe", Path("a\0b")]

    assert ["no such file", "this is no file", "this is no file", "cannot be read"] == [
        next(w for w in ("no such file", "this is no file", "cannot be read") if w in str(check(n).problems[0].wrong))
        for n in names
    ]


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F1: a file without permission says what makes it readable (root may read all, so the refusal is played)."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)

    assert "may not be read" in str(check(tmp_path / "venue.toml").problems[0].wrong)


def test_a_byte_order_mark_is_a_warning(tmp_path: Path) -> None:
    """A file that Windows saved with a byte order mark is used, and the mark is mentioned."""
    checked = check(written(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()))

    assert (True, ["warning"]) == (checked.good, [p.severity for p in checked.problems])


def test_all_problems_in_one_run(tmp_path: Path) -> None:
    """F1: ten mistakes of every sort, in different tables, are all named at once, and none that only follows."""
    names = (
        "number in quotes",
        "no safe",
        "impossible zone",
        "session backwards",
        "PIN in plain",
        "key cut short",
        "driver that is none",
        "hysteresis upside down",
        "port twice",
        "password in the file",
    )
    text = GOOD
    for name in names:
        text = text.replace(BROKEN[name][0], BROKEN[name][1], 1)

    assert {BROKEN[name][2] for name in names} == {p.key for p in errors(check(written(tmp_path, text)))}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('port = "/dev/serial/by-id/one"', "port = 5"),
        ('driver = "renke_rs_zs"', "driver = 5"),
        ("start = 2026-06-07T09:00:00", "start = 5"),
        ('host = "broker.example"', "host = 5"),
        ('id = "li-wei"', "id = 5"),
    ],
)
def test_what_refers_to_a_mistake_is_no_second_mistake(tmp_path: Path, old: str, new: str) -> None:
    """One wrong line is one error, though other tables depend on the table it is in."""
    assert 1 == len(errors(check(written(tmp_path, GOOD.replace(old, new, 1)))))


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A6: what weakens the venue without being wrong is said, and the file is used."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    old, new, key, wrong = WARNINGS[name]

    assert old in GOOD

    checked = check(written(tmp_path, GOOD.replace(old, new)))
    found = [p for p in checked.problems if p.key == key]

    assert checked.good, [str(p) for p in errors(checked)]
    assert wrong in " ".join(str(p.wrong) for p in found)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("[1]", "a list"),
        ("{ a = 1 }", "a table"),
        ("2026-06-07", "a date or time"),
        ("1.5", "a number"),
        ("07:00:00", "a date or time"),
    ],
)
def test_a_wrong_kind_is_named(tmp_path: Path, value: str, kind: str) -> None:
    """Whatever stands where a number belongs is called by its own name."""
    found = errors(check(written(tmp_path, GOOD.replace("lamp_pin = 22", f"lamp_pin = {value}"))))

    assert ["contact.leak-button.lamp_pin"] == [p.key for p in found]
    assert kind in str(found[0].wrong)


def test_instruments_on_one_i2c_bus(tmp_path: Path) -> None:
    """Devices with addresses of their own may share an I2C port; two with the same address may not."""
    two = '[device.{}]\ndriver = "sht4x"\nport = "/dev/i2c-1"\naddress = {}\n'
    good = check(written(tmp_path, GOOD + two.format("a", 0x44) + two.format("b", 0x45)))
    bad = check(written(tmp_path, GOOD + two.format("a", 0x44) + two.format("b", 0x44)))

    assert [] == [str(p) for p in errors(good)]
    assert ["device.b.address"] == [p.key for p in errors(bad)]


def test_names_of_files_begin_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates and passwords are found whatever directory the program works in, and through systemd's variable."""
    (tmp_path / "ca.pem").touch()
    (tmp_path / "mqtt").touch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    lines = 'tls = { ca = "ca.pem" }\nuser = "x"\npassword_file = "$CREDENTIALS_DIRECTORY/mqtt"'
    config = check(written(tmp_path, GOOD.replace("tls = {}", lines))).config

    assert config is not None
    assert config.mqtt is not None
    assert config.mqtt.tls is not None
    assert (str(tmp_path / "ca.pem"), str(tmp_path / "mqtt")) == (config.mqtt.tls.ca, config.mqtt.password_file)


# ---- what runs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in BROKEN if BROKEN[n][2]])
def test_the_button_works_with_every_mistake(tmp_path: Path, name: str) -> None:
    """F1: without a last good file, each broken one that is TOML still has a leak button and a door watched."""
    path = written(tmp_path, GOOD.replace(BROKEN[name][0], BROKEN[name][1], 1))
    loaded = load(path, tmp_path / "state")
    kinds = {c.kind for c in loaded.config.contact.values()}
    broken = {
        "no kind": {"seal"},
        "loop to 3.3 V on a pulled-up pin": {"seal"},
        "misspelt kind": {"seal"},
        "contact as an array": {"seal"},
        "number in quotes": {"leak"},
        "true for a number": {"leak"},
        "pin that the header lacks": {"leak"},
        "name of a seal's alarm": {"leak", "seal", "tamper"},
    }

    assert broken.get(name, {"leak", "seal"}) == kinds
    assert loaded.sha256 == (loaded.refused_sha256 or loaded.sha256)
    assert all(c.safe is not None for c in loaded.config.contact.values())


@pytest.mark.parametrize("name", [*BROKEN, *BYTES])
def test_the_last_good_file_is_used_instead(tmp_path: Path, name: str) -> None:
    """F1, F5: a broken file in place of a good one that ran before: the good one is in force, both hashes are known."""
    path, state = written(tmp_path, GOOD), tmp_path / "state"
    first = load(path, state)
    data = BYTES[name][0] if name in BYTES else GOOD.replace(BROKEN[name][0], BROKEN[name][1], 1).encode()
    path.write_bytes(data)
    loaded = load(path, state)

    assert (False, None) == (first.fallback, first.refused_sha256)
    assert (True, False, first.sha256) == (loaded.fallback, loaded.partial, loaded.sha256)
    assert first.config == loaded.config
    assert any(p.severity == "error" for p in loaded.problems)
    assert loaded.refused_sha256 in (hashlib.sha256(data).hexdigest(), hashlib.sha256(b"").hexdigest())


def test_a_missing_file_falls_back_too(tmp_path: Path) -> None:
    """F5: the configuration itself is gone, as after a torn write: the last good one is in force."""
    path, state = written(tmp_path, GOOD), tmp_path / "state"
    first = load(path, state)
    path.unlink()

    assert (True, first.config) == (load(path, state).fallback, load(path, state).config)


@pytest.mark.parametrize("name", [*(n for n in BROKEN if not BROKEN[n][2]), *BYTES])
def test_nothing_to_run_on(tmp_path: Path, name: str) -> None:
    """F1: not TOML, and no last good one: the only case that ends the program, with what is wrong."""
    data = BYTES[name][0] if name in BYTES else GOOD.replace(BROKEN[name][0], BROKEN[name][1], 1).encode()
    path = written(tmp_path, data)
    with pytest.raises(ConfigError) as raised:
        load(path, tmp_path / "state")

    assert str(check(path).problems[0].wrong) in str(raised.value)


def test_tables_without_contact_or_broker_are_nothing_to_run_on(tmp_path: Path) -> None:
    """F1: a table file without any valid contact or broker, and no last good one, ends in ConfigError."""
    with pytest.raises(ConfigError, match="missing"):
        load(written(tmp_path, '[bus.x]\nport = "/dev/x"'), tmp_path)


def test_a_contact_with_wrong_times_runs_with_the_usual_ones(tmp_path: Path) -> None:
    """F1: glitch and settle that do not fit together cost neither the contact nor a press: the defaults are used."""
    config = load(written(tmp_path, GOOD.replace("lamp_pin = 22", 'glitch = "400ms"')), tmp_path / "state").config

    assert (0.02, 0.05) == (config.contact["leak-button"].glitch, config.contact["leak-button"].settle)


def test_two_mistakes_in_one_contact_cost_no_other_one(tmp_path: Path) -> None:
    """F1: a contact that has to be left out takes nothing else with it."""
    text = GOOD.replace("pin = 17", 'pin = "x"\nbell = 1\nlamp_pin = 99')

    assert ["leak-button"] == list(load(written(tmp_path, text), tmp_path / "state").config.contact)


def test_a_button_with_a_name_that_is_none_works(tmp_path: Path) -> None:
    """F1: contacts named in Chinese, or both alike but for signs, run under names that can be names."""
    text = GOOD.replace("[contact.leak-button]", '[contact."泄密按钮"]').replace(
        "[contact.paper-room-door]", "[contact.Contact]"
    )

    assert {"contact", "contact-2"} == set(load(written(tmp_path, text), tmp_path / "state").config.contact)


def test_a_broker_alone_is_enough_to_say_so(tmp_path: Path) -> None:
    """F1: with no contact at all in a broken file the broker still runs, so that the far side is told."""
    loaded = load(written(tmp_path, '[venue]\nid = "a"\nname = "b"\n[mqtt]\nhost = "x"\n[rules]\n'), tmp_path / "state")

    assert (True, "x") == (loaded.partial, loaded.config.mqtt.host if loaded.config.mqtt else "")


def test_a_wrong_venue_does_not_stop_the_button(tmp_path: Path) -> None:
    """F1: without a usable venue the contacts run under a name that says so; a wrong rule or person is left out."""
    text = (
        GOOD.replace('id = "zj-no1"', "id = 5")
        .replace('id = "li-wei"', "id = 5")
        .replace("above = 55.0", "above = 'x'")
    )
    config = load(written(tmp_path, text), tmp_path / "state").config

    assert ("unnamed-venue", "考点") == (config.venue.id, config.venue.name)
    assert ["wang-fang"] == [p.id for p in config.person]
    assert ({"leak-button", "paper-room-door"}, {}) == (set(config.contact), config.rule)


def test_a_leak_button_keeps_a_pin_that_is_given_twice(tmp_path: Path) -> None:
    """F1: of two contacts on one pin the leak button is the one that runs; a lamp never takes a line."""
    config = load(written(tmp_path, GOOD.replace("pin = 17", "pin = 27")), tmp_path / "state").config
    lamp = load(written(tmp_path, GOOD.replace("lamp_pin = 22", "lamp_pin = 17")), tmp_path / "state").config

    assert ["leak-button"] == list(config.contact)
    assert [None, None] == [c.lamp_pin for c in lamp.contact.values()]
    assert {17, 27} == {c.pin for c in lamp.contact.values()}


def test_a_missing_certificate_does_not_stop_a_first_start(tmp_path: Path) -> None:
    """F1: what is missing round the file is told; with nothing better kept, the whole configuration runs."""
    path = written(tmp_path, GOOD.replace("tls = {}", 'tls = { ca = "ca.pem" }'))
    loaded = load(path, tmp_path / "state")

    assert (False, False, ["mqtt.tls.ca"]) == (loaded.fallback, loaded.partial, [p.key for p in loaded.problems])
    assert ["noise"] == list(loaded.config.rule)


def test_a_good_file_is_kept_once(tmp_path: Path) -> None:
    """F5: starting again with the same file writes nothing to the card."""
    path, state = written(tmp_path, GOOD), tmp_path / "state"
    load(path, state)
    before = (state / "last-good.toml").stat().st_ino
    load(path, state)

    assert before == (state / "last-good.toml").stat().st_ino


def test_card_trouble_stops_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F8: the last good file cannot be written: the configuration runs, and that is told."""

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    path = written(tmp_path, GOOD)
    monkeypatch.setattr(os, "fsync", refuse)
    loaded = load(path, tmp_path / "state")

    assert "Read-only" in str(loaded.problems[0].wrong)
    assert not loaded.fallback


# ---- the last good file -----------------------------------------------------------------------------------------


class Cut(Exception):
    """The power went."""


STEPS = ("open", "write", "fsync", "replace")


def _cut_at(monkeypatch: pytest.MonkeyPatch, step: int) -> Callable[[], int]:
    """After `step` calls of the operating system the power goes, before the next one. How many there were."""
    count = 0

    def wrapped(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            nonlocal count
            if count == step:
                raise Cut
            count += 1
            return real(*arguments, **named)

        return call

    for name in STEPS:
        monkeypatch.setattr(os, name, wrapped(getattr(os, name)))
    return lambda: count


def test_a_power_cut_at_any_step_leaves_a_whole_file(tmp_path: Path) -> None:
    """F5: at each crash point of the third writing, the second or the third is recalled first, never anything else."""
    first, second, third = b"a = 1\n", b"b = 2\n", b"c = 3\n"
    seen = []
    for step in range(20):
        state = tmp_path / str(step)
        last_good.keep(state, first)
        last_good.keep(state, second)
        with pytest.MonkeyPatch.context() as patch:
            _cut_at(patch, step)
            try:
                last_good.keep(state, third)
            except Cut:
                whole = False
            else:
                whole = True
        seen.append(last_good.recall(state)[0])

        assert seen[-1] in (second, third)

        last_good.keep(state, third)

        assert third == last_good.recall(state)[0]
        if whole:
            break

    assert {second, third} == set(seen)
    assert 5 <= len(seen) < 20


@pytest.mark.parametrize("size", range(0, 90, 7))
def test_a_torn_last_good_file_is_never_used(tmp_path: Path, size: int) -> None:
    """F5: cut short or zeroed at any length, the newest is passed over for the one before it."""
    for data in (b"a = 1\n", b"b = 2\n"):
        last_good.keep(tmp_path, data)
    newest = tmp_path / "last-good.toml"
    whole = newest.read_bytes()
    newest.write_bytes(whole[:size] if size < len(whole) else b"\0" * len(whole))

    assert [b"a = 1\n"] == last_good.recall(tmp_path)

    newest.write_bytes(b"\0" * size)
    last_good.keep(tmp_path, b"c = 3\n")

    assert [b"c = 3\n", b"a = 1\n"] == last_good.recall(tmp_path)


@given(data=st.binary(max_size=200))
def test_no_bytes_make_the_door_raise(data: bytes) -> None:
    """F1: whatever the bytes are, `check` answers."""
    assert not check_bytes(data, Path("venue.toml")).good


@given(at=st.integers(0, len(GOOD) - 1), new=st.sampled_from('"=[]{}\n#0xé,.-'))
def test_no_typing_error_makes_the_door_raise(at: int, new: str) -> None:
    """F1: any one letter replaced: either the file can still be used or at least one problem is named."""
    checked = check_bytes((GOOD[:at] + new + GOOD[at + 1 :]).encode(), Path("venue.toml"))

    assert checked.good != bool(errors(checked))


# ---- the command line -------------------------------------------------------------------------------------------


def run(main: Callable[[argparse.Namespace], int], **given_: object) -> int:
    return main(argparse.Namespace(**given_))


def test_check_prints_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` prints file, line, key, what is wrong and what would be right, and ends with 78; a good file with 0."""
    path = written(tmp_path, GOOD.replace("pin = 17", "pin = 40"))
    bad = run(check_main, config=path, json=False)
    printed = capsys.readouterr().out
    good = run(check_main, config=written(tmp_path, GOOD), json=False)

    assert (78, 0) == (bad, good)
    assert "venue.toml, line 47  contact.paper-room-door.pin\n" in printed
    assert "out of range" in printed
    assert "at most 27" in printed


def test_check_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check --json` gives the same as data."""
    code = run(check_main, config=written(tmp_path, GOOD.replace("pin = 17", "pin = 40")), json=True)
    answer = json.loads(capsys.readouterr().out)

    assert (78, False, ["contact.paper-room-door.pin"]) == (
        code,
        answer["usable"],
        [p["key"] for p in answer["problems"]],
    )


def test_the_sample_can_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`config sample` prints a commented file that `check` accepts; all it lacks are people and a station."""
    code = run(config_main, action="sample")
    printed = capsys.readouterr().out
    checked = check(written(tmp_path, printed))

    assert (0, sample()) == (code, printed)
    assert checked.good
    assert {"person", "station", "custody.duties"} == {p.key for p in checked.problems}


@pytest.mark.parametrize("effective", [True, False])
def test_what_show_prints_is_the_same_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], effective: bool
) -> None:
    """F11: the configuration shown, with or without defaults, read back is the same one."""
    path = written(tmp_path, GOOD)
    code = run(config_main, action="show", config=path, effective=effective, json=False)
    printed = capsys.readouterr().out

    assert 0 == code
    assert check(path).config == check(written(tmp_path, printed)).config
    assert effective == ("glitch" in printed)


def test_show_of_a_broken_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`config show` of a broken file prints its problems and ends with 78."""
    code = run(config_main, action="show", config=written(tmp_path, "x"), effective=True, json=False)

    assert (78, True) == (code, "venue.toml, line 1" in capsys.readouterr().err)


def test_show_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`config show --json` gives the tables as data."""
    run(config_main, action="show", config=written(tmp_path, GOOD), effective=True, json=True)

    assert "50ms" == json.loads(capsys.readouterr().out)["contact"]["leak-button"]["settle"]


def test_the_schema_describes_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    """`config schema` prints a JSON Schema that accepts the sample and refuses an unknown key."""
    import jsonschema

    run(config_main, action="schema")
    schema = json.loads(capsys.readouterr().out)
    table = json.loads(json.dumps(tomllib.loads(sample()), default=lambda moment: moment.isoformat()))
    validator = jsonschema.Draft202012Validator(schema)

    assert [] == [e.message for e in validator.iter_errors(table)]
    assert 1 == len(list(validator.iter_errors(table | {"venu": 1})))


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | TEXT | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(table=st.dictionaries(TEXT, VALUES, max_size=4))
def test_what_is_written_as_toml_is_read_as_the_same(table: dict[str, object]) -> None:
    """F11: the writer of `config show` gives TOML that reads back as the same tables, whatever is in them."""
    assert table == tomllib.loads(toml(table))


@given(length=st.integers(0, 366 * 86_400_000))
def test_durations_are_written_as_they_are_read(length: int) -> None:
    """F11: a duration to the millisecond, written and read back, is the same."""
    assert length / 1000 == pytest.approx(seconds(duration_text(length / 1000)), abs=1e-6)


@pytest.mark.parametrize("text", ["5", "5 s", "-5s", "5S", "５s", "1e3s", "367d", "5s\n", "", 5, None])
def test_durations_that_are_none(text: object) -> None:
    """A duration without a unit, or with anything else beside number and unit, is refused."""
    with pytest.raises(ValueError, match="duration"):
        seconds(text)


def test_problems_can_be_said_in_both_languages() -> None:
    """A problem keeps message and values apart, also where a value is itself a message."""
    found = phrase("it must be {kind}", kind=Phrase("a whole number"))

    assert set(catalogue.LANGUAGES) == set(found.both())
    assert "it must be a whole number" == found.both()["en"]


def test_defaults_are_all_shown(tmp_path: Path) -> None:
    """F11: the effective configuration holds every key that the tables have, but for those without a value."""
    config = check(written(tmp_path, GOOD)).config

    assert config is not None

    shown = tables(config, effective=True)

    assert {k for k, v in config.rule["noise"] if v is not None} == set(shown["rule"]["noise"])
