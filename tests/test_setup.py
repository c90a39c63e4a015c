"""The first set-up: by questions in a real terminal, and for 160 venues from one table."""

import csv
import io
import itertools
import re
import stat
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from kit_bus import ScriptedBus
from kit_mqtt import Broker, free_port
from kit_terminal import Person
from rich.cells import cell_len

from drivers.library import find
from gateway.catalogue import choose
from gateway.cli import main
from gateway.configuration.settings import check
from gateway.persons.people import pin_hash, pin_matches
from gateway.setup import answers, guard, papers
from gateway.setup.draft import Draft, recalled
from gateway.setup.instruments import QUICK, Instruments, serial_ports
from gateway.setup.terminal import BackError, Terminal
from gateway.sources import survey

KEY = f"ed25519:{'A' * 43}="


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    choose("en")
    yield
    choose("en")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


# ---- in a terminal -----------------------------------------------------------------------------------------------


def test_a_person_sets_a_venue_up(tmp_path: Path, broker: Broker) -> None:
    """From the first question to a file that `check` accepts, with Ctrl-C in the middle, a wrong answer, a second
    thought, and a broker that is tried; at 80 columns.
    """
    file, port = tmp_path / "venue.toml", tmp_path / "port"
    words = ("setup", file, "--state", tmp_path / "none", "--port", port)
    with Person(*words, LANG="C.UTF-8") as person:
        person.types(
            ("language [1]", "2"),
            ("the venue's name", "湛江市第一中学考点"),
            ("its short name (id): ", "ZJ 1"),
            ("its short name (id): ", "zj-no1"),
            ("sound area [1]: ", "7"),
            ("sound area [1]: ", "2"),
            ("which exam [1]: ", "1"),
            ("first day of the exam", "in June"),
            ("first day of the exam", "2027-06-07"),
            ("papers are stored from [2027-06-05 16:00]", ""),
            ("until [", ""),
            ("name of a person", "李伟"),
            ("short name, such as li-wei", "li-wei"),
            ("what this person may do [3]", "1"),
            ("PIN, unseen while typed", "2468"),
            ("the same again", "2469"),
            ("PIN, unseen while typed", "2468"),
            ("the same again", "2468"),
            ("name of a person", "王芳"),
            ("short name", "wang-fang"),
        )
        person.sees("may do [3]")
        assert "生物学  2027-06-09 17:00 - 18:15  (not verified)" in person.said
        person.presses(b"\x03")
        person.sees("Go on with: venue-gateway setup")
        interrupted = person.ends()
    with Person(*words, "--lang", "en", LANG="C.UTF-8") as person:
        person.types(
            ("go on where you stopped (y/n) [y]", ""),
            ("(to take one out: -li-wei)", "王芳"),
            ("short name", "wang-fang"),
            ("may do [3]", ""),
            ("PIN, unseen while typed", "1357"),
            ("the same again", "1357"),
            ("name of a person", "-wang"),
            ("there is no 'wang' in this list", "-wang-fang"),
            ("name of a person", ""),
            ("short name of a station", "country"),
            ("its key", KEY),
            ("(to take one out: -country)", "-country"),
            ("short name of a station", "county"),
            ("its key", "ed25519:AAA"),
            ("its key", KEY),
            ("short name of a station", ""),
            ("is there a leak button", "<"),
            ("is there a leak button", ""),
            ("(changeover)", ""),
            ("(pin) [27]", "99"),
            ("(pin) [27]", ""),
            ("(pin_other) [5]", ""),
            ("(lamp_pin) [22]", ""),
            ("(buzzer_pin) [23]", ""),
            ("where it is", "paper room"),
            ("door watched", "n"),
            ("siren", "y"),
            ("its pin [24]", ""),
            ("what is on this port [1]", "3"),
            ("speed of the line", "?"),
            ("speed of the line", ""),
            ("a part of its name", "renke_rs_zs"),
            ("its address [1]", ""),
            ("a name for it", "gate-noise"),
            ("where it is", "north gate"),
            ("is it in a room", "n"),
            ("another instrument on this line", ""),
            ("another instrument (I2C", ""),
            ("which sets", ""),
            ("the broker's name", "127.0.0.1"),
            ("how is the way protected [1]", "4"),
            ("its port [1883]", str(free_port())),
            ("which version", ""),
            ("user (- for none)", ""),
            ("correct the answers now", ""),
        )
        person.types(
            ("the broker's name", "127.0.0.1"),
            ("how is the way protected [4]", ""),
            ("its port", str(broker.port)),
            ("which version", ""),
            ("user (- for none)", ""),
            ("what now", ""),
        )
        person.sees("Next:")
        done = person.ends()
        lines = [line for line in person.said.splitlines() if "tmp" not in line]
    checked = check(file)

    assert "no broker is listening" in person.said
    assert "look at the network cable" in person.said
    assert "heard its own message" in person.said
    assert (1, 0) == (interrupted, done)
    assert checked.good, checked.problems
    assert "127.0.0.1" == checked.config.mqtt.host
    assert ["li-wei"] == [each.id for each in checked.config.person]
    assert ["county"] == [each.id for each in checked.config.station]
    assert pin_matches(checked.config.person[0].pin, "2468")
    assert 8 == len(checked.config.session)
    assert ("north gate", False) == (
        checked.config.device["gate-noise"].place,
        checked.config.device["gate-noise"].indoors,
    )
    assert {"gb3096-2008", "listening-test"} == set(checked.config.rule_sets)
    assert recalled(file) is None
    assert [] == [line for line in lines if len(line) > 100 and "scrypt" not in line]
    assert "2468" not in file.read_text()


def test_the_questions_are_asked_in_chinese(tmp_path: Path) -> None:
    """Who chooses Chinese is asked in Chinese; a closed line ends it as Ctrl-C does."""
    with Person("setup", tmp_path / "venue.toml", LANG="C.UTF-8") as person:
        person.types(("language [1]", ""))
        person.sees("1/7")
        person.presses(b"\x04")
        code = person.ends()

    assert 1 == code


# ---- parts ------------------------------------------------------------------------------------------------------


class Typist:
    """`input` that reads from a list; when it ends, so does the line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
        self.questions: list[str] = []
        self._lines = iter(lines)
        monkeypatch.setattr("builtins.input", self)

    def __call__(self, question: str) -> str:
        self.questions.append(question)
        try:
            return next(self._lines)
        except StopIteration as error:
            raise EOFError from error


def test_what_answers_on_a_port_is_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scan finds the meter; two drivers read it alike, the person says which; bus, address and limits follow."""
    monkeypatch.setattr(survey, "LISTEN_S", 0.05)
    monkeypatch.setattr(survey, "BAUDS", (9600,))
    monkeypatch.setattr("gateway.setup.instruments.QUICK", survey.Sweep(bauds=(9600,), addresses=range(3, 4)))
    monkeypatch.setattr(survey, "_serial_drivers", lambda: [find("renke_rs_zs")])
    typist = Typist(monkeypatch, "1", "1", "gate-noise", "north gate", "n", "n", "")
    draft = Draft(tmp_path / "venue.toml", {"venue": {"id": "x", "name": "x"}})
    with ScriptedBus(tmp_path / "port", units=[3]) as line:
        line.registers = lambda *_: 583
        Instruments([str(line.port)], tmp_path / "none")(Terminal(), draft)

    device = {"driver": "renke_rs_zs", "bus": "rs485", "address": 3, "place": "north gate", "indoors": False}
    assert {"gate-noise": device} == draft.get("device")
    assert {"rs485": {"port": str(tmp_path / "port"), "baud": 9600}} == draft.get("bus")
    assert draft.check().good
    assert "1 found" in capsys.readouterr().out
    assert any("a name for it" in question for question in typist.questions)
    assert QUICK.seconds() < 40


def test_a_port_that_is_held_or_gone_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dead port costs a line of text, not the set-up."""
    Typist(monkeypatch, "1", "n")
    Instruments([str(tmp_path / "nothing")], tmp_path / "none")(Terminal(), Draft(tmp_path / "v.toml"))

    assert "is its adapter plugged in" in " ".join(capsys.readouterr().out.split())


def test_ports_by_their_lasting_names(tmp_path: Path) -> None:
    """Adapters in the order of their names; a port named by hand is there once."""
    for name in ("usb-B", "usb-A"):
        (tmp_path / name).touch()
    own = [] if not Path("/dev/serial0").exists() else ["/dev/serial0"]

    assert [str(tmp_path / "usb-A"), str(tmp_path / "usb-B"), *own, "x"] == serial_ports(["x"], tmp_path)


def test_answers_of_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong answers are explained and asked again; `?` explains, `<` goes back."""
    terminal = Terminal()
    Typist(monkeypatch, "x", "是", "0", "9", "2", "1，3", "0", "<")

    assert terminal.yes("well", default=False)
    assert "b" == terminal.choose("which", [("a", "A"), ("b", "B")], "")
    assert ["a", "c"] == terminal.several("which", [("a", "A"), ("b", "B"), ("c", "C")], ())
    assert [] == terminal.several("which", [("a", "A")], ("a",))
    with pytest.raises(BackError):
        terminal.ask("name")
    assert "y for yes" in capsys.readouterr().out


def test_chinese_is_broken_at_the_width_of_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Each sign takes two columns; none goes over the edge."""
    Terminal().tell("试卷保密室" * 30, 2)

    lines = capsys.readouterr().out.splitlines()
    assert 60 < max(map(cell_len, lines)) <= 100
    assert 300 == sum(cell_len(line.strip()) for line in lines)


def test_what_was_answered_outlives_a_cut(tmp_path: Path) -> None:
    """Times, names and all come back as they were; a damaged file is as good as none."""
    draft = Draft(
        tmp_path / "v.toml",
        {"session": [{"name": "语文", "start": datetime.fromisoformat("2027-06-07T09:00")}]},
        ["venue"],
    )
    draft.keep()
    back = recalled(draft.path)
    mode = stat.S_IMODE(draft.kept.stat().st_mode)
    draft.kept.write_text('{"tables"')

    assert (draft.tables, ["venue"]) == (back.tables, back.done)
    assert 0o600 == mode
    assert recalled(draft.path) is None


def test_a_file_is_replaced_only_by_a_good_one(tmp_path: Path) -> None:
    """F11: what would not run is not written; what was there before is kept."""
    file = tmp_path / "v.toml"
    file.write_text("before")
    bad = Draft(file, {"venue": {"id": "X", "name": "x"}})
    with pytest.raises(Exception, match="cannot be a name"):
        bad.save()
    untouched = file.read_text()
    before = Draft(file, {"venue": {"id": "x", "name": "x"}}).save()

    assert "before" == untouched
    assert "before" == before.read_text()
    assert check(file).good


def test_the_usual_papers_become_sessions() -> None:
    """Every plan gives papers that `check` accepts; custody lies round them."""
    for plan in papers.plans().values():
        sessions = papers.sessions(plan, date(2027, 6, 7))
        tables = {"venue": {"id": "x", "name": "x"}, "session": sessions, "custody": papers.custody(sessions)}

        assert [] == [p for p in Draft(Path("v.toml"), tables).check().problems if p.severity == "error"]


def test_times_that_nothing_vouches_for_are_shown_as_such(tmp_path: Path) -> None:
    """The subjects of choice are general knowledge only; the national papers are not, nor is what was typed in."""
    assert {"物理/历史", "化学", "地理", "思想政治", "生物学"} == papers.doubtful("gaokao-3-1-2")
    assert frozenset() == papers.doubtful("gaokao-comprehensive") == papers.doubtful("own")


# ---- many at once -----------------------------------------------------------------------------------------------

COMMON = f"""
rule_sets = ["gb3096-2008"]
[[session]]
name = "语文"
start = 2027-06-07T09:00:00
end = 2027-06-07T11:30:00
[[person]]
may = ["ack", "reset"]
pin = "{pin_hash("2468")}"
[[station]]
id = "county"
key = "{KEY}"
streams = ["custody", "gateway"]
[contact.leak-button]
kind = "leak"
safe = "low"
pin = 27
pin_other = 5
[device.gate-noise]
driver = "renke_rs_zs"
bus = "rs485"
address = 1
[bus.rs485]
port = "/dev/serial/by-id/usb-FTDI-if00-port0"
[mqtt]
host = "broker.example"
tls = {{}}
"""
HEAD = [
    "venue.id",
    "venue.name",
    "venue.sound_area",
    "venue.latitude",
    "person[1].id",
    "person[1].name",
    "bus.rs485.baud",
]


def table(folder: Path, rows: list[list[str]], head: list[str], encoding: str = "utf-8-sig") -> list[str]:
    (folder / "common.toml").write_text(COMMON)
    with (folder / "venues.csv").open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([head, *rows])
    made = ["--common", str(folder / "common.toml"), "--out", str(folder / "out")]
    return ["setup", "--answers", str(folder / "venues.csv"), *made, "--lang", "en"]


def row(number: int) -> list[str]:
    return [f"zj-no{number}", f"第{number}中学考点", "2", "21.27", f"head-{number}", "李伟", "4800"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_one_table_makes_160_venues(tmp_path: Path, encoding: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As Excel saves it, in either encoding: 160 files, each with its own answers, which `check` accepts."""
    count = 160 if encoding == "utf-8-sig" else 3
    code = main(table(tmp_path, [row(number) for number in range(1, count + 1)], HEAD, encoding))
    files = sorted((tmp_path / "out").glob("*.toml"))
    checked = [check(file) for file in files]

    assert 0 == code, capsys.readouterr().out
    assert count == len(files)
    assert [] == [each.problems for each in checked if not each.good]
    assert {f"第{number}中学考点" for number in range(1, count + 1)} == {each.config.venue.name for each in checked}
    assert {("2", 21.27, 4800)} == {
        (each.config.venue.sound_area, each.config.venue.latitude, each.config.bus["rs485"].baud) for each in checked
    }


WRONG = (
    ("venue.id", "ZJ 2", "cannot be a name"),
    ("venue.id", "zj-no1", "is the venue of row 2 too"),
    ("venue.sound_area", "5", "none of the possible words"),
    ("venue.latitude", "north", "text in quotes"),
    ("venue.latitude", "121.3", "at most 90"),
    ("person[1].id", "Li Wei", "cannot be a name"),
    ("bus.rs485.baud", "fast", "text in quotes"),
    ("contact.leak-button.pin", "40", "at most 27"),
    ("contact.leak-button.pin", "5", "pin 5 is already"),
    ("device.gate-noise.address", "256", "at most 255"),
    ("device.gate-noise.driver", "renke_rs_sz", "renke_rs_zs"),
    ("person[1].pin", "12", "at least 4 digits"),
    ("person[3].id", "x", "leave none out"),
    ("session[1].start", "2027/6/7 9:00", "date with a time|text in quotes"),
    ("mqtt.port", "x", "port = 8883"),
    ("mqtt.host.x", "1", "something else at host"),
    ("venue..x", "1", "no key of the configuration"),
    ("rule.loud.point", "gate/laf", "gate"),
)


@pytest.mark.parametrize(("column", "answer", "words"), WRONG)
def test_each_wrong_answer_is_explained(
    column: str, answer: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By row and column, with what would be right; and nothing is written, for none of the venues."""
    head = HEAD if column in HEAD else [*HEAD, column]
    second = [answer if name == column else cell for name, cell in itertools.zip_longest(head, row(2), fillvalue="")]
    first = row(1) + [""] * (len(head) - len(HEAD))
    code = main(table(tmp_path, [first, second], head))
    said = capsys.readouterr().out
    about = [line for line in said.splitlines() if line.startswith("row 3, ") and column in line]

    assert 1 == code
    assert any(re.search(words, line) for line in about), said
    assert not (tmp_path / "out").exists()


def test_pins_are_made_and_listed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`make` makes a PIN: its hash is in the file, the PIN itself in a list that only its owner can read."""
    code = main(table(tmp_path, [[*row(1), "make"]], [*HEAD, "person[1].pin"]))
    listed = list(csv.reader((tmp_path / "out" / "pins.csv").read_text("utf-8-sig").splitlines()))
    person = check(tmp_path / "out" / "zj-no1.toml").config.person[0]

    assert 0 == code
    assert ["zj-no1", "head-1", "李伟"] == listed[1][:3]
    assert pin_matches(person.pin, listed[1][3])
    assert 0o600 == stat.S_IMODE((tmp_path / "out" / "pins.csv").stat().st_mode)
    assert listed[1][3] not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.csv", "venue.id,venue.id\na,b\n", "there twice"),
        ("t.csv", "venue.id\n", "no venue in it"),
        ("t.csv", "venue.id\na,b\n", "row 2: more cells"),
        ("t.toml", "[venue]\nid = 1\n", "double brackets"),
        ("t.toml", "venue", "no TOML"),
        ("gone.csv", None, "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_sentence(
    name: str, text: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that a spreadsheet does ends in a traceback."""
    if text is not None:
        (tmp_path / name).write_text(text)

    assert 1 == main(["setup", "--answers", str(tmp_path / name), "--out", str(tmp_path / "out"), "--lang", "en"])
    assert words in capsys.readouterr().err


def test_a_table_may_be_toml(tmp_path: Path) -> None:
    """[[venue]] once for each, with the same keys."""
    (tmp_path / "t.toml").write_text(
        '[[venue]]\nvenue = { id = "a", name = "A" }\ncontact.leak-button = { kind = "leak", safe = "low", pin = 27 }\n'
        '[[venue]]\nvenue.id = "b"\nvenue.name = "B"\n'
    )
    rows = answers.read_rows(tmp_path / "t.toml")
    made = answers.make(rows, {}, tmp_path)

    assert [] == made.complaints
    assert [27, None] == [draft.get("contact", "leak-button", "pin") for draft in made.drafts]
    assert ["t.toml"] == [file.name for file in tmp_path.iterdir()]


def test_a_password_goes_where_the_service_reads_it(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the configuration, or among the service's secrets where it is installed; never into the file itself."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "service" / "secrets").mkdir(parents=True)
    answers_ = ("127.0.0.1", "4", str(broker.port), "", "zj-no1", "s3cret-word")
    named = {}
    for folder in ("alone", "service"):
        (tmp_path / folder).mkdir(exist_ok=True)
        Typist(monkeypatch, *answers_)
        monkeypatch.setattr("sys.stdin", io.StringIO())
        draft = Draft(tmp_path / folder / "venue.toml", {"venue": {"id": "x", "name": "x"}})
        guard.Broker(test=True)(Terminal(), draft)
        named[folder] = draft.get("mqtt", "password_file")
        draft.save()
        said = capsys.readouterr().out

        assert "heard its own message" in said
        assert "s3cret-word" not in draft.path.read_text()
        assert check(draft.path).good

    assert {"alone": "mqtt.password", "service": "$CREDENTIALS_DIRECTORY/secret_mqtt.password"} == named
    for file in (tmp_path / "alone" / "mqtt.password", tmp_path / "service" / "secrets" / "mqtt.password"):
        assert ("s3cret-word\n", 0o600) == (file.read_text(), stat.S_IMODE(file.stat().st_mode))
