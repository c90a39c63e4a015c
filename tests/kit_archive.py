"""A release archive of this checkout's program under any version number, and a systemctl that only remembers."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}-{sysconfig.get_platform().removeprefix('linux-')}"
SYSTEMCTL = """#!/bin/sh
# Knows one unit: the version that `current` points at runs, unless its documents say that it crashes.
echo "$@" >>"$DESTDIR/systemctl.log"
tries=$(grep -c '^show --property=ActiveState' "$DESTDIR/systemctl.log")
crashes=no; [ ! -f "$DESTDIR/opt/venue-gateway/current/share/venue-gateway/docs/crashes" ] || crashes=yes
case "$2 $crashes" in
    '--property=ActiveState no') echo active ;;
    '--property=ActiveState yes') echo activating ;;
    '--property=NRestarts yes') echo "$tries" ;;
    '--property=NRestarts no') echo 0 ;;
    '--property=MainPID no') echo 4711 ;;
    '--property=MainPID yes') echo "$tries" ;;
esac
"""


# `python -m venv` that borrows pip instead of unpacking its own, which takes seconds.
PYTHON = f"""#!/bin/sh
[ "$1 $2" = '-m venv' ] || exec {sys.executable} "$@"
{sys.executable} -m venv --without-pip "$3"
printf '#!/bin/sh\\nexec {sys.executable} -m pip --python %s/bin/python "$@"\\n' "$3" >"$3/bin/pip"
chmod +x "$3/bin/pip"
"""


def wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """A wheel with these files, as pip wants it."""
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text.encode())}\n")
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(rows) + f"{info}/RECORD,,\n")
    return made


def make_archive(folder: Path, version: str, *, crashes: bool = False, main: str = "gateway.cli:main") -> Path:
    """As `make bundle` lays it out; the program in it is this checkout's, with the libraries of this interpreter."""
    archive = folder / f"venue-gateway-{version}"
    for name in ("wheels", "docs", "firmware_config/examples", "system/etc"):
        (archive / name).mkdir(parents=True)
    script = f"[console_scripts]\nvenue-gateway = {main}\n"
    wheel(
        archive / "wheels",
        "exam_venue_gateway",
        version,
        {f"exam_venue_gateway-{version}.dist-info/entry_points.txt": script},
    )
    paths = f"{ROOT}\n{sysconfig.get_path('purelib')}\n"
    library = wheel(archive / "wheels", "venue_libraries", "1", {"venue_libraries.pth": paths})
    digest = hashlib.sha256(library.read_bytes()).hexdigest()
    (archive / f"requirements-{TAG}.txt").write_text(f"venue_libraries==1 --hash=sha256:{digest}\n")
    (archive / "PLATFORMS").write_text(f"{TAG}\n")
    (archive / "VERSION").write_text(f"{version}\n")
    (archive / "docs" / ("crashes" if crashes else "operations.md")).write_text(version)
    shutil.copy(ROOT / "firmware_config/examples/small-school.toml", archive / "firmware_config/examples")
    shutil.copy(ROOT / "install.sh", archive)
    etc = archive / "system/etc"
    for source, to in (
        ("systemd/venue-gateway.service", "systemd/system"),
        ("firmware_config/system.conf.d/venue-gateway.conf", "systemd/system.conf.d"),
        ("firmware_config/udev/70-venue-gateway.rules", "udev/rules.d"),
        ("systemd/sysusers.d/venue-gateway.conf", "sysusers.d"),
        ("systemd/tmpfiles.d/venue-gateway.conf", "tmpfiles.d"),
        ("systemd/modules-load.d/venue-gateway.conf", "modules-load.d"),
    ):
        (etc / to).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, etc / to)
    with (etc / "systemd/system/venue-gateway.service").open("a") as unit:
        unit.write(f"# {version}\n")
    sign(archive)
    return archive


def sign(archive: Path) -> None:
    files = sorted(path for path in archive.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = (f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(archive)}\n" for p in files)
    (archive / "SHA256SUMS").write_text("".join(lines))


class Machine:
    """A root folder to install into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.program = root / "opt/venue-gateway"
        self.config = root / "etc/venue-gateway/venue.toml"
        self.systemctl = root / "systemctl"
        root.mkdir()
        self.python = root / "python"
        for path, text in ((self.systemctl, SYSTEMCTL), (self.python, PYTHON)):
            path.write_text(text)
            path.chmod(0o755)

    def sh(self, archive: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        given = {
            "DESTDIR": str(self.root),
            "SYSTEMCTL": str(self.systemctl),
            "PYTHON": str(self.python),
            "HEALTH_S": "1",
        }
        return subprocess.run(
            [archive / "install.sh", *words],
            env=os.environ | given | {"HEALTH_S": "2", "STEP_S": "0.05", "LC_ALL": "C.UTF-8"} | env,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def version(self, link: str = "current") -> str | None:
        path = self.program / link
        return path.readlink().name if path.is_symlink() else None

    def versions(self) -> set[str]:
        return {path.name for path in self.program.iterdir() if not path.is_symlink()}

    def unit(self) -> str:
        """The version whose unit lies in /etc."""
        return (self.root / "etc/systemd/system/venue-gateway.service").read_text().splitlines()[-1].removeprefix("# ")
