"""The questions about the venue, its exam, its people and its stations."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

from gateway.catalogue import N_, chosen, say
from gateway.configuration.complaints import Location
from gateway.persons.people import pin_hash
from gateway.setup import papers
from gateway.setup.draft import Draft
from gateway.setup.terminal import Judge, Terminal
from gateway.vocabulary import PROOFS

T = TypeVar("T")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_AREAS = {
    "0": N_("recovery area, the quietest"),
    "1": N_("homes, schools, hospitals"),
    "2": N_("homes mixed with shops"),
    "3": N_("industry"),
    "4a": N_("beside a main road"),
    "4b": N_("beside a railway"),
}
_ROLES: dict[str, tuple[str, list[str]]] = {
    "chief": (
        N_("venue chief: acknowledge, reset, open the paper room, drills, retire, log"),
        ["ack", "reset", "open-window", "drill", "retire", "shelve", "unshelve", "log"],
    ),
    "custodian": (
        N_("custodian of the paper room: acknowledge, open the paper room with a second person, log"),
        ["ack", "open-window", "log"],
    ),
    "duty": (N_("duty officer: acknowledge, log"), ["ack", "log"]),
    "teacher": (
        N_("IT teacher: acknowledge, put aside, take out of service and back, calibrate, log"),
        ["ack", "shelve", "unshelve", "suppress", "release", "remove", "return", "calibrate", "log"],
    ),
}


def by_field(draft: Draft, *at: str) -> Judge:
    """An answer is good when the validator finds nothing wrong with it at its place."""

    def judge(text: str) -> str:
        draft.put(*at, value=text)
        return wrong_at(draft, *at)

    return judge


def wrong_at(draft: Draft, *at: str | int) -> str:
    place: Location = at
    problem = draft.problem(*place)
    return "" if problem is None else say("{wrong}; {remedy}", wrong=problem.wrong, remedy=problem.remedy)


def venue(terminal: Terminal, draft: Draft) -> None:
    name = terminal.ask(
        say("the venue's name"), draft.get("venue", "name", otherwise=""), by_field(draft, "venue", "name")
    )
    draft.put("venue", "name", value=name)
    known = draft.get("venue", "id", otherwise="")
    hint = say("small letters, digits and hyphens, such as zj-no1; it is part of every topic and never changes")
    terminal.ask(say("its short name (id)"), known if known != name else "", by_field(draft, "venue", "id"), hint)
    terminal.tell(say("Its sound area, by the town's zoning map (GB 3096); for most schools 1:"))
    for area, what in _AREAS.items():
        terminal.tell(f"{area:<2}  {say(what)}", 2)
    known_area = draft.get("venue", "sound_area", otherwise="1")
    terminal.ask(say("sound area"), known_area, by_field(draft, "venue", "sound_area"))


def sessions(terminal: Terminal, draft: Draft) -> None:
    """The papers, from a plan or one by one; and from when to when papers are stored."""
    there = draft.get("session", otherwise=[])
    options = [(name, f"{getattr(plan.title, chosen())}") for name, plan in papers.plans().items()]
    options += [("own", say("other papers: I type them in")), ("none", say("none yet"))]
    if there:
        options = [("keep", say("the {count} papers that are there", count=len(there))), *options]
    terminal.tell(say("Times of papers are those of past years. Hold them against this year's notice."))
    plan = terminal.choose(say("which exam"), options, options[0][0])
    if plan == "none":
        draft.drop("session")
        draft.drop("custody")
        return
    if plan == "own":
        draft.put("session", value=_own_papers(terminal))
    elif plan != "keep":
        first = _day(terminal, say("first day of the exam (such as 2027-06-07)"))
        draft.put("session", value=papers.sessions(papers.plans()[plan], first))
    doubtful = papers.doubtful(plan)
    for each in draft.get("session", otherwise=[]):
        doubt = f"  ({say(PROOFS['unverified'])})" if each["name"] in doubtful else ""
        terminal.tell(f"{each['name']}  {_shown(each['start'])} - {each['end']:%H:%M}{doubt}", 2)
    if draft.get("session"):
        _custody(terminal, draft)


def _own_papers(terminal: Terminal) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        name = terminal.ask(say("name of the paper (Enter: that was all)"))
        if not name:
            return found
        start = _time(terminal, say("it begins (such as 2027-06-07 09:00)"), None)
        end = _time(terminal, say("it ends"), None)
        found.append({"name": name, "start": start, "end": end})


def _custody(terminal: Terminal, draft: Draft) -> None:
    """Proposed round the papers; the one who knows when they come corrects it."""
    proposed = draft.get("custody") or papers.custody(draft.get("session"))
    terminal.tell(say("The paper room is armed while papers are stored."))
    start = _time(terminal, say("papers are stored from"), proposed["start"])
    end = _time(terminal, say("until"), proposed["end"])
    duties = draft.get("custody", "duties")
    draft.put("custody", value={"start": start, "end": end} | ({"duties": duties} if duties else {}))


def _day(terminal: Terminal, question: str) -> date:
    return _asked(terminal, question, "", date.fromisoformat, say("a day is written 2027-06-07"))


def _time(terminal: Terminal, question: str, default: datetime | None) -> datetime:
    shown = "" if default is None else _shown(default)
    return _asked(terminal, question, shown, _read_time, say("a time is written 2027-06-07 09:00"))


def _asked(terminal: Terminal, question: str, default: str, read: Callable[[str], T], wrong: str) -> T:
    def judge(text: str) -> str:
        try:
            read(text)
        except ValueError:
            return wrong
        return ""

    return read(terminal.ask(question, default, judge))


def _read_time(text: str) -> datetime:
    return datetime.strptime(text.replace("T", " "), "%Y-%m-%d %H:%M")  # noqa: DTZ007  by the venue's own clock


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def people(terminal: Terminal, draft: Draft) -> None:
    terminal.tell(
        say("Who may act here, each with a PIN of their own. At least one who may reset, and two who may open.")
    )
    while True:
        persons: list[dict[str, Any]] = draft.get("person", otherwise=[])
        for person in persons:
            terminal.tell(f"{person['id']}  {person['name']}  {' '.join(person['may'])}", 2)
        _tell_how_out(terminal, persons)
        name = terminal.ask(say("name of a person (Enter: that was all)"))
        if not name:
            break
        if _taken_out(terminal, draft, "person", name):
            continue
        taken = {person["id"] for person in persons}
        id_ = terminal.ask(say("short name, such as li-wei"), "", _slug_judge(taken))
        options = [(role, say(what)) for role, (what, _) in _ROLES.items()]
        role = terminal.choose(say("what this person may do"), options, "duty")
        pin = terminal.new_pin(say("PIN, unseen while typed"))
        draft.put("person", value=[*persons, {"id": id_, "name": name, "may": _ROLES[role][1], "pin": pin_hash(pin)}])
        draft.keep()


def _tell_how_out(terminal: Terminal, entries: list[dict[str, Any]]) -> None:
    if entries:
        terminal.tell(say("(to take one out: -{name})", name=entries[-1]["id"]), 2)


def _taken_out(terminal: Terminal, draft: Draft, table: str, answer: str) -> bool:
    """Whether the answer was `-NAME`, which takes that one out of the list."""
    if not answer.startswith("-"):
        return False
    entries, name = draft.get(table, otherwise=[]), answer.removeprefix("-").strip()
    left = [each for each in entries if each["id"] != name]
    if len(left) == len(entries):
        terminal.tell(say("there is no {name} in this list", name=repr(name)), 2)
    elif left:
        draft.put(table, value=left)
    else:
        draft.drop(table)
    draft.keep()
    return True


def _slug_judge(taken: set[str]) -> Judge:
    def judge(text: str) -> str:
        if text in taken:
            return say("{name} is there already", name=text)
        return "" if _SLUG.fullmatch(text) else say("small letters a-z, digits and hyphens, at most 48")

    return judge


def stations(terminal: Terminal, draft: Draft) -> None:
    """One key line of a far side is enough; without it presses are never confirmed."""
    terminal.tell(
        say("Who confirms alarms: the far side's key, which `venue-gateway station add` prints there (ed25519:...).")
    )
    while True:
        found: list[dict[str, Any]] = draft.get("station", otherwise=[])
        for each in found:
            terminal.tell(f"{each['id']}  {' '.join(each['streams'])}", 2)
        _tell_how_out(terminal, found)
        id_ = terminal.ask(say("short name of a station, such as county-command (Enter: that was all)"))
        if not id_:
            break
        if _taken_out(terminal, draft, "station", id_):
            continue
        number = len(found)
        draft.put("station", value=[*found, {"id": id_, "key": "", "streams": ["custody", "gateway"]}])

        def judge(text: str, number: int = number) -> str:
            draft.tables["station"][number]["key"] = text
            return wrong_at(draft, "station", number)

        terminal.ask(say("its key"), "", judge)
    if not draft.get("station"):
        terminal.tell(say("Without a station no alarm ever counts as received. It can be added later."))
