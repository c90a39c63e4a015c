"""`install.sh` on a root of its own: every step an installer takes, and every state it may find. No network."""

import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from kit_archive import ROOT, TAG, Machine, make_archive, sign

from gateway.configuration import last_good
from gateway.configuration.config import Config
from gateway.freeze import why_frozen
from gateway.moment import NANO, ClockState, Moment

VENUE = """
[venue]
id = "zj-no1"
name = "考点"

[contact.leak-button]
kind = "leak"
pin = 27
safe = "low"
pin_other = 5

[mqtt]
host = "broker.example"
tls = {{}}

[[session]]
name = "语文"
start = {start}
end = {end}
"""


def venue(start: datetime) -> str:
    times = [f"{at:%Y-%m-%dT%H:%M:%S}" for at in (start, start + timedelta(hours=2))]
    return VENUE.format(start=times[0], end=times[1])


def test_shellcheck_has_nothing_to_say() -> None:
    """Every script that runs as root is clean."""
    scripts = [ROOT / "install.sh", ROOT / "firmware_config/bundle.sh"]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stdout)


def test_the_life_of_an_installation(tmp_path: Path) -> None:
    """F13: installed, upgraded, back from a version that crashes, frozen before an exam, rolled back, dead, removed."""
    machine = Machine(tmp_path / "root")
    one, two, bad = (
        make_archive(tmp_path, "1.0"),
        make_archive(tmp_path, "1.1"),
        make_archive(tmp_path, "1.2", crashes=True),
    )
    first = machine.sh(one)
    assert 0 == first.returncode, first.stderr
    assert "does not run yet" in first.stdout
    assert not machine.config.exists()  # the sample arms nothing
    assert (machine.config.parent / "small-school.toml").exists()
    assert ("1.0", "1.0") == (machine.version(), machine.unit())
    assert (machine.root / "usr/local/bin/venue-gateway").is_symlink()

    machine.config.write_text(venue(datetime(2030, 6, 7, 9, tzinfo=UTC)))
    upgraded = machine.sh(two)
    assert 0 == upgraded.returncode, upgraded.stderr
    assert ("1.1", "1.0", "1.1") == (machine.version(), machine.version("previous"), machine.unit())
    assert {"1.0", "1.1"} == machine.versions()

    crashed = machine.sh(bad, LANG="zh_CN.UTF-8", LC_ALL="")
    assert 1 == crashed.returncode
    assert "版本 1.1 已恢复并运行" in crashed.stderr
    assert ("1.1", "1.0", "1.1") == (machine.version(), machine.version("previous"), machine.unit())
    assert "1.2" not in machine.versions()

    in_force = venue(datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=20))
    machine.config.write_text(in_force)
    (machine.root / "var/lib/venue-gateway").mkdir(parents=True)
    for words in ((), ("rollback",), ("uninstall", "--keep-data")):
        frozen = machine.sh(one, *words)
        assert (1, "1.1") == (frozen.returncode, machine.version()), frozen.stderr
        assert "not now: the session 语文" in frozen.stderr
    machine.config.write_text("half a file")  # then the last good one is in force
    last_good.keep(machine.root / "var/lib/venue-gateway", in_force.encode())
    assert "not now: the session 语文" in machine.sh(one).stderr

    back = machine.sh(two, "rollback", "--during-exam")
    assert (0, "1.0", "1.1") == (back.returncode, machine.version(), machine.version("previous")), back.stderr
    assert "1.0" == machine.unit()

    # With another Python in the system, or on a sick card, the version in force starts no more: if it runs, it is left
    # to run; if not, nothing is lost by exchanging it, exam or not.
    (machine.program / "1.0/bin/venue-gateway").write_text("#!/nowhere/python3.11\n")
    assert "it runs, but its files do not start any more" in machine.sh(two).stderr
    (machine.program / "1.0/share/venue-gateway/docs/crashes").touch()
    exchanged = machine.sh(two)
    assert (0, "1.1-2") == (exchanged.returncode, machine.version()), exchanged.stderr

    gone = machine.sh(two, "uninstall", "--keep-data", "--during-exam")
    assert 0 == gone.returncode, gone.stderr
    assert not machine.program.exists()
    assert machine.config.exists()
    left = [
        path
        for name in ("etc/systemd", "etc/udev", "etc/sysusers.d", "usr/local/bin")
        for path in (machine.root / name).rglob("*")
    ]
    assert [] == [path for path in left if not path.is_dir()]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("release"), "1.0")


def damaged(archive: Path) -> None:
    next((archive / "wheels").iterdir()).write_bytes(b"half")


def foreign(archive: Path) -> None:
    (archive / "PLATFORMS").write_text("cp311-mips\n")
    sign(archive)


def without_lgpio(archive: Path) -> None:
    """As on a board with a Python that the archive has no pin library for."""
    (archive / f"requirements-{TAG}.txt").rename(archive / "requirements-cp311-aarch64.txt")
    (archive / "PLATFORMS").write_text("cp311-aarch64\n")
    sign(archive)


BOARD = f"""#!/bin/sh
case "$2" in *sysconfig*) echo cp311-aarch64 ;; *'import lgpio'*) exit 1 ;; *) exec {sys.executable} "$@" ;; esac
"""
OLD = f"""#!/bin/sh
case "$2" in *version_info*) exit 1 ;; *) [ "$1" = -V ] && echo Python 3.9.2 || exec {sys.executable} "$@" ;; esac
"""
BARE = f"""#!/bin/sh
case "$2" in *ensurepip*) exit 1 ;; *) exec {sys.executable} "$@" ;; esac
"""


@pytest.mark.parametrize(
    ("spoil", "python", "words", "code", "english", "chinese"),
    [
        (lambda a: (a / "SHA256SUMS").unlink(), None, (), 1, "no release archive", "不是发布包"),
        (damaged, None, (), 1, "archive is damaged", "已损坏"),
        (foreign, None, (), 1, "not for cp3", "不适用于"),
        (None, "#!/bin/sh\nexit 127", (), 1, "Python 3.11 or later", "需要 Python 3.11"),
        (None, OLD, (), 1, "here: Python 3.9.2", "本机：Python 3.9.2"),
        (None, BARE, (), 1, "apt install python3-venv", "apt install python3-venv"),
        (without_lgpio, BOARD, (), 1, "apt install python3-lgpio", "缺少引脚库"),
        (None, None, ("rollback",), 1, "no version before", "没有更早的版本"),
        (None, None, ("uninstall",), 1, "--keep-data or --delete-data", "--keep-data"),
        (None, None, ("uninstall", "--keep-data"), 1, "not installed", "没有安装"),
        (None, None, ("instal",), 2, "sudo ./install.sh", "sudo ./install.sh"),
    ],
)
def test_bad_states_are_named_and_nothing_is_touched(
    tmp_path: Path,
    archive: Path,
    spoil: object,
    python: str | None,
    words: tuple[str, ...],
    code: int,
    english: str,
    chinese: str,
) -> None:
    """What is wrong and what helps, in both languages, and nothing on the disk but an empty folder."""
    copy = tmp_path / archive.name
    shutil.copytree(archive, copy)
    if callable(spoil):
        spoil(copy)
    machine = Machine(tmp_path / "root")
    env = {}
    if python is not None:
        (tmp_path / "python").write_text(python)
        (tmp_path / "python").chmod(0o755)
        env = {"PYTHON": str(tmp_path / "python")}
    in_english = machine.sh(copy, *words, **env)
    in_chinese = machine.sh(copy, *words, LC_ALL="zh_CN.UTF-8", **env)

    assert (code, code) == (in_english.returncode, in_chinese.returncode), in_english.stderr
    assert english in in_english.stderr
    assert chinese in in_chinese.stderr
    assert [] == [path for path in (machine.root / "opt").rglob("*") if path.is_file()]


def test_it_does_not_run_without_root(archive: Path) -> None:
    """An ordinary user is told to use sudo, before anything else."""
    command = f"exec setpriv --reuid=65534 --clear-groups {archive}/install.sh"
    for folder in (archive, *archive.parents):
        if folder.stat().st_uid == 0 and folder != Path("/") and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )

    assert 1 == done.returncode
    assert "only root may do this" in done.stderr


START = datetime.fromisoformat("2026-06-07T09:00:00+08:00")
SESSION = """
[venue]
id = "a"
name = "b"
[[session]]
name = "语文"
start = 2026-06-07T09:00:00
end = 2026-06-07T11:30:00
"""
CUSTODY = SESSION + "[custody]\nstart = 2026-06-05T16:00:00\nend = 2026-06-10T18:00:00\n"


@pytest.mark.parametrize(
    ("toml", "hours", "ended", "clock", "expected"),
    [
        (SESSION, -25, False, ClockState.SYNCHRONISED, None),
        (SESSION, -23, False, ClockState.SYNCHRONISED, "session"),
        (SESSION, 2, False, ClockState.SYNCHRONISED, "session"),
        (SESSION, 3, False, ClockState.SYNCHRONISED, None),
        (CUSTODY, -70, False, ClockState.SYNCHRONISED, None),
        (CUSTODY, -50, False, ClockState.SYNCHRONISED, "custody"),
        (CUSTODY, 24, False, ClockState.SYNCHRONISED, "custody"),
        (CUSTODY, 999, False, ClockState.SYNCHRONISED, "custody"),  # over, and nobody has ended it
        (CUSTODY, 999, True, ClockState.SYNCHRONISED, None),
        (CUSTODY, -9999, False, ClockState.UNSYNCHRONISED, "clock"),  # the clock proves nothing
    ],
)
def test_exams_and_custody_freeze_the_program(
    toml: str, hours: int, ended: bool, clock: ClockState, expected: str | None
) -> None:
    """F13: from a day before a session or custody until it is over; custody until a person has ended it."""
    now = Moment(round(START.timestamp() + hours * 3600) * NANO, 0, clock)
    why = why_frozen(Config.model_validate(tomllib.loads(toml)), now, custody_ended=ended)

    assert expected == (None if why is None else next(word for word in ("session", "clock", "custody") if word in why))
