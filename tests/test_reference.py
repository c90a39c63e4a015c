"""The documents that are made from the code, and the codes that lead into them."""

import json
import re
import sys
from pathlib import Path

import pytest
from kit_mqtt import free_port
from kit_process import venue

from gateway.catalogue import choose, say
from gateway.cli import main
from gateway.codes import GENERAL, code, code_of
from gateway.doctor.registry import CHECKS
from gateway.errors import ConfigError, Refused, Unavailable

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import make_reference  # noqa: E402  it lies beside the pages that it makes

CODE = re.compile(r"\[(E-[A-Z2-7]+)\]\s*$")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return make_reference.pages()


@pytest.mark.parametrize(
    "name", ["errors.md", "reference/commands.md", "reference/configuration.md", "reference/topics.md"]
)
def test_the_pages_are_those_of_the_code(name: str, pages: dict[str, str]) -> None:
    """No error, option, key nor topic is missing in a page that is made from the code. Mended by `make reference`."""
    assert pages[name] == (ROOT / "docs" / name).read_text("utf-8")


def test_every_code_is_one_message() -> None:
    """Two sentences of one code would lead to the wrong place."""
    codes = [code(message) for message in make_reference.messages()]

    assert len(codes) > 300
    assert sorted(set(codes)) == sorted(codes)


def test_every_error_and_every_check_has_its_place(pages: dict[str, str]) -> None:
    """Whatever a module that raises errors can say, and whatever the doctor can find, is in the page."""
    page = pages["errors.md"]

    assert [] == [message for message in make_reference.messages() if f"`{code(message)}`" not in page]
    assert [] == [check.name for check in CHECKS if f"`{check.name}`" not in page]
    assert [] == [each for each in GENERAL.values() if f"`{each}`" not in page]


WRONG = (
    ("status", "--state", "{folder}"),
    ("ack", "leak-button", "--by", "li-wei", "--pin-file", "{folder}/pin", "--state", "{folder}"),
    ("read", "{folder}/venue.toml", "nothing", "--state", "{folder}"),
    ("read", "{folder}/none.toml", "x", "--state", "{folder}"),
    ("scan", "{folder}/no-port", "--state", "{folder}"),
    ("provision", "x", "no-driver", "--address", "1", "--state", "{folder}"),
    ("station", "{folder}/none.toml"),
    ("person", "add", "x", "--may", "fly"),
    ("setup", "--answers", "{folder}/none.csv"),
    ("doctor", "--bus", "x"),
    ("run", "{folder}/none.toml", "--state", "{folder}/state"),
    ("journal", "tail", "--state", "{folder}/none"),
    ("demo", "--scenario", "no-such-story"),
)


@pytest.mark.parametrize("words", WRONG, ids=lambda words: " ".join(words[:2]))
def test_what_goes_wrong_ends_in_a_code(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], pages: dict[str, str]
) -> None:
    """Through the real command line: the last line of an error carries a code, and the code leads somewhere."""
    (tmp_path / "pin").write_text("2468")
    (tmp_path / "venue.toml").write_text(venue(free_port()))
    status = main([*(word.format(folder=tmp_path) for word in words), "--lang", "en"])
    said = capsys.readouterr().err.strip().splitlines()[-1]
    found = CODE.search(said)

    assert status in (1, 78)
    assert found is not None, said
    assert f"`{found[1]}`" in pages["errors.md"], said


def test_check_names_the_code_of_each_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the text and as data."""
    (tmp_path / "venue.toml").write_text(venue(free_port()).replace("pin = 27", "pin = 99"))
    main(["check", str(tmp_path / "venue.toml"), "--lang", "en"])
    text = capsys.readouterr().out
    main(["check", str(tmp_path / "venue.toml"), "--json"])
    data = json.loads(capsys.readouterr().out)

    assert f"error: 99 is out of range  [{code('{given} is out of range')}]" in text
    assert code("{given} is out of range") in [problem["code"] for problem in data["problems"]]


def test_the_code_is_the_same_in_both_languages() -> None:
    """A code is of the message, whatever language it was said in; a foreign sentence has that of its kind."""
    codes = set()
    for language in ("zh", "en"):
        choose(language)
        codes.add(code_of(Refused(say("the PIN of {by} is wrong", by="x"))))
    foreign = [code_of(kind("Permission denied")) for kind in (Refused, Unavailable, ConfigError)]
    answered = Refused("x")
    answered.code = "E-ABCDE"

    assert {code("the PIN of {by} is wrong")} == codes
    assert list(GENERAL.values()) == [foreign[2], foreign[0], foreign[1]]
    assert "E-ABCDE" == code_of(answered)
