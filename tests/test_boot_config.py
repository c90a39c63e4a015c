"""What is shipped for the hardware: boot files merged without harm, the watchdog, example venues."""

import argparse
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration import settings
from gateway.configuration.config import Config
from gateway.configuration.consistency.contacts import BOOT_PINS, POWER_PIN
from gateway.errors import Refused
from gateway.installer.boot_config import BEGIN, END, boot_main, fragment, merge_cmdline, merge_config, plan
from gateway.moment import SystemClock
from gateway.simulate.simulation import Simulation

HARDWARE = Path(__file__).parent.parent / "firmware_config"
LONGEST_LINE = 98  # what the firmware reads of a line of config.txt

# The settings that Raspberry Pi OS comes with, without its comments.
BOOKWORM = """dtparam=audio=on
camera_auto_detect=1
display_auto_detect=1
auto_initramfs=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2
disable_fw_kms_setup=1
arm_64bit=1
disable_overscan=1
arm_boost=1

[cm4]
otg_mode=1

[all]
"""
TRIXIE = """#dtparam=i2c_arm=on
dtparam=audio=on
camera_auto_detect=1
display_auto_detect=1
auto_initramfs=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2
disable_fw_kms_setup=1
arm_64bit=1
disable_overscan=1
arm_boost=1

[cm4]
otg_mode=1

[cm5]
dtoverlay=dwc2,dr_mode=host
"""
CMDLINE = "console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 fsck.repair=yes rootwait quiet"


@pytest.mark.parametrize("text", [BOOKWORM, TRIXIE, "", "enable_uart=0", "\n\n", "[pi5]\nkernel=x"])
def test_our_block_comes_last_and_for_all_boards(text: str) -> None:
    """What was there stays line by line; ours stands behind it, where the last word is, under [all]."""
    merged = merge_config(text)
    before, block = merged.split(BEGIN)
    kept = text.rstrip("\n")

    assert (f"{kept}\n\n" if kept else "") == before
    assert "[all]" == next(line for line in block.splitlines() if line.startswith("["))
    assert merged.endswith(f"[all]\n{END}\n")


def in_force(text: str, board: str) -> list[str]:
    """The settings that the firmware of this board reads: those under [all] or its own name."""
    filters, found = "all", []
    for line in text.splitlines():
        if line.startswith("["):
            filters = line.strip("[]")
        elif line and not line.startswith("#") and filters in ("all", board):
            found.append(line)
    return found


@pytest.mark.parametrize(
    ("board", "uart"), [("pi3", "dtoverlay=disable-bt"), ("pi4", "dtoverlay=disable-bt"), ("pi5", "dtparam=uart0=on")]
)
@pytest.mark.parametrize("text", [BOOKWORM, TRIXIE])
def test_each_board_gets_its_real_uart(text: str, board: str, uart: str) -> None:
    """A Pi 3 and 4 take it from Bluetooth, a Pi 5 has one of its own; whatever section the file ended in."""
    before, after = (in_force(each, board) for each in (text, merge_config(text)))
    common = ["dtparam=i2c_arm=on", "dtoverlay=w1-gpio,gpiopin=4", "dtparam=watchdog=on"]
    shutdown = "dtoverlay=gpio-shutdown,gpio_pin=26,active_low=1,gpio_pull=up,debounce=3000"

    assert [*before, "enable_uart=1", uart, *common, shutdown] == after


LINES = st.lists(
    st.one_of(
        st.sampled_from([*BOOKWORM.splitlines(), BEGIN, END, "[all]", "enable_uart=0", "# é", "\udcff"]),
        st.text(st.characters(blacklist_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=20),
    ),
    max_size=12,
)


@given(LINES)
def test_merging_again_changes_nothing(lines: list[str]) -> None:
    """Whatever a config.txt holds, half of an old block included: twice is once, and no foreign line is lost."""
    text = "\n".join(lines)
    once = merge_config(text)

    assert once == merge_config(once)
    assert [1, 1] == [once.split("\n").count(mark) for mark in (BEGIN, END)]
    if BEGIN not in text and END not in text:
        assert text.strip("\n") == once.split(BEGIN)[0].strip("\n")


@given(LINES, LINES)
def test_a_new_version_of_the_block_replaces_the_old_one(before: list[str], after: list[str]) -> None:
    """An upgrade leaves one block, the new one, and what people wrote before and behind it."""
    foreign = [[line for line in part if line not in (BEGIN, END)] for part in (before, after)]
    old = merge_config("\n".join(foreign[0]), "dtparam=old=on") + "\n".join(foreign[1])
    new = merge_config(old, "dtparam=new=on")

    assert "dtparam=old=on" not in new.split("\n")
    assert 1 == new.split("\n").count("dtparam=new=on")
    assert [line for part in foreign for line in part if line] == [
        line for line in new.split("\n") if line and line not in (BEGIN, END, "dtparam=new=on")
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (CMDLINE, CMDLINE.removeprefix("console=serial0,115200 ")),
        ("console=ttyAMA0,115200 console=tty1", "console=tty1"),
        ("console=tty1 console=ttyS0,115200n8 quiet\n", "console=tty1 quiet\n"),
        ("console=tty1 kgdboc=ttyAMA0,115200", "console=tty1"),
        ("console=tty1 root=/dev/mmcblk0p2", "console=tty1 root=/dev/mmcblk0p2"),
        ("console=tty1 init=/x?console=serial0", "console=tty1 init=/x?console=serial0"),
        ("", ""),
    ],
)
def test_consoles_leave_the_serial_port(line: str, expected: str) -> None:
    """A console on the instruments' line would write kernel messages between the frames."""
    assert expected == merge_cmdline(line)
    assert expected == merge_cmdline(expected)


def test_the_shipped_lines_are_such_that_the_firmware_reads_them() -> None:
    """No line is longer than the firmware reads, each is a filter or name=value, and the watchdog is on."""
    lines = [line for line in fragment().splitlines() if line and not line.startswith("#")]

    assert [] == [line for line in fragment().splitlines() if len(line) > LONGEST_LINE]
    assert [] == [line for line in lines if not re.fullmatch(r"\[\w+\]|\w+=\S+", line)]
    assert {"enable_uart=1", "dtparam=i2c_arm=on", "dtparam=watchdog=on"} <= set(lines)


def test_pins_of_the_shipped_lines_are_warned_of() -> None:
    """A leak button on the power button's pin would shut the board down: `check` knows each pin that the lines take."""
    taken = {int(number) for number in re.findall(r"gpio_?pin=(\d+)", fragment())}

    assert taken | {2, 3, 14, 15} == {*BOOT_PINS, POWER_PIN}


def run(folder: Path | None, *, apply: bool = False) -> int:
    return boot_main(argparse.Namespace(boot=folder, apply=apply, check=not apply))


def test_it_shows_then_changes_and_keeps_the_old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check ends with 1 and changes nothing, --apply keeps each old file, and then there is nothing more to do."""
    (tmp_path / "config.txt").write_text(BOOKWORM)
    (tmp_path / "cmdline.txt").write_text(CMDLINE)
    checked = run(tmp_path)
    untouched = (tmp_path / "config.txt").read_text()
    shown = capsys.readouterr().out
    applied = run(tmp_path, apply=True)
    again = run(tmp_path)
    (tmp_path / "config.txt").write_text(BOOKWORM)
    run(tmp_path, apply=True)

    assert (1, BOOKWORM, 0, 0) == (checked, untouched, applied, again)
    assert "+enable_uart=1" in shown
    assert "-console=serial0,115200" in shown
    assert BOOKWORM == (tmp_path / "config.txt.venue-1").read_text() == (tmp_path / "config.txt.venue-2").read_text()
    assert CMDLINE == (tmp_path / "cmdline.txt.venue-1").read_text()
    assert {} == plan(tmp_path)


def test_bytes_that_are_no_text_survive(tmp_path: Path) -> None:
    """A file that somebody wrote in another encoding keeps its bytes."""
    (tmp_path / "config.txt").write_bytes(b"# \xd6\xd0\xce\xc4\ndtparam=audio=on\n")
    run(tmp_path, apply=True)

    assert (tmp_path / "config.txt").read_bytes().startswith(b"# \xd6\xd0\xce\xc4\ndtparam=audio=on\n")


def test_elsewhere_it_says_that_this_is_no_pi(tmp_path: Path) -> None:
    """Without a config.txt there is nothing to merge into."""
    with pytest.raises(Refused, match="no Raspberry Pi"):
        run(tmp_path)


def test_a_boot_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only boot partition: the sentence names file and cause, and the file is whole."""
    (tmp_path / "config.txt").write_text(BOOKWORM)

    def refuse(_path: Path, _data: bytes) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(Refused, match=r"config\.txt cannot be changed: Read-only file system"):
        run(tmp_path, apply=True)

    assert BOOKWORM == (tmp_path / "config.txt").read_text()


def test_the_watchdog_is_asked_for_what_the_board_can_do() -> None:
    """F3: a Pi's watchdog counts 15 seconds at most; more would end in a board that restarts for ever."""
    text = (HARDWARE / "system.conf.d/venue-gateway.conf").read_text()

    assert 15 >= int(re.search(r"^RuntimeWatchdogSec=(\d+)$", text, re.MULTILINE)[1])  # type: ignore[index]


@pytest.mark.parametrize("name", ["small-school", "big-city"])
def test_example_venues_are_accepted(name: str) -> None:
    """What we show is right: no error, and no warning but that people and stations are still to be made."""
    checked = settings.check(HARDWARE / "examples" / f"{name}.toml")

    assert checked.good, [str(problem) for problem in checked.problems]


def test_the_big_venue_runs_in_simulation() -> None:
    """Its 16 instruments are all played, byte for byte."""
    config = Config.model_validate(tomllib.loads((HARDWARE / "examples/big-city.toml").read_text("utf-8")))
    simulation = Simulation(config, SystemClock())
    try:
        assert 16 == len(config.device) == len(simulation.config.device)
    finally:
        simulation.close()
