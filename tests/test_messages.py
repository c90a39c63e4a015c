"""Two languages from one catalogue: complete, with the same fields, chosen by option or environment, in every help."""

import argparse
import ast
import json
import re
import socket
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from drivers import errors
from drivers.base import Quality
from gateway import catalogue, usage, vocabulary
from gateway.alarm.wording import HAPPENED
from gateway.alarm.words import State
from gateway.calendar import WHENS
from gateway.catalogue import Said, again, both, choose, chosen, say, sentence, spoken
from gateway.cli import build_parser, main
from gateway.errors import Refused
from gateway.moment import ClockState, SystemClock
from gateway.persons.control import Control, Doorman
from gateway.values import ContactState, Severity, SinkState

CODE = Path(catalogue.__file__).parent
KEYWORDS = {"say": None, "both": None, "N_": None}  # as `make messages` collects them
SAME_IN_BOTH = {"-", "{key}", "{text}", "{trouble}", "{file}: {error}", "venue-gateway why {alarm}", "USB"}
SAME_IN_BOTH |= {"PM1", "PM10", "PM2.5", "{fallen:.1f} mm", "--tolerance: {error}"}
SAME_IN_BOTH |= {"{name}: {host}:{port}, HJ 212-{edition}"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    choose("en")


@pytest.fixture(scope="module")
def collected() -> set[str]:
    found = extract_from_dir(CODE, [("**.py", "python"), ("**.html", "jinja2")], keywords=KEYWORDS)
    return {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in found}


@pytest.fixture(scope="module")
def translated() -> dict[str, str]:
    with (CODE / "locale" / "zh.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


def fields(text: str) -> list[str]:
    """Those in braces, and those in percent signs that argparse fills in."""
    braces = [f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name is not None]
    return sorted(braces + re.findall(r"%(?:\(\w+\))?[srd]", text))


def test_every_message_has_its_chinese(collected: set[str], translated: dict[str, str]) -> None:
    """Nothing that people read is missing in either language. Mended by `make messages`, and writing the Chinese."""
    missing = sorted(message for message in collected if not translated.get(message))

    assert [] == missing


def test_no_message_hides_in_an_f_string() -> None:
    """What collects messages does not look into f-strings on every version of Python; one there would be forgotten."""
    hidden = [
        f"{path.name}:{call.lineno}"
        for path in CODE.rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KEYWORDS
        if call.args and isinstance(call.args[0], ast.Constant | ast.Call)
    ]

    assert [] == hidden


def test_no_message_hides_in_a_variable() -> None:
    """A text that is first put into a name and then said is collected only when N_ marks it."""
    hidden = [
        f"{path.relative_to(CODE)}:{text.lineno}"
        for path in CODE.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef)
        for text in _unmarked(function)
    ]

    assert [] == hidden


def _unmarked(function: ast.FunctionDef) -> Iterator[ast.Constant]:
    """Texts given to a name that `say` or `both` is then called with."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    said = {ast.unparse(call.args[0]) for call in calls if call.func.id in ("say", "both") and call.args}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and said & {ast.unparse(target) for target in node.targets}:
            values = (node.value.body, node.value.orelse) if isinstance(node.value, ast.IfExp) else (node.value,)
            yield from (value for value in values if isinstance(value, ast.Constant) and value.value)


def test_a_reason_is_said_in_both_languages_of_an_event() -> None:
    """A pin's trouble stood in English in the Chinese text of its alarm."""
    reason = say("no GPIO chip of a Raspberry Pi is here; found: {found}", found=say("none"))
    text = both("The pin of {name} cannot be used: {reason}", name="x", reason=vocabulary.word(reason))

    assert "树莓派" in text["zh"]
    assert "Raspberry Pi is here; found: none" in text["en"]


def test_nothing_stale_is_in_the_catalogue(collected: set[str], translated: dict[str, str]) -> None:
    """A message that the code no longer says is gone from the catalogue; `make messages` removes it."""
    assert [] == sorted(set(translated) - collected)


def test_both_languages_have_the_same_fields(translated: dict[str, str]) -> None:
    """A field that is missing loses a value, one too many is an error in the middle of an alarm."""
    different = [message for message, chinese in translated.items() if chinese and fields(message) != fields(chinese)]

    assert [] == different


def test_the_chinese_is_chinese(translated: dict[str, str]) -> None:
    """An English text copied over is no translation."""
    foreign = [
        message
        for message, chinese in translated.items()
        if not CHINESE.search(chinese) and re.sub(r"[\W\d_]", "", re.sub(r"\{.*?\}|PIN", "", chinese))
    ]

    assert [] == sorted(set(foreign) - SAME_IN_BOTH)


def test_the_catalogue_is_read_as_babel_reads_it(translated: dict[str, str]) -> None:
    """Our own reading of the file, wrapped lines and quotes included, is that of the tool that writes it."""
    assert {message: chinese for message, chinese in translated.items() if chinese} == dict(
        catalogue._translations("zh")
    )


def test_lines_wrapped_by_an_editor_are_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Translators' editors put a header first and break long lines; what has no translation yet stays English."""
    (tmp_path / "zh.po").write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        '#, python-brace-format\nmsgid ""\n"one "\n"\\"two\\""\nmsgstr ""\n"一"\n"“二”"\n\nmsgid "three"\nmsgstr ""\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(catalogue, "_LOCALE", tmp_path)
    catalogue._translations.cache_clear()

    assert {"zh": "一“二”", "en": 'one "two"'} == both('one "two"')
    assert {"zh": "three", "en": "three"} == both("three")
    assert {"zh": "", "en": ""} == both("")
    catalogue._translations.cache_clear()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_an_alarm_is_said_when_the_catalogue_cannot_be_read(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing card costs the Chinese of an alarm, never the alarm."""
    if content is not None:
        (tmp_path / "zh.po").write_bytes(content)
    monkeypatch.setattr(catalogue, "_LOCALE", tmp_path)
    catalogue._translations.cache_clear()

    assert {"zh": "Again: x", "en": "Again: x"} == both("Again: {what}", what="x")
    catalogue._translations.cache_clear()


@pytest.mark.parametrize(
    ("given", "environment", "language"),
    [
        (None, {}, "en"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LANG": "zh_TW"}, "zh"),
        (None, {"LANG": "C.UTF-8"}, "en"),
        (None, {"LANG": "de_DE.UTF-8"}, "en"),
        (None, {"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        (None, {"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ("en", {"LANG": "zh_CN.UTF-8"}, "en"),
        ("zh", {"LANG": "C"}, "zh"),
    ],
)
def test_the_language_is_chosen(
    given: str | None, environment: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--lang first, then LC_ALL, LC_MESSAGES, LANG; English when none fits."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert (language, language) == (choose(given), chosen())


@pytest.mark.parametrize("words", [["--lang", "zh", "--help"], ["--lang=zh", "--help"], ["status", "--lang=zh", "-h"]])
def test_help_is_in_the_language_of_the_option(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """--lang decides the help too, wherever it stands."""
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert 0 == ended.value.code
    assert CHINESE.search(capsys.readouterr().out)


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_the_help_of_every_command_renders(language: str) -> None:
    """No help text trips over a percent sign, and each option of each command has its words in both languages."""
    choose(language)
    usage.speak()
    for parser in parsers(build_parser()):
        text = parser.format_help()
        said = [action.help for action in parser._actions if action.help not in (None, argparse.SUPPRESS)]

        assert parser.prog in text
        assert "en" == language or [] == [each for each in said if not CHINESE.search(each)]


@pytest.mark.parametrize(
    ("codes", "known"),
    [
        (list(State), vocabulary.STATES),
        (list(HAPPENED), vocabulary.TRANSITIONS),
        (list(ClockState), vocabulary.CLOCKS),
        (list(ContactState), vocabulary.CONTACTS),
        (list(Quality), vocabulary.QUALITIES),
        (list(WHENS), vocabulary.WHENS),
        (list(get_args(Severity)), vocabulary.SEVERITIES),
        (list(get_args(get_type_hints(SinkState)["state"])), vocabulary.LINKS),
        (
            [name for name, kind in vars(errors).items() if isinstance(kind, type) and kind is not errors.DeviceError],
            vocabulary.CAUSES,
        ),
    ],
)
def test_every_code_has_its_words(codes: list[str], known: dict[str, str]) -> None:
    """What the program calls by a code is shown to people in words."""
    assert set(codes) - {"noted"} == set(known)


def test_a_name_that_is_no_code_stays_itself() -> None:
    """Device texts and names pass through."""
    assert "gate-noise" == vocabulary.word("gate-noise")
    assert "Timeout" not in vocabulary.word("Timeout")


def test_what_was_said_can_be_said_again_in_the_other_language() -> None:
    """A sentence inside a sentence, an exception, a whole answer: each in the language of whoever reads it."""
    choose("zh")
    refused = Refused(
        say("{alarm}: {state}, revision {revision}", alarm="x", state=vocabulary.word("shelved"), revision=3)
    )
    answer = {"ok": False, "error": sentence(refused), "all": [vocabulary.word("cut"), 1, None, "plain"]}

    assert "x：已搁置，修订号 3" == str(refused)
    assert "x: shelved, revision 3" == again(refused)["en"]
    assert {"ok": False, "error": "x: shelved, revision 3", "all": ["cut", 1, None, "plain"]} == spoken(answer, "en")
    assert answer == spoken(answer, "zh")
    assert isinstance(sentence(refused), Said)
    assert "[Errno 2] gone" == sentence(OSError(2, "gone"))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"lang": "zh"}, "模拟"),
        ({"lang": "en"}, "not simulated"),
        ({}, "not simulated"),
        ({"lang": ["zh"]}, "not simulated"),
    ],
)
def test_the_gateway_answers_in_the_language_of_whoever_asks(
    asked: dict[str, object], words: str, tmp_path: Path
) -> None:
    """A service that was started in English answers a Chinese command line in Chinese."""
    control = Control(tmp_path, Doorman({}, SystemClock()), lambda _message: None, SystemClock())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(json.dumps({"verb": "sim", "name": "x", "action": ["press"], **asked}).encode() + b"\n")
        control.serve(theirs, acting=True)
        answer = json.loads(ours.makefile("rb").readline())

    assert not answer["ok"]
    assert words in answer["error"]
