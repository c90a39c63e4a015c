"""The commands that speak with the running gateway over its local sockets."""

from __future__ import annotations

import argparse
import getpass
import json
from typing import Any

from gateway.catalogue import say
from gateway.config import seconds
from gateway.control import ask
from gateway.errors import Refused


def sim_main(args: argparse.Namespace) -> int:
    request = {"verb": "sim", "name": args.name, "action": args.action}
    print(_good(ask(args.state, request, acting=True))["text"])
    return 0


def act_main(args: argparse.Namespace) -> int:
    """A named person's act: the PIN is asked for, or read from a file; never taken from the command line."""
    pin = args.pin_file.read_text().strip() if args.pin_file else getpass.getpass(say("PIN of {by}: ", by=args.by))
    request: dict[str, Any] = {"verb": args.verb, "by": args.by, "pin": pin, "alarm": args.alarm, "note": args.note}
    seen = _good(ask(args.state, {"verb": "why", "alarm": args.alarm}))["alarm"]
    request["revision"] = seen["revision"] if args.revision is None else args.revision
    request["activation"] = seen["activation"]
    if getattr(args, "lasting", None):
        try:
            request["for_s"] = seconds(args.lasting)
        except ValueError as error:
            raise Refused(str(error)) from error
    answer = _good(ask(args.state, request, acting=True))
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        print(say("{alarm}: {state}, revision {revision}", **{k: answer[k] for k in ("alarm", "state", "revision")}))
    return 0


def status_main(args: argparse.Namespace) -> int:
    answer = _good(ask(args.state, {"verb": "status"}))
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    for key, value in answer["status"].items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        print(f"{key:>16}  {'-' if shown in (None, '') else shown}")
    return 0


def alarms_main(args: argparse.Namespace) -> int:
    alarms = _good(ask(args.state, {"verb": "alarms"}))["alarms"]
    if args.json:
        print(json.dumps(alarms, ensure_ascii=False))
        return 0
    if not alarms:
        print(say("no alarm stands"))
        return 0
    from rich import box, console, table  # noqa: PLC0415  drawing is not needed by `--json` nor by scripts

    rows = table.Table(box=box.SIMPLE_HEAD)
    for title in (say("alarm"), say("state"), say("since"), say("severity"), say("acknowledged by"), say("revision")):
        rows.add_column(title)
    for alarm in alarms:
        rows.add_row(
            alarm["alarm"],
            say(alarm["state"]),
            alarm["since"],
            say(alarm["severity"]),
            alarm["by"] or "",
            str(alarm["revision"]),
        )
    console.Console().print(rows)
    return 0


def why_main(args: argparse.Namespace) -> int:
    answer = _good(ask(args.state, {"verb": "why", "alarm": args.alarm}))
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    for section in ("alarm", "rule", "delivery"):
        for key, value in (answer.get(section) or {}).items():
            print(f"{section:>9}  {key:<18} {'-' if value is None else value}")
    return 0


def _good(answer: dict[str, Any]) -> dict[str, Any]:
    if not answer.get("ok"):
        raise Refused(str(answer.get("error") or say("the gateway gave no reason")))
    return answer
