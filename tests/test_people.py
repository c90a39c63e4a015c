"""PINs and keys: made, kept from others' eyes, read back, and refused in words when they cannot be used."""

from __future__ import annotations

import argparse
import io
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.cli import main
from gateway.configuration import config
from gateway.errors import ConfigError, Refused
from gateway.persons.people import (
    new_key,
    person_main,
    pin_hash,
    pin_matches,
    public_text,
    read_key,
    station_add_main,
    write_key,
)


def test_a_pin_is_known_only_by_its_hash() -> None:
    """The same PIN gives another hash each time; only the right one matches; a broken hash matches nothing."""
    first, second = pin_hash("4711"), pin_hash("4711")

    assert first != second
    assert "4711" not in first
    assert pin_matches(first, "4711")
    assert not pin_matches(first, "4712")
    assert [False] * 4 == [pin_matches(text, "4711") for text in ("", "scrypt:", "scrypt:a:b:c", "scrypt:!:!")]


def test_a_key_file_comes_back_and_is_never_overwritten(tmp_path: Path) -> None:
    """Written with mode 0600 and read back; a second write fails."""
    path, key = tmp_path / "k", new_key()
    write_key(path, key)

    assert public_text(key) == public_text(read_key(path))
    assert 0o600 == path.stat().st_mode & 0o777

    with pytest.raises(FileExistsError):
        write_key(path, new_key())


def pem(key: Any) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def test_a_pem_file_will_do(tmp_path: Path) -> None:
    """A key that another program made."""
    path, key = tmp_path / "k", new_key()
    path.write_bytes(pem(key))
    path.chmod(0o600)

    assert public_text(key) == public_text(read_key(path))


@pytest.mark.parametrize(
    ("data", "mode", "words"),
    [
        (b"ed25519:AAAA", 0o600, "cannot be used"),
        (b"\xff\xfe", 0o600, "cannot be used"),
        (b"-----BEGIN NOTHING", 0o600, "cannot be used"),
        (pem(ec.generate_private_key(ec.SECP256R1())), 0o600, "no Ed25519 key"),
        (b"ed25519:" + b"A" * 43 + b"=", 0o640, "chmod 600"),
        (None, 0, "cannot be used"),
    ],
)
def test_a_key_file_that_cannot_be_used_says_why(tmp_path: Path, data: bytes | None, mode: int, words: str) -> None:
    """Wrong content, wrong kind, readable by others, missing."""
    path = tmp_path / "k"
    if data is not None:
        path.write_bytes(data)
        path.chmod(mode)
    with pytest.raises(ConfigError, match=words):
        read_key(path)


def stanza(text: str, name: str) -> Any:
    (table,) = tomllib.loads(text)[name]
    return table


def test_the_stanzas_are_what_the_configuration_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`person add` and `station add` print tables that the configuration accepts as they are."""
    person = {"id": "li-wei", "name": '李"伟', "may": ["ack", "reset"]}
    person_main(argparse.Namespace(**person, key_file=tmp_path / "li-wei.key"))
    with_key = config.Person.model_validate(stanza(capsys.readouterr().out, "person"))
    monkeypatch.setattr("sys.stdin", io.StringIO("4711\n"))
    person_main(argparse.Namespace(**person, key_file=None))
    with_pin = config.Person.model_validate(stanza(capsys.readouterr().out, "person"))
    monkeypatch.chdir(tmp_path)
    station_add_main(argparse.Namespace(id="county", key_file=None, streams=["custody"]))
    station = config.Station.model_validate(stanza(capsys.readouterr().out, "station"))

    assert public_text(read_key(tmp_path / "li-wei.key")) == with_key.key
    assert ('李"伟', True) == (with_pin.name, pin_matches(with_pin.pin or "", "4711"))
    assert public_text(read_key(tmp_path / "county.key")) == station.key


@pytest.mark.parametrize(
    ("work", "more", "words"),
    [
        (person_main, {"key_file": Path("there")}, "never overwritten"),
        (person_main, {"key_file": Path("no/such/folder")}, "cannot be written"),
        (person_main, {"key_file": None}, "at least 4"),
        (station_add_main, {"key_file": None, "id": None}, "name the station"),
    ],
)
def test_what_cannot_be_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Any, more: dict[str, Any], words: str
) -> None:
    """In words, without a traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n"))
    (tmp_path / "there").touch()
    fields = {"id": "x", "name": None, "may": ["ack"], "streams": ["custody"]}
    with pytest.raises(Refused, match=words):
        work(argparse.Namespace(**(fields | more)))


def test_a_pin_is_asked_for_twice_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the finger is noticed."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    answers = iter(["4711", "4712"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))
    with pytest.raises(Refused, match="not the same"):
        person_main(argparse.Namespace(id="x", name=None, may=["ack"], key_file=None))


def test_words_may_be_separated_by_commas(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists on the command line are taken as people write them."""
    monkeypatch.setattr("sys.stdin", io.StringIO("4711\n"))
    person_main(argparse.Namespace(id="x", name=None, may=["ack,reset", "log"], key_file=None))

    assert ["ack", "reset", "log"] == tomllib.loads(capsys.readouterr().out)["person"][0]["may"]


def test_a_word_that_the_configuration_would_not_take_is_refused(tmp_path: Path) -> None:
    """What cannot be used is said at once, before a key is made."""
    key = tmp_path / "county.key"
    with pytest.raises(Refused, match="custdy"):
        station_add_main(argparse.Namespace(id="county", key_file=key, streams=["custdy"]))

    assert not key.exists()


@pytest.mark.parametrize(("name", "content", "words"), [("none", None, "cannot be read"), ("bad", b"\xff", "cannot")])
def test_a_pin_file_that_cannot_be_read(
    name: str, content: bytes | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing or foreign file is named in a sentence before anything is asked of the gateway."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    status = main(["drill", "leak", "--by", "li-wei", "--note", "x", "--pin-file", str(file), "--state", str(tmp_path)])
    said = capsys.readouterr().err

    assert 1 == status
    assert f"{file} {words}" in said


def test_an_input_that_ends_instead_of_a_pin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-D at the question for the PIN is an answer like another, and no traceback."""

    def ended(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", ended)
    status = main(["drill", "leak", "--by", "li-wei", "--note", "x", "--state", str(tmp_path)])

    assert 1 == status
    assert "no PIN was given" in capsys.readouterr().err
