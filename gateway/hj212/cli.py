"""`venue-gateway hj212 show CONFIG`: what would be sent to each platform now, line by line with its meaning."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.calendar import Calendar
from gateway.catalogue import say
from gateway.configuration import settings
from gateway.configuration.config import Config
from gateway.environment.noise import Validity
from gateway.errors import Refused
from gateway.hj212.frame import HEAD
from gateway.hj212.link import Link, TermsFile, link_of
from gateway.hj212.meanings import COMMANDS, lines
from gateway.hj212.parley import Allowance, Parley, Stamps
from gateway.hj212.requests import Conduct
from gateway.hj212.segment import parse
from gateway.hj212.uploads import DAY, HOUR, MINUTE, Upload
from gateway.moment import NANO, Moment, SystemClock
from gateway.sinks.hj212_record import SETTLED_S, Record
from gateway.sources.choice import bind

HIDDEN = "******"


def hj212_main(args: argparse.Namespace) -> int:
    """Prints; 0 also where there is nothing to send. Sends nothing, and says nothing of passwords."""
    checked = settings.check(args.config)
    config = checked.config or checked.usable
    if config is None or not config.hj212:
        raise Refused(say("there is no [hj212.NAME] in {file}", file=args.config))
    if args.platform not in (None, *config.hj212):
        raise Refused(
            say("there is no platform {name}; known: {known}", name=args.platform, known=", ".join(config.hj212))
        )
    now = SystemClock().now()
    shown = [_platform(link, args.state, now) for link in links(config) if args.platform in (None, link.name)]
    if args.json:
        print(json.dumps(shown, ensure_ascii=False))
        return 0
    for platform in shown:
        print(say("{name}: {host}:{port}, HJ 212-{edition}", **platform["to"]))
        if not platform["messages"]:
            print("  " + say("nothing can be sent: the record in {state} holds nothing of now", state=args.state))
        for message in platform["messages"]:
            print(f"\n  {message['cn']} {message['title']}\n  {message['frame']}")
            width = max(len(field) for field, _ in message["fields"])
            for field, meaning in message["fields"]:
                print(f"    {field.ljust(width)}  {meaning}")
        print()
    return 0


def links(config: Config) -> list[Link]:
    every_s = {bound.name: bound.every_s for bound in bind(config)}
    zone = Calendar(config).zone
    validity = Validity.of(config.noise)
    return [link_of(name, table, config.venue, zone, every_s, validity) for name, table in config.hj212.items()]


def _platform(link: Link, state: Path, now: Moment) -> dict[str, Any]:
    try:
        password = link.password_file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        password = ""
    terms = TermsFile(state, link, password or "000000").read()
    parley = Parley(
        link.party,
        Conduct(terms, frozenset(), lambda _: True, lambda _: None),
        Stamps(link.party.zone),
        Allowance(0, 0),
        now,
    )
    messages = []
    for upload in _uploads(link, state, now, dict(terms.minute)):
        parley.offer(replace(upload, answered=link.answers), now)
        messages += [_message(frame, link) for frame in parley.out]
        parley.out.clear()
    to = {"name": link.name, "host": link.host, "port": link.port, "edition": link.party.edition.name}
    return {"to": to, "messages": messages}


def _uploads(link: Link, state: Path, now: Moment, minute: dict[str, int]) -> Iterator[Upload]:
    """Real-time values, and the last file of each kind that is over."""
    record = Record(link, state)
    yield from record.values(now)
    at = datetime.fromtimestamp(now.wall_ns / NANO - SETTLED_S, link.party.zone)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    hour = at.replace(minute=0, second=0, microsecond=0)
    for st in link.systems:
        part = hour + timedelta(minutes=at.minute // minute[st] * minute[st])
        starts = {
            MINUTE: part - timedelta(minutes=minute[st]),
            HOUR: hour - timedelta(hours=1),
            DAY: midnight - timedelta(days=1),
        }
        for kind, start in starts.items():
            begin_s = round(start.timestamp())
            yield from (
                each
                for each in record.files(kind, st, begin_s, begin_s, minute[st], at.timestamp())
                if each is not None
            )
    record.close()


def _message(frame: bytes, link: Link) -> dict[str, Any]:
    segment = parse(frame[6:-6])
    shown = frame.decode().strip().replace(f"PW={segment.pw};", f"PW={HIDDEN};", 1)
    fields = [
        (HEAD.decode(), say("head")),
        (frame[2:6].decode(), say("bytes of the data segment")),
        *lines(segment, link.of(segment.st)),
        (frame[-6:-2].decode(), say("its CRC; CR LF follow")),
    ]
    title = say(COMMANDS[segment.cn])
    return {"cn": segment.cn, "title": title, "frame": shown, "fields": fields}
