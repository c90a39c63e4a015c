"""The service under a real systemd: a small Debian, started in qemu, in which `prove.py` installs, breaks and upgrades.

    python tests/machine/machine.py FOLDER                by `make machine-devices`; FOLDER keeps the Debian
    python tests/machine/machine.py FOLDER --container    by `make machine`: in systemd-nspawn, minutes, no devices
    python tests/machine/machine.py FOLDER --programs     by `make machine-programs`: in a chroot, without systemd
        --suite bookworm|trixie --arch amd64|arm64        arm64 not in qemu, and there under systemd only bookworm

Needs root, debootstrap and qemu-system-x86 or systemd-container; for arm64 elsewhere qemu-user-static too. An emulated
processor takes most of an hour, and its times are no forecast; MACHINE_KVM=1 uses the machine's own, where that works.
The release archive is the one that `make bundle` made; two more are made of it, a newer version and one that crashes.
"""

import argparse
import base64
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PACKAGES = "systemd,systemd-sysv,udev,dbus,kmod,python3,python3-venv,procps,mosquitto,util-linux"
PROOF = Path("srv/prove")  # in the machine
# Raspberry Pi OS has python3-lgpio, Debian has not, and PyPI no wheel of it for Python 3.13: it is made of its source.
TO_MAKE_LGPIO = "gcc,libc6-dev,swig,python3-dev,python3-pip,python3-setuptools"
LGPIO = "lgpio==0.2.2.0"
SERVICE = """[Unit]
After=multi-user.target mosquitto.service
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /{proof}/prove.py
StandardOutput=append:{console}
StandardError=append:{console}
TimeoutStartSec=infinity
[Install]
WantedBy=default.target
"""
LINE = "root=/dev/vda rw console=ttyS0 quiet systemd.mask=serial-getty@ttyS0.service"  # a login would hang up the line
# An emulated processor starts Python in a minute; the emulator of arm64 programs mounts no credentials and no queues.
SLOW = "[Service]\nTimeoutStartSec=900\nWatchdogSec=120\n"
WITHOUT_CREDENTIALS = "[Service]\nLoadCredential=\nImportCredential=\nPrivateIPC=no\n"
FOREIGN = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")  # how the kernel is told which emulator runs arm64 programs


def main() -> int:
    parser = argparse.ArgumentParser(description="The service under a real systemd.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--container", action="store_true")
    parser.add_argument("--programs", action="store_true")
    parser.add_argument("--suite", choices=("bookworm", "trixie"), default="bookworm")
    parser.add_argument("--arch", choices=("amd64", "arm64"), default="amd64")
    asked = parser.parse_args()
    why = cannot(asked)
    if why:
        print(f"skipped: {why}")
        return 0
    asked.folder.mkdir(parents=True, exist_ok=True)
    debian = bootstrapped(asked)
    if asked.programs:
        return judge_programs(enter(debian, asked.folder / f"programs-{debian.name}"))
    furnish(debian, f"/{PROOF}/console" if asked.container else "/dev/ttyS0")
    if foreign(asked) or not asked.container:
        hamper(debian, "slow", "venue-gateway.service.d", SLOW)
    if foreign(asked):
        hamper(debian, "no-credentials", "service.d", WITHOUT_CREDENTIALS)
    if asked.container:
        return judge(contain(debian, asked.folder / f"container-{debian.name}"), devices=False)
    (debian / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    install_before(debian)
    disk = asked.folder / "disk.img"
    disk.unlink(missing_ok=True)
    subprocess.run(["truncate", "-s", "4G", disk], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-d", debian, disk], check=True)
    return judge(boot(debian, disk), devices=True)


def cannot(asked: argparse.Namespace) -> str:
    """Why this machine cannot do what is asked; empty when it can."""
    if asked.programs:
        needed: tuple[str, ...] = ("debootstrap", "unshare")
    else:
        needed = ("debootstrap", *(("systemd-nspawn",) if asked.container else ("qemu-system-x86_64", "mkfs.ext4")))
    if os.geteuid() != 0 or any(shutil.which(name) is None for name in needed):
        return f"needs root and {', '.join(needed)} (apt: debootstrap qemu-system-x86 systemd-container)"
    if foreign(asked):
        if asked.container and asked.suite == "trixie":
            return "the systemd of trixie does not start in this emulator: make machine-programs"
        return emulate() if asked.container or asked.programs else "arm64 is not proved in qemu: make machine"
    return ""


def foreign(asked: argparse.Namespace) -> bool:
    return asked.arch == "arm64" and platform.machine() != "aarch64"


def emulate() -> str:
    """Lets the kernel start arm64 programs in the emulator; why not, when it cannot."""
    registry = Path("/proc/sys/fs/binfmt_misc")
    if not FOREIGN.exists():
        return "needs qemu-user-static (apt) to run arm64 programs"
    if not (registry / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", registry], check=False)
    if not (registry / "register").exists():
        return "this kernel has no binfmt_misc to run arm64 programs with"
    if not (registry / "qemu-aarch64").exists():
        (registry / "register").write_text(FOREIGN.read_text().strip())
    return ""


def bootstrapped(asked: argparse.Namespace) -> Path:
    """The Debian asked for, made once."""
    without_kernel = asked.container or asked.programs
    debian = asked.folder / f"{asked.suite}-{asked.arch}{'' if without_kernel else '-kernel'}"
    if not debian.is_dir():
        without_lgpio = (asked.suite, asked.arch) == ("trixie", "arm64")
        packages = [PACKAGES, TO_MAKE_LGPIO if without_lgpio else "", "" if without_kernel else "linux-image-amd64"]
        begun = debian.with_name(f"{debian.name}.begun")
        shutil.rmtree(begun, ignore_errors=True)
        options = ("--variant=minbase", f"--arch={asked.arch}", f"--include={','.join(filter(None, packages))}")
        subprocess.run(["debootstrap", *options, asked.suite, begun], check=True)
        if without_lgpio:
            make_lgpio(begun)
        begun.rename(debian)
    return debian


def make_lgpio(debian: Path) -> None:
    """Puts the pins' library where python3-lgpio of Raspberry Pi OS has it: lgpio.py and its extension beside it."""
    fetch = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", LGPIO)
    subprocess.run([*fetch, "-d", debian / "srv"], check=True)
    install = "python3 -m pip install --no-index --no-build-isolation --target /usr/lib/python3/dist-packages"
    made = ["chroot", debian, "sh", "-c", f"PYPI=1 {install} /srv/lgpio-*.tar.gz"]  # PYPI: with the C library in it
    subprocess.run(made, check=True)


def furnish(debian: Path, console: str) -> None:
    """Three releases, the proof, and a service that runs it at each boot."""
    place = debian / PROOF
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copy(HERE / "prove.py", place)
    release = max((ROOT / "build").glob("venue-gateway-*/"), key=lambda path: path.stat().st_mtime)
    made = place / "venue-gateway-0.1.0"
    shutil.copytree(release, made)
    renumbered(made, "0.1.0", {})
    for version, changed in (("0.1.1", {}), ("0.1.2", {"gateway/run.py": "raise SystemExit(1)\n"})):
        copy = place / f"venue-gateway-{version}"
        shutil.copytree(made, copy)
        renumbered(copy, version, changed)
    unit = debian / "etc/systemd/system/prove.service"
    unit.write_text(SERVICE.format(console=console, proof=PROOF))
    wants = debian / "etc/systemd/system/default.target.wants/prove.service"
    wants.parent.mkdir(parents=True, exist_ok=True)
    wants.unlink(missing_ok=True)
    wants.symlink_to("../prove.service")
    for leftover in ("opt/venue-gateway", "var/lib/venue-gateway", "etc/venue-gateway"):  # of the last time
        shutil.rmtree(debian / leftover, ignore_errors=True)


def hamper(debian: Path, name: str, drop_in: str, text: str) -> None:
    """Tells the proof, and the services, what is different on an emulated processor."""
    (debian / PROOF / name).touch()
    folder = debian / "etc/systemd/system" / drop_in
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.conf").write_text(text)


def install_before(debian: Path) -> None:
    """Unpacking takes minutes on an emulated processor: it is done here, by the same install.sh, in the folder."""
    shutil.rmtree(debian / "opt/venue-gateway", ignore_errors=True)
    in_folder(debian, f"/{PROOF}/venue-gateway-0.1.0/install.sh")
    shutil.rmtree(debian / "run/systemd", ignore_errors=True)


def in_folder(debian: Path, command: str, *spaces: str, output: int | None = None) -> str:
    """What the command printed, where no systemd runs although install.sh asks for one."""
    there = (
        f"mount -t proc proc /proc && mount -t devpts devpts /dev/pts && mkdir -p /run/systemd/system && exec {command}"
    )
    done = subprocess.run(
        ["unshare", "--mount", *spaces, "chroot", debian, "sh", "-c", there],
        env=os.environ | {"SYSTEMCTL": "/bin/true"},
        stdout=output,
        text=True,
        check=True,
    )
    return done.stdout or ""


def enter(debian: Path, root: Path) -> str:
    """What the proof of the programs says, in a copy of the Debian with a network namespace of its own."""
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", debian, root], check=True)
    furnish(root, "/dev/null")
    shutil.copy(HERE / "programs.py", root / PROOF)
    console = in_folder(root, f"python3 /{PROOF}/programs.py", "--net", output=subprocess.PIPE)
    print(console)
    return console


def renumbered(release: Path, version: str, changed: dict[str, str]) -> None:
    """The release under another version, with some files of the program replaced."""
    old = next((release / "wheels").glob("exam_venue_gateway-*.whl"))
    before = old.name.split("-")[1]
    new = old.with_name(f"exam_venue_gateway-{version}-py3-none-any.whl.new")
    rows = []
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as target:
        record = f"exam_venue_gateway-{version}.dist-info/RECORD"
        for name in source.namelist():
            data = changed[name].encode() if name in changed else source.read(name)
            name = name.replace(f"-{before}.dist-info", f"-{version}.dist-info")  # noqa: PLW2901
            if name == record:
                continue
            if name.endswith("/METADATA"):
                data = data.replace(f"Version: {before}\n".encode(), f"Version: {version}\n".encode())
            if name == "gateway/__init__.py":
                data = data.replace(f'"{before}"'.encode(), f'"{version}"'.encode())
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(data)}\n")
            target.writestr(name, data)
        target.writestr(record, "".join(rows) + f"{record},,\n")
    old.unlink()
    new.rename(new.with_suffix(""))
    (release / "VERSION").write_text(f"{version}\n")
    files = sorted(path for path in release.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(release)}\n" for path in files)
    (release / "SHA256SUMS").write_text("".join(lines))


def boot(debian: Path, disk: Path) -> str:
    """The machine's console, from its first boot to its end. It has no network."""
    kernel = max((debian / "boot").glob("vmlinuz-*"))
    initrd = kernel.with_name(kernel.name.replace("vmlinuz", "initrd.img"))
    command = [
        *("qemu-system-x86_64", "-machine", "q35", "-m", "1024", "-smp", "2", "-nographic", "-nic", "none"),
        *(
            ("-enable-kvm", "-cpu", "host")
            if os.environ.get("MACHINE_KVM")
            else ("-accel", "tcg,thread=multi", "-cpu", "max")
        ),
        *(
            "-kernel",
            kernel,
            "-initrd",
            initrd,
            "-append",
            LINE,
        ),
        *("-drive", f"file={disk},if=virtio,format=raw", "-rtc", "base=utc"),
        *("-serial", "mon:stdio", "-serial", "null"),
    ]
    lines = []
    with subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        assert machine.stdout is not None
        for line in machine.stdout:
            text = line.decode(errors="replace").rstrip()
            lines.append(text)
            print(text if text.startswith(("PROVED", "FAILED")) else f"  | {text}", flush=True)
    return "\n".join(lines)


def contain(debian: Path, root: Path) -> str:
    """What the proof says in a container, on a copy of the Debian. Devices and clock are the host's: left out."""
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", debian, root], check=True)
    (root / PROOF / "no-devices").touch()
    command = ["systemd-nspawn", "-D", root, "--boot", "--register=no", "--keep-unit", "--private-network", "--quiet"]
    for _boot in range(2):  # a reboot ends it
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=7200, check=False)
    console = (root / PROOF / "console").read_text(errors="replace")
    print(console)
    return console


def judge(console: str, *, devices: bool) -> int:
    sys.path.insert(0, str(HERE))
    import prove

    parts = (*prove.FIRST, *prove.SECOND)
    return compared(console, {part.__name__ for part in parts if devices or part not in prove.OF_DEVICES})


def judge_programs(console: str) -> int:
    sys.path.insert(0, str(HERE))
    import programs

    return compared(console, {part.__name__ for part in programs.PARTS})


def compared(console: str, wanted: set[str]) -> int:
    proved = set(re.findall(r"PROVED (\w+)", console))  # a serial console puts its codes before the first
    for name in sorted(wanted - proved):
        print(f"not proved: {name}")
    print(f"{len(proved)} of {len(wanted)} proved")
    return 0 if wanted <= proved else 1


if __name__ == "__main__":
    sys.exit(main())
