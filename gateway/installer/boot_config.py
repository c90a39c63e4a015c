"""`venue-gateway boot-config`: the lines that the gateway needs in a Raspberry Pi's boot files, merged in.

config.txt gets one block between two marks, at its end, where the last word is; all else in it stays as it was. From
cmdline.txt the consoles on the serial port go: they would talk into the instruments' line. Both merges are pure, and
merging again changes nothing.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
from pathlib import Path

from gateway.catalogue import say
from gateway.errors import Refused

DONE, DIFFERS = 0, 1
BEGIN, END = "# >>> venue-gateway >>>", "# <<< venue-gateway <<<"
FOLDERS = (Path("/boot/firmware"), Path("/boot"))  # since bookworm; before
_FRAGMENTS = (  # in an installed package, and in a checkout
    Path(__file__).parent.parent / "samples" / "boot-config.txt",
    Path(__file__).parent.parent.parent / "firmware_config" / "boot" / "config.txt",
)
_SERIAL_CONSOLE = re.compile(r"(console=(serial|ttyAMA|ttyS)\d+|kgdboc=(serial|ttyAMA|ttyS)\d+)(,.*)?")


def boot_main(args: argparse.Namespace) -> int:
    """Shows what would change; with `--apply` changes it, keeping the old files. 1 when something is to be changed."""
    folder = args.boot or next((each for each in FOLDERS if (each / "config.txt").is_file()), None)
    if folder is None or not (folder / "config.txt").is_file():
        raise Refused(say("there is no config.txt: this is no Raspberry Pi, or name the folder with --boot"))
    changes = plan(folder)
    if not changes:
        print(say("nothing to change in {folder}", folder=folder))
        return DONE
    for path, (old, new) in changes.items():
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), str(path), str(path), n=1, lineterm="")
        print("\n".join(lines))
    if not args.apply:
        print(say("not changed yet: venue-gateway boot-config --apply"))
        return DIFFERS
    for path, (_, new) in changes.items():
        print(say("{file} is kept as {copy}", file=path.name, copy=replace(path, new).name))
    print(say("restart the board for it to count: sudo reboot"))
    return DONE


def plan(folder: Path) -> dict[Path, tuple[str, str]]:
    """For each file that would change: as it is, and as it would be. Raises Refused."""
    found = {}
    for name, merge in (("config.txt", merge_config), ("cmdline.txt", merge_cmdline)):
        path = folder / name
        try:
            old = path.read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Refused(say("{file} cannot be read: {cause}", file=path, cause=error.strerror)) from error
        new = merge(old)
        if new != old:
            found[path] = (old, new)
    return found


def fragment() -> str:
    """The lines for config.txt, as they are shipped."""
    return next(path for path in _FRAGMENTS if path.is_file()).read_text("utf-8")


def merge_config(text: str, block: str | None = None) -> str:
    """config.txt with our block at its end, once, whatever was there before."""
    rest = "\n".join(_foreign(text.split("\n"))).rstrip("\n")
    ours = f"{BEGIN}\n{(fragment() if block is None else block).strip()}\n{END}\n"
    return f"{rest}\n\n{ours}" if rest else ours


def _foreign(lines: list[str]) -> list[str]:
    """All but our block. Behind a first mark without a second one nothing is known to be ours: it stays."""
    kept: list[str] = []
    block: list[str] | None = None
    for line in lines:
        if line.strip() == BEGIN:
            kept += block or []
            block = []
        elif line.strip() == END:
            block = None
        else:
            (kept if block is None else block).append(line)
    return kept + (block or [])


def merge_cmdline(text: str) -> str:
    """cmdline.txt without consoles on the serial port. It is one line; a second one would not be read."""
    first, newline, rest = text.partition("\n")
    words = first.split(" ")
    kept = [word for word in words if _SERIAL_CONSOLE.fullmatch(word) is None]
    return text if kept == words else " ".join(kept) + newline + rest


def replace(path: Path, text: str) -> Path:
    """Write a boot file anew in one step; the old one stays beside it, under the name returned. Raises Refused."""
    copies = (path.with_name(f"{path.name}.venue-{number}") for number in range(1, 1000))
    copy = next(each for each in copies if not each.exists())
    fresh = path.with_name(f"{path.name}.new")
    try:
        copy.write_bytes(path.read_bytes())
        with fresh.open("wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        os.sync()
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise Refused(say("{file} cannot be changed: {cause}", file=path, cause=error.strerror)) from error
    return copy
