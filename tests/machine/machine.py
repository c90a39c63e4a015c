"""The service under a real systemd: a small Debian, started in qemu, in which `prove.py` installs, breaks and upgrades.

    python tests/machine/machine.py FOLDER                by `make machine`; FOLDER keeps the Debian for the next time
    python tests/machine/machine.py FOLDER --container    in systemd-nspawn instead: a minute or two, no devices

Needs root, debootstrap and qemu-system-x86 or systemd-container. qemu emulates the processor: it takes most of an hour,
and its times are no forecast; MACHINE_KVM=1 uses the machine's own, where that works. The release archive is the one
that `make bundle` made; two more are made of it, a newer version and one that crashes.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PACKAGES = "systemd,systemd-sysv,udev,dbus,kmod,python3,python3-venv,linux-image-amd64,procps,mosquitto,util-linux"
SERVICE = """[Unit]
After=multi-user.target mosquitto.service
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /root/prove/prove.py
StandardOutput=append:{console}
StandardError=append:{console}
TimeoutStartSec=infinity
[Install]
WantedBy=default.target
"""
LINE = "root=/dev/vda rw console=ttyS0 quiet systemd.mask=serial-getty@ttyS0.service"  # a login would hang up the line


def main() -> int:
    contained = "--container" in sys.argv
    needed = ("debootstrap", "systemd-nspawn") if contained else ("debootstrap", "qemu-system-x86_64", "mkfs.ext4")
    missing = [name for name in needed if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        print(f"skipped: needs root and {', '.join(needed)} (apt: debootstrap qemu-system-x86 systemd-container)")
        return 0
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    debian = folder / "debian"
    if not (debian / "boot").is_dir() or not list((debian / "boot").glob("vmlinuz-*")):
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", debian], check=True)
    furnish(debian, "/root/prove/console" if contained else "/dev/ttyS0")
    if contained:
        return judge(contain(debian, folder / "container"), devices=False)
    install_before(debian)
    disk = folder / "disk.img"
    disk.unlink(missing_ok=True)
    subprocess.run(["truncate", "-s", "4G", disk], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-d", debian, disk], check=True)
    return judge(boot(debian, disk), devices=True)


def furnish(debian: Path, console: str) -> None:
    """Three releases, the proof, and a service that runs it at each boot."""
    place = debian / "root/prove"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copy(HERE / "prove.py", place)
    release = max((ROOT / "build").glob("venue-gateway-*/"), key=lambda path: path.stat().st_mtime)
    made = place / "venue-gateway-0.1.0"
    shutil.copytree(release, made)
    for wheel in (made / "wheels").iterdir():  # another machine's
        if "aarch64" in wheel.name or "cp313" in wheel.name:
            wheel.unlink()
    renumbered(made, "0.1.0", {})
    for version, changed in (("0.1.1", {}), ("0.1.2", {"gateway/run.py": "raise SystemExit(1)\n"})):
        copy = place / f"venue-gateway-{version}"
        shutil.copytree(made, copy)
        renumbered(copy, version, changed)
    unit = debian / "etc/systemd/system/prove.service"
    unit.write_text(SERVICE.format(console=console))
    wants = debian / "etc/systemd/system/default.target.wants/prove.service"
    wants.parent.mkdir(parents=True, exist_ok=True)
    wants.unlink(missing_ok=True)
    wants.symlink_to("../prove.service")
    for leftover in ("opt/venue-gateway", "var/lib/venue-gateway", "etc/venue-gateway"):  # of the last time
        shutil.rmtree(debian / leftover, ignore_errors=True)
    (debian / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")


def install_before(debian: Path) -> None:
    """Unpacking takes minutes on an emulated processor: it is done here, by the same install.sh, in the folder."""
    shutil.rmtree(debian / "opt/venue-gateway", ignore_errors=True)
    there = (
        "mount -t proc proc /proc && mkdir -p /run/systemd/system && exec /root/prove/venue-gateway-0.1.0/install.sh"
    )
    subprocess.run(
        ["unshare", "--mount", "chroot", debian, "sh", "-c", there],
        env=os.environ | {"SYSTEMCTL": "/bin/true"},
        check=True,
    )
    shutil.rmtree(debian / "run/systemd", ignore_errors=True)


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
    (root / "root/prove/no-devices").touch()
    command = ["systemd-nspawn", "-D", root, "--boot", "--register=no", "--keep-unit", "--private-network", "--quiet"]
    for _boot in range(2):  # a reboot ends it
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=1200, check=False)
    console = (root / "root/prove/console").read_text(errors="replace")
    print(console)
    return console


def judge(console: str, *, devices: bool) -> int:
    sys.path.insert(0, str(HERE))
    import prove

    lines = console.splitlines()
    proved = {line.split()[1].rstrip(":") for line in lines if line.startswith("PROVED ")}
    wanted = {part.__name__ for part in (*prove.FIRST, *prove.SECOND) if devices or part not in prove.OF_DEVICES}
    for name in sorted(wanted - proved):
        print(f"not proved: {name}")
    print(f"{len(proved)} of {len(wanted)} proved")
    return 0 if wanted <= proved else 1


if __name__ == "__main__":
    sys.exit(main())
