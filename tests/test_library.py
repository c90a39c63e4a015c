"""The library: a file that is there is a driver, found by name, by nothing else, and without importing the others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from drivers import library
from drivers.schema import ProfileError
from tests.kit_vectors import Case, read_cases
from tests.test_vectors import assert_case_holds

ROOT = Path(__file__).parent.parent


def test_every_name_is_found() -> None:
    """What is listed can be had, and each is there once."""
    names = library.names()

    assert sorted(set(names)) == list(names)
    assert {"renke_rs_zs", "scd30", "xy_md02"} <= set(names)
    assert not {"base", "modbus", "library", "_options", "__init__"} & set(names)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("renke_rszs", "no driver 'renke_rszs' (did you mean 'renke_rs_zs'?)"),
        ("Renke-RS-ZS", "no driver 'Renke-RS-ZS' (did you mean 'renke_rs_zs'?)"),
        ("base", "no driver 'base'"),
        ("../gateway/app", "no driver '../gateway/app'"),
        ("", "no driver ''"),
        ("mine.toml", "no profile file 'mine.toml'"),
    ],
)
def test_an_unknown_driver_is_told_with_the_nearest(name: str, complaint: str) -> None:
    """A misspelt name costs a glance, and a name is never a way to other files."""
    with pytest.raises(library.UnknownDriver) as told:
        library.find(name)

    assert str(told.value).startswith(complaint)


def test_finding_one_driver_imports_no_other() -> None:
    """A gateway with one meter does not load all the rest (start-up time, memory)."""
    code = "import sys; from drivers import library; library.find('scd30'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = {name.removeprefix("drivers.") for name in loaded.stdout.split() if name.startswith("drivers.")}

    assert {"scd30"} == modules & set(library.names())


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    """A user's profile lies beside the configuration and is told of by file and key when it is wrong."""
    (tmp_path / "mine.toml").write_text((ROOT / "drivers/profiles/xy_md02.toml").read_text().replace("xy_md02", "mine"))
    (tmp_path / "bad.toml").write_text("name = 'bad'\n")

    assert library.find("mine.toml", tmp_path).name == "mine"
    assert library.find(str(tmp_path / "mine.toml")).name == "mine"
    with pytest.raises(ProfileError, match=r"bad\.toml: title: Field required"):
        library.find("bad.toml", tmp_path)


@pytest.mark.parametrize("name", library.names())
def test_an_address_that_is_not_taken_is_refused(name: str) -> None:
    """No driver passes over an address in silence: it is used, or refused with a sentence."""
    driver = library.find(name)
    for address in (5, driver.address):
        try:
            used = library.bound(name, address, {}).address
        except ValueError as error:
            refused, used = str(error), address
        else:
            refused = "address"

        assert re.search(r"address|must be (said|given)", refused)
        assert used == (driver.address if address is None else address)
    with pytest.raises(ValueError, match=r"no_such_option|must be said"):
        library.bound(name, None, {"no_such_option": 1})


def test_the_page_of_devices_is_current() -> None:
    """docs/devices.md is what `python -m drivers.library` prints."""

    assert library.page() == (ROOT / "docs/devices.md").read_text(encoding="utf-8")


def test_the_example_of_the_handbook_works(tmp_path: Path) -> None:
    """docs/adding-a-device.md: its profile loads, and its vectors hold like any others."""
    text = (ROOT / "docs/adding-a-device.md").read_text(encoding="utf-8")
    profile, vectors = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "acme_th10.toml"
    path.write_text(profile, encoding="utf-8")
    (tmp_path / "vectors.toml").write_text(vectors, encoding="utf-8")
    cases: tuple[Case, ...] = read_cases(str(path), tmp_path / "vectors.toml")

    assert len(cases) == 3
    for case in cases:
        assert_case_holds(case)
