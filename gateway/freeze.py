"""`venue-gateway frozen`: whether the program must not be exchanged now; `install.sh` asks before it does anything."""

from __future__ import annotations

import argparse
import json

from gateway.calendar import Calendar
from gateway.catalogue import say
from gateway.configuration import armed, last_good, settings
from gateway.configuration.config import Config
from gateway.journal.alive import session_goes_on
from gateway.moment import ClockState, Moment, system_clock

FREE, FROZEN = 0, 1
EVE_S = 86400.0  # what breaks on the eve of an exam is not mended in time (F13)


def frozen_main(args: argparse.Namespace) -> int:
    """Prints why not, or that nothing is in the way; 1 or 0. Of a broken file's last good one too: that is in force."""
    now = system_clock().now()
    if args.config.exists():
        args.config.open("rb").close()  # what may not be read says nothing: PermissionError
    files = [settings.check(args.config)]
    files += [settings.check_bytes(data, args.config) for data in last_good.recall(args.state)]
    configs = [armed.merge(file.usable, args.state) for file in files if file.usable is not None]
    found = (why_frozen(each.config, now, custody_ended=each.custody_ended) for each in configs)
    why = next((each for each in found if each is not None), None)
    if why is None and session_goes_on(args.state, now):
        why = say("a session is on: its end was moved by order")
    if args.json:
        print(json.dumps({"frozen": why is not None, "why": why}, ensure_ascii=False))
    else:
        print(why or say("nothing is in the way of an upgrade"))
    return FREE if why is None else FROZEN


def why_frozen(config: Config, now: Moment, *, custody_ended: bool = False) -> str | None:
    """In words; None when the program may be exchanged: no session and no custody, now or within a day."""
    calendar = Calendar(config, custody_ended=custody_ended)
    span = calendar.span("session", now, before_s=EVE_S)
    if span is not None:
        return say("the session {name} is on, or within a day", name=span.name)
    if config.custody is None:  # then papers are taken to be there at all times, and no upgrade would ever be right
        return None
    if calendar.span("custody", now, before_s=EVE_S) is None:
        return None
    start = f"{config.custody.start:%Y-%m-%d %H:%M}"
    if now.clock is not ClockState.SYNCHRONISED:
        return say("the clock is not set by a time source: custody (from {start}) may be on; set it", start=start)
    return say("custody, from {start} until a person ends it", start=start)
