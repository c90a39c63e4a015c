"""Known vulnerabilities of every pinned package, as PyPI tells them: `make check` asks, `make audit` insists.

Each NAME==VERSION of the requirement files is asked of PyPI's JSON API. A finding fails, unless pyproject.toml accepts
it with a reason. A package that could not be asked is never taken for a good one: it is said, and with --insist it
fails. Without, it passes: who reaches nothing but a package index could not build otherwise.
First the service has to name a vulnerability that has long been known: an index alone, or a mirror that leaves the
advisories out, shows itself by that. pip-audit has one exit code for a finding and for a service that is away.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
SERVICE = "https://pypi.org"
PROOF, PROOF_NAME = "jinja2/2.10", "CVE-2019-10906"
AT_ONCE = 16
ANSWER_S = 5.0
PASSING_S, INSISTING_S = 10.0, 120.0  # for all packages together
LONGEST_TEXT = 160

_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


class NotAsked(Exception):
    """There is no answer about this package."""


class Pin(NamedTuple):
    name: str
    version: str


def pins(files: Sequence[Path]) -> list[Pin]:
    """Every name and version, each once."""
    return sorted({Pin(*found) for file in files for found in _PIN.findall(file.read_text("utf-8"))})


def known(service: str, release: str, until: float) -> list[dict[str, Any]]:
    """What is known of NAME/VERSION and was not withdrawn. Raises `NotAsked`."""
    if time.monotonic() >= until:
        raise NotAsked("no time was left")
    try:
        with urllib.request.urlopen(f"{service}/pypi/{release}/json", timeout=ANSWER_S) as answer:
            said = json.load(answer)["vulnerabilities"]
    except urllib.error.HTTPError as error:
        raise NotAsked(f"the answer is {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotAsked(str(getattr(error, "reason", error))) from error
    except (ValueError, KeyError, TypeError) as error:
        raise NotAsked("the answer says nothing of vulnerabilities") from error
    return [each for each in said if not each.get("withdrawn")]


def names(found: dict[str, Any]) -> list[str]:
    return [found["id"], *found.get("aliases", ())]


def text(pin: Pin, found: dict[str, Any]) -> str:
    what = " ".join((found.get("summary") or found.get("details") or "").split())[:LONGEST_TEXT]
    mended = ", ".join(found.get("fixed_in") or ["no version"])
    return f"{pin.name} {pin.version}: {', '.join(names(found))}: {what} (mended in {mended})"


def prove(service: str, until: float) -> None:
    """The service tells of vulnerabilities at all. Raises `NotAsked`."""
    if not any(PROOF_NAME in names(each) for each in known(service, PROOF, until)):
        raise NotAsked(f"it does not know {PROOF_NAME}, so it knows nothing")


def audit(service: str, asked: Sequence[Pin], accepted: dict[str, str], limit_s: float) -> Iterator[tuple[str, str]]:
    """What was "found", "accepted" or "not asked", each with its text; nothing of a package that is good."""
    until = time.monotonic() + limit_s

    def one(pin: Pin) -> list[tuple[str, str]]:
        try:
            answer = known(service, "/".join(pin), until)
        except NotAsked as error:
            return [("not asked", str(error))]
        return [("accepted" if accepted.keys() & names(each) else "found", text(pin, each)) for each in answer]

    try:
        prove(service, until)
    except NotAsked as error:
        yield from [("not asked", str(error))] * len(asked)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for answers in pool.map(one, asked):
            yield from answers


def main(arguments: Sequence[str] | None = None) -> int:
    """1 for a finding, and with --insist for a package that could not be asked; otherwise 0."""
    parser = argparse.ArgumentParser(description="known vulnerabilities of the pinned packages")
    parser.add_argument("files", nargs="*", type=Path, default=sorted(ROOT.glob("requirements*.txt")))
    parser.add_argument("--insist", action="store_true", help="fail when the service cannot be asked")
    parser.add_argument("--service", default=SERVICE, help="the root of PyPI's JSON API")
    parser.add_argument(
        "--project", type=Path, default=ROOT / "pyproject.toml", help="where [tool.audit.accepted] stands"
    )
    args = parser.parse_args(arguments)
    accepted = tomllib.loads(args.project.read_text("utf-8"))["tool"]["audit"]["accepted"]
    asked = pins(args.files)
    findings = list(audit(args.service, asked, accepted, INSISTING_S if args.insist else PASSING_S))
    for kind, what in findings:
        if kind != "not asked":
            print(f"audit: {kind}: {what}")
    counts = Counter(kind for kind, _ in findings)
    done = len(asked) - counts["not asked"]
    if done:
        print(f"audit: {done} packages asked of {args.service}, known vulnerabilities: {counts['found']}")
    for why, count in Counter(what for kind, what in findings if kind == "not asked").items():
        print(f"audit: NOT DONE for {count} of {len(asked)} packages, {args.service} could not be asked: {why}")
    return 1 if counts["found"] or (args.insist and done < len(asked)) else 0


if __name__ == "__main__":
    sys.exit(main())
