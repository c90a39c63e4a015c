"""The commands that speak with the running gateway over its local sockets."""

from __future__ import annotations

import argparse
import getpass
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size

from gateway.catalogue import N_, say
from gateway.configuration.config import seconds
from gateway.contacts.lamp import PATTERNS, LampStep
from gateway.day.wording import STAGES
from gateway.errors import Refused
from gateway.persons.control import ask
from gateway.persons.why import limit_lines, why_lines
from gateway.vocabulary import word


def sim_main(args: argparse.Namespace) -> int:
    request = {"verb": "sim", "name": args.name, "action": args.action}
    print(_good(ask(args.state, request, acting=True))["text"])
    return 0


def act_main(args: argparse.Namespace) -> int:
    """A named person's act: the PIN is asked for, or read from a file; never taken from the command line."""
    seen = _good(ask(args.state, {"verb": "why", "alarm": args.alarm}))["alarm"]
    revision = seen["revision"] if args.revision is None else args.revision
    answer = act(args, alarm=args.alarm, revision=revision, activation=seen["activation"])
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        state = word(answer["state"])
        print(say("{alarm}: {state}, revision {revision}", **{**answer, "state": state}))
    return 0


def deed_main(args: argparse.Namespace) -> int:
    """`open-window CONTACT` and `retire NAME`: not about the present state of one alarm."""
    named = {"name": args.name} if args.verb == "retire" else {"alarm": args.name}
    answer = act(args, **named)
    print(json.dumps(answer, ensure_ascii=False) if args.json else answer["text"])
    return 0


def act(args: argparse.Namespace, **request: Any) -> dict[str, Any]:
    """The answer to what a named person asks for with --by; the PIN is asked for here."""
    request |= {"verb": args.verb, "by": args.by, "pin": pin_of(args.by, args.pin_file), "note": args.note}
    if getattr(args, "lasting", None):
        try:
            request["for_s"] = seconds(args.lasting)
        except ValueError as error:
            raise Refused(str(error)) from error
    return _good(ask(args.state, request, acting=True))


# What an entry says beside who and why, as the command line names it.
LOGGED = ("to", "room", "session", "until", "incident", "gate", "number", "value")


def log_main(args: argparse.Namespace) -> int:
    """`log KIND`: an entry, by one person or by two at the same terminal."""
    said = {name: getattr(args, name) for name in LOGGED}
    request: dict[str, Any] = {"kind": args.kind} | {name: each for name, each in said.items() if each is not None}
    if args.second is not None:
        request |= {"with": args.second, "with_pin": pin_of(args.second, args.with_pin_file)}
    answer = act(args, **request)
    print(json.dumps(answer, ensure_ascii=False) if args.json else answer["text"])
    return 0


def pin_of(by: str, file: Path | None) -> str:
    """From a file, or asked for; never from the command line, which others can see."""
    if file is None:
        try:
            return getpass.getpass(say("PIN of {by}: ", by=by))
        except EOFError:
            raise Refused(say("no PIN was given")) from None
    try:
        return file.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Refused(say("{path} cannot be read: {error}", path=file, error=error)) from error


def drill_main(args: argparse.Namespace) -> int:
    """`drill NAME`, `drill --contact NAME`, either with `--end`."""
    name = args.contact or args.name
    if name is None or (args.contact and args.name):
        raise Refused(say("name an alarm, or a contact after --contact"))
    answer = act(args, alarm=name, test=bool(args.contact) and not args.end, end=args.end)
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
    elif "text" in answer and "alarm" not in answer:
        print(answer["text"])
    else:
        state = word(answer["state"])
        print(say("{alarm}: {state}, revision {revision}", **{**answer, "state": state}))
    return 0


def status_main(args: argparse.Namespace) -> int:
    answer = _good(ask(args.state, {"verb": "status"}))
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    for line in status_lines(answer["status"]):
        print(line)
    return 0


_STATUS: dict[str, str] = {
    "venue": N_("venue"),
    "simulated": N_("simulated"),
    "time": N_("time"),
    "clock": N_("clock"),
    "run": N_("run"),
    "configuration": N_("configuration"),
    "phase": N_("now is"),
    "session": N_("session"),
    "stage": N_("stage of the exam"),
    "frozen": N_("upgrades frozen"),
    "duties": N_("duties, next due"),
    "alarms": N_("alarms"),
    "unacknowledged": N_("of them not acknowledged"),
    "contacts": N_("contacts"),
    "seals": N_("sealed doors"),
    "screening": N_("entrances"),
    "devices": N_("devices"),
    "lamps": N_("lamps"),
    "brokers": N_("brokers"),
    "storage": N_("storage"),
    "card": N_("written to the card"),
    "stored": N_("last event on the card"),
    "last_event": N_("last event"),
}


def status_lines(status: Mapping[str, Any]) -> Iterator[str]:
    """The status for people: one line for each thing that has a state of its own."""
    titles = {key: say(_STATUS[key]) if key in _STATUS else key for key in status}
    width = max(map(cell_len, titles.values()))
    for key, value in status.items():
        title = set_cell_size(titles[key], width)
        for line in _own(key, value) or _shown(value):
            yield f"{title}  {line}"
            title = " " * width


def _own(key: str, value: Any) -> list[str] | None:
    """What has words of its own; None where it has not."""
    match key:
        case "storage" if not value:
            return [say("no trouble")]
        case "card":
            return _card(value)
        case "stage" if value in STAGES:
            return [say(STAGES[value])]
        case "lamps" if value:
            width = max(map(len, value))
            return [f"{name:<{width}}  {say(PATTERNS[LampStep(step)].meaning)}" for name, step in value.items()]
    return None


_CARD = {
    "commits_a_minute": N_("{value} syncs a minute"),
    "mib_a_day": N_("{value} MiB a day"),
    "kib_for_1000_readings": N_("{value} KiB for 1,000 readings"),
}


def _card(rates: Mapping[str, float]) -> list[str]:
    return [", ".join(say(text, value=rates[key]) for key, text in _CARD.items() if key in rates) or "-"]


def _shown(value: object) -> list[str]:
    match value:
        case bool():
            return [say("yes") if value else say("no")]
        case dict() if value:
            width = max(map(len, value))
            return [f"{name:<{width}}  {_state(each)}" for name, each in value.items()]
        case list() if value:
            return [", ".join(word(each) for each in value)]
    return ["-" if value in (None, "", [], {}) else word(value)]


def _state(value: object) -> str:
    if isinstance(value, dict) and "persons" in value:
        return _entrance(value)
    if isinstance(value, dict):  # of a broker
        shown = say("{state}: {detail}", state=word(value["state"]), detail=value["detail"] or "-")
        if "canary_age_s" not in value:
            return shown
        text = N_("{shown}; our own message came back {age:.0f} s ago, after {ms:.0f} ms")
        return say(text, shown=shown, age=value["canary_age_s"], ms=value["round_trip_ms"])
    return word(value)


def _entrance(gate: Mapping[str, Any]) -> str:
    """Who came, who waits, and how fast it goes; what is not known is left out."""
    came = f"{'' if gate['whole'] else '≥ '}{gate['persons']}"
    of = came if gate["expected"] is None else f"{came} / {gate['expected']}"
    parts = [say("{session}: {persons} persons", session=gate["session"] or "-", persons=of)]
    if gate["rechecked"]:
        parts.append(say("{share} measured again", share=f"{gate['rechecked']:.1%}"))
    if gate["waiting"]:
        parts.append(say("waiting: {numbers}", numbers=", ".join(f"#{number}" for number in gate["waiting"])))
    if gate["per_minute"] is not None:
        parts.append(say("{rate} a minute", rate=gate["per_minute"]))
    if gate["late_min"] is not None and gate["late_min"] > 0:
        parts.append(say("the last one {late} min late", late=gate["late_min"]))
    if gate["drift"] is not None:
        parts.append(say("{drift} degC from the black body", drift=f"{gate['drift']:+.2f}"))
    return "; ".join(parts)


def alarms_main(args: argparse.Namespace) -> int:
    alarms = _good(ask(args.state, {"verb": "alarms"}))["alarms"]
    if args.json:
        print(json.dumps(alarms, ensure_ascii=False))
        return 0
    if not alarms:
        print(say("no alarm stands"))
        return 0
    rows = [(say("severity"), say("alarm"), say("since"), say("state"), say("seen or put aside by"))]
    for alarm in alarms:
        since = alarm["since"][5:19].replace("T", " ")
        rows.append((word(alarm["severity"]), alarm["alarm"], since, word(alarm["state"]), _seen_by(alarm)))
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _seen_by(alarm: dict[str, Any]) -> str:
    """Who has acknowledged it, or put it aside: until when, and why."""
    if alarm.get("hidden_by") is None:
        return alarm["by"] or ""
    until = "" if alarm["shelved_until"] is None else f" -> {alarm['shelved_until'][5:16].replace('T', ' ')}"
    return f"{alarm['hidden_by']}{until}: {alarm['hidden_note'] or '-'}"


def why_main(args: argparse.Namespace) -> int:
    answer = _good(ask(args.state, {"verb": "why", "alarm": args.alarm}))
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    print("\n".join(why_lines(answer)))
    return 0


def limits_main(args: argparse.Namespace) -> int:
    limits = _good(ask(args.state, {"verb": "limits", "point": args.point}))["limits"]
    print(json.dumps(limits, ensure_ascii=False) if args.json else "\n".join(limit_lines(limits)))
    return 0


def _good(answer: dict[str, Any]) -> dict[str, Any]:
    if not answer.get("ok"):
        refused = Refused(answer.get("error") or say("the gateway gave no reason"))
        refused.code = answer.get("code")
        raise refused
    return answer
