"""The machine's own state: read from files that are there, judged, and told as alarms."""

import json
import os
import tomllib
from pathlib import Path

import pytest
from kit_engine import START_NS, VENUE, Bench

from gateway.configuration import armed
from gateway.configuration.config import Config
from gateway.machine.platform import Vitals, board_serial, judge, read_vitals
from gateway.moment import NANO, ClockState, Moment, SystemClock
from gateway.sources import machine
from gateway.sources.machine import Machine, timedated
from gateway.values import MachineState

NOW = Moment(1_780_794_000 * NANO, 1000 * NANO)


def put(root: Path, **files: object) -> Path:
    """Files of a fake machine: `sys__class__x` is sys/class/x."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("COLON", ":")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


@pytest.mark.parametrize(
    ("bits", "before", "supply", "heat"),
    [
        (0x00000, None, None, None),
        (0x00001, None, "too low now, 0x1", None),
        (0x50005, None, "too low now, 0x50005", None),  # throttled for the supply's sake, not for heat
        (0x50000, None, "too low for a moment, 0x50000", None),  # since the start, seen for the first time
        (0x50000, 0x00000, "too low for a moment, 0x50000", None),  # a dip between two looks
        (0x50000, 0x50000, None, None),  # known already
        (0x00008, None, None, "61 °C"),
        (0x00002, None, None, "61 °C"),
        (0xE0000, None, None, None),  # was hot once
        (0x80008, 0x80008, None, "61 °C"),
    ],
)
def test_bits_of_the_firmware(bits: int, before: int | None, supply: str | None, heat: str | None) -> None:
    """F10: each pattern of the throttling bits means what the firmware's documentation says."""
    past = None if before is None else Vitals(throttled=before)
    found = judge(Vitals(throttled=bits, celsius=61.0), past)

    assert (supply, heat) == (found["power-supply"], found["heat"])


@pytest.mark.parametrize(
    ("vitals", "alarm", "expected"),
    [
        (Vitals(celsius=79.9), "heat", "absent"),  # between hot and cool: no signal
        (Vitals(celsius=80.0), "heat", "80 °C"),
        (Vitals(celsius=74.9), "heat", None),
        (Vitals(throttled=8), "heat", "it slows itself down"),
        (Vitals(throttled=0), "heat", "absent"),  # no sensor: not said to be cool
        (Vitals(free_mib=499.0), "card-space", "499 MiB are free"),
        (Vitals(free_mib=600.0), "card-space", "absent"),
        (Vitals(free_mib=701.0), "card-space", None),
        (Vitals(damaged=2), "card-worn", "the file system found 2 errors"),
        (Vitals(damaged=0), "card-worn", None),
        (Vitals(life=8), "card-worn", None),
        (Vitals(life=9), "card-worn", "90 % of its life are used"),
        (Vitals(life=11), "card-worn", "100 % of its life are used"),
        (Vitals(life=1, near_end=2), "card-worn", "its spare blocks are nearly used up"),
        (Vitals(memory=0.07), "memory", "7% of the memory is free"),
        (Vitals(memory=0.10), "memory", "absent"),
        (Vitals(memory=0.5), "memory", None),
        (Vitals(memory=0.5, own_mib=300.0), "memory", "the gateway itself uses 300 MiB"),
        (Vitals(), "power-supply", "absent"),
    ],
)
def test_what_is_bad_is_said_and_what_is_not_known_is_not(vitals: Vitals, alarm: str, expected: str | None) -> None:
    """A limit raises, a lower one clears, and what a machine does not tell is neither good nor bad."""
    assert expected == judge(vitals).get(alarm, "absent")


def test_a_machine_without_any_of_it_says_nothing(tmp_path: Path) -> None:
    """No file, no statement: an empty machine is not a healthy one."""
    found = judge(read_vitals(tmp_path / "gone", tmp_path))

    assert ({}, None) == (found, board_serial(tmp_path))


def test_the_files_of_a_pi_are_read(tmp_path: Path) -> None:
    """The names are those of Raspberry Pi OS: firmware bits, temperature, ext4, eMMC, memory, serial number."""
    state = tmp_path / "state"
    state.mkdir()
    device = state.stat().st_dev
    disk = tmp_path / "sys/devices/platform/emmc2bus/mmc0/block/mmcblk0"
    put(
        disk,
        mmcblk0p2__partition=2,
        device__life_time="0x02 0x0a",
        device__pre_eol_info="0x01",
    )
    link = tmp_path / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    link.parent.mkdir(parents=True)
    link.symlink_to(disk / "mmcblk0p2")
    put(
        tmp_path,
        sys__devices__platform__soc__socCOLONfirmware__get_throttled="50005",
        sys__class__thermal__thermal_zone0__type="cpu-thermal",
        sys__class__thermal__thermal_zone0__temp="61835",
        sys__class__thermal__thermal_zone1__type="battery",
        sys__class__thermal__thermal_zone1__temp="99000",
        sys__fs__ext4__mmcblk0p2__errors_count="3",
        proc__meminfo="MemTotal:        3884360 kB\nMemFree: 1 kB\nMemAvailable:     1942180 kB",
        proc__self__status="Name:\tvenue-gateway\nVmRSS:\t   59392 kB",
    )
    (tmp_path / "sys/firmware/devicetree/base").mkdir(parents=True)
    (tmp_path / "sys/firmware/devicetree/base/serial-number").write_bytes(b"10000000abcdef01\0")
    found = read_vitals(state, tmp_path)

    assert (0x50005, 61.835, 10, 1, 3, 0.5, 58.0) == (
        *(found.throttled, found.celsius, found.life, found.near_end, found.damaged, found.memory, found.own_mib),
    )
    assert found.free_mib is not None
    assert "10000000abcdef01" == board_serial(tmp_path)


@pytest.mark.parametrize(("alarm", "expected"), [("1", 1), ("0", 0), ("broken", None)])
def test_without_the_firmwares_file_the_hwmon_alarm_tells(tmp_path: Path, alarm: str, expected: int | None) -> None:
    """Newer kernels may lack get_throttled: rpi_volt then tells whether the supply is too low, another chip nothing."""
    put(tmp_path, sys__class__hwmon__hwmon0__name="nvme", sys__class__hwmon__hwmon0__in0_lcrit_alarm="1")
    put(tmp_path, sys__class__hwmon__hwmon1__name="rpi_volt", sys__class__hwmon__hwmon1__in0_lcrit_alarm=alarm)

    assert expected == read_vitals(tmp_path, tmp_path).throttled


def test_damaged_files_are_not_believed(tmp_path: Path) -> None:
    """Whatever stands in a file of the kernel's, nothing raises and no number is made of it."""
    put(
        tmp_path,
        sys__devices__platform__soc__socCOLONfirmware__get_throttled="?",
        sys__class__thermal__thermal_zone0__type="cpu-thermal",
        sys__class__thermal__thermal_zone0__temp="",
        proc__meminfo="MemTotal:\nnonsense",
    )
    found = read_vitals(tmp_path, tmp_path)

    assert (None, None, None) == (found.throttled, found.celsius, found.memory)


def test_a_dip_of_the_supply_is_an_alarm_that_ends(tmp_path: Path) -> None:
    """F10: low voltage raises with what to do; ten minutes after the last dip it is over, with each look told once."""
    bench = Bench(tmp_path)
    looks = (Vitals(throttled=0), Vitals(throttled=0x50000), Vitals(throttled=0x50000))
    for before, now in zip((None, *looks), looks, strict=False):
        bench.engine.handle(MachineState(judge(now, before), bench.now))
        bench.wait(30)
    raised = next(event for event in bench.out.events if event["alarm"] == "power-supply")
    bench.wait(700, step_s=10)

    assert ["raised", "cleared"] == bench.transitions("power-supply")
    assert "replace the power supply" in raised["text"]["en"]
    assert "0x50000" in raised["text"]["en"]


def test_a_clock_that_nobody_sets_for_a_day_is_a_second_alarm(tmp_path: Path) -> None:
    """E2: unsynchronised for five minutes is an alarm, for a whole day a graver one; both end when it is set."""
    bench = Bench(tmp_path)
    bench.wait(3600, 60, ClockState.UNSYNCHRONISED)
    early = [bench.transitions(name) for name in ("clock", "clock-long")]
    bench.wait(90_000, 60, ClockState.UNSYNCHRONISED)
    late = [bench.transitions(name) for name in ("clock", "clock-long")]
    bench.wait(5)

    assert [["raised"], []] == early
    assert [["raised"], ["raised"]] == late
    assert [["raised", "cleared"]] * 2 == [bench.transitions(name) for name in ("clock", "clock-long")]


def test_a_card_in_another_board_is_told_until_a_person_says_so(tmp_path: Path) -> None:
    """C12: the first board is remembered; another one raises `board-changed`, which ends by name, and then is known."""
    venue = VENUE.replace('"unshelve"]', '"unshelve", "retire"]')
    config = Config.model_validate(tomllib.loads(venue))
    first = armed.merge(config, tmp_path, "1000000a").kept
    armed.keep(config, tmp_path, "1000000a")
    same = armed.merge(config, tmp_path, "1000000a").kept
    other = armed.merge(config, tmp_path, "1000000b").kept
    armed.keep(config, tmp_path, "1000000b")
    still = armed.merge(config, tmp_path, "1000000b").kept
    bench = Bench(tmp_path, venue, start_ns=START_NS - 7 * 86_400 * NANO, kept=still)  # in a session it is refused
    answer = bench.act("retire", "board", name="board", note="board replaced")
    for name in bench.out.retired:
        armed.retire(name, config, tmp_path)
    armed.keep(config, tmp_path, "1000000b")

    assert [(), (), ("board",), ("board",)] == [first, same, other, still]
    assert ["raised", "cleared"] == bench.transitions("board-changed")
    assert answer["ok"]
    assert "1000000b" == json.loads((tmp_path / "armed.json").read_text())["board"]
    assert () == armed.merge(config, tmp_path, "1000000b").kept


def test_a_board_without_a_number_changes_nothing(tmp_path: Path) -> None:
    """Where the number cannot be read, neither is an alarm raised nor the one that is known forgotten."""
    config = Config.model_validate(tomllib.loads(VENUE))
    armed.keep(config, tmp_path, "1000000a")
    armed.keep(config, tmp_path, None)

    assert () == armed.merge(config, tmp_path, None).kept
    assert ("board",) == armed.merge(config, tmp_path, "1000000b").kept


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("echo", "yes"), ClockState.SYNCHRONISED),
        (("echo", "no"), ClockState.UNSYNCHRONISED),
        (("false",), ClockState.UNSYNCHRONISED),
        (("/gone/timedatectl",), ClockState.UNSYNCHRONISED),
    ],
)
def test_the_clock_is_set_only_by_word_of_somebody_who_knows(command: tuple[str, ...], expected: ClockState) -> None:
    """Without an answer the clock is not said to be set."""
    assert expected == timedated(command)


def test_where_the_kernel_may_not_be_asked_timedated_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the service's sandbox adjtimex is forbidden: the clock's state is what timedated says, and not before."""
    monkeypatch.setattr(machine, "ASK", ("echo", "yes"))
    clock = SystemClock()
    clock._libc = type("Forbidden", (), {"adjtimex": staticmethod(lambda _: -1)})()  # what seccomp makes of it
    before = clock.now().clock
    Machine(tmp_path, lambda _: None, clock, tmp_path).look()
    clock._asked_ns = 0

    assert (ClockState.UNSYNCHRONISED, ClockState.SYNCHRONISED) == (before, clock.now().clock)
