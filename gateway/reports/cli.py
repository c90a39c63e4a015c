"""`venue-gateway report noise / complaint`: from the record to a page, a table of samples and a signed bundle."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway import __version__
from gateway.catalogue import chosen, say
from gateway.configuration.config import Config
from gateway.errors import Refused
from gateway.journal.chain import Identity
from gateway.journal.minutes_reader import MinutesReader
from gateway.moment import NANO, Moment
from gateway.reports import bundle, samples
from gateway.reports.day import DayReport
from gateway.reports.material import Material, configuration, gather
from gateway.reports.subjects import ComplaintReport, NoiseReport, Report

KINDS: Mapping[str, Callable[[argparse.Namespace, Config, ZoneInfo], Report]] = {
    "noise": NoiseReport,
    "complaint": ComplaintReport,
    "day": DayReport,
}


def report_main(args: argparse.Namespace) -> int:
    config, sha256 = configuration(args.state, args.config)
    zone = ZoneInfo(config.venue.timezone)
    report = KINDS[args.report](args, config, zone)
    material = gather(args.state, config, sha256, report, [*args.device, *report.places])
    summaries = {level.name: report.judge(material, level) for level in material.levels}
    identity = _identity(args.state)
    html = report.page(material, summaries, identity)
    folder = args.out or Path(f"report-{args.report}-{report.start:%Y%m%d-%H%M}")
    try:
        for path in _write(folder, args, material, html, identity):
            print(path)
    except OSError as error:
        raise Refused(say("{file} cannot be written: {why}", file=folder, why=error.strerror)) from error
    return 0


def _write(folder: Path, args: argparse.Namespace, material: Material, page: str, identity: Identity) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.html"
    report.write_text(page, encoding="utf-8")
    yield report
    if not args.no_samples:
        table = folder / "samples.csv"
        samples.write(table, args.state, material)
        yield table
    facts = {
        "venue": material.config.venue.id,
        "report": args.report,
        "from": datetime.fromtimestamp(material.start_s, UTC).isoformat(),
        "to": datetime.fromtimestamp(material.end_s, UTC).isoformat(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "language": chosen(),
        "version": __version__,
        "configuration": material.config_sha256,
        "heads": dict(material.heads),
    }
    files: dict[str, Iterable[bytes]] = {
        "report.html": [page.encode()],
        "minutes.jsonl": _recorded(args.state, material),
        "events.jsonl": (_line(event) for event in material.events),
    }
    path = folder / "bundle.zip"
    bundle.write(path, files, facts, identity)
    yield path


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _recorded(state: Path, material: Material) -> Iterator[bytes]:
    """Minute records exactly as recorded: a line a commit."""
    reader = MinutesReader(state)
    for text in reader.recorded(material.start_s, material.end_s):
        yield text + b"\n"
    reader.close()


def _identity(state: Path) -> Identity:
    now = datetime.now(UTC).timestamp()
    identity = Identity.open(state, Moment(round(now * NANO), 0))
    if identity.problem is not None:
        raise Refused(
            say(
                "the gateway's key cannot be read ({problem}): run this as the gateway's user", problem=identity.problem
            )
        )
    return identity
