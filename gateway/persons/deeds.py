"""What persons do beyond one alarm: open a sealed door together, retire what stays armed, end custody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.alarm.findings import Evidence
from gateway.alarms import Given, Signal
from gateway.catalogue import N_, say
from gateway.contacts.watches import ContactWatch
from gateway.day.day import Day
from gateway.environment.calibrating import Calibrating
from gateway.errors import Refused
from gateway.machine.health import BOARD, disarm_name, text
from gateway.values import Command
from gateway.venue import Venue


class Deeds:
    """Owned by the engine's thread. Each takes a command of a proven person; raises Refused."""

    def __init__(self, venue: Venue, day: Day, calibrating: Calibrating) -> None:
        self._venue = venue
        self.known: Mapping[str, Callable[[Command], dict[str, Any]]] = {
            "open-window": self._open_window,
            "drill": day.trials.command,
            "retire": self._retire,
            "log": day.log,
            "calibrate": calibrating.command,
        }

    # ---- the sealed room -----------------------------------------------------------------------------------------

    def _open_window(self, command: Command) -> dict[str, Any]:
        """The first of two persons asks, the second one opens."""
        venue, now = self._venue, command.at
        door = self._contact(command, "seal", say("{name} is no sealed door here", name=repr(command.alarm)))
        if not venue.points.sealed(now):
            raise Refused(say("no papers are stored: the door {name} may be opened without a window", name=door.name))
        lasting = command.arguments.get("for_s")
        for_s = float(lasting) if isinstance(lasting, int | float) else 0.0
        opening = venue.seals.openings.ask(door.name, command.by, command.note, for_s, now)
        if opening is None:
            venue.find_all([door.note("window-asked", now, command.by, command.note)])
            said = say("noted; a second person must ask for {name} within 2 minutes", name=door.name)
            return {"contact": door.name, "until": None, "text": said}
        until = opening.until.text(venue.book.zone)
        notes = "; ".join(f"{who}: {why}" for who, why in zip(opening.by, opening.notes, strict=True))
        venue.find_all([door.note("window-opened", now, ", ".join(opening.by), notes, until)])
        said = say("{name} may be opened until {until}", name=door.name, until=until)
        return {"contact": door.name, "until": until, "text": said}

    # ---- what stays until it is ended by name --------------------------------------------------------------------

    def _retire(self, command: Command) -> dict[str, Any]:
        """A contact, or the venue's id, that the configuration file has no longer; or "custody" after its end."""
        venue = self._venue
        name = str(command.arguments.get("name") or command.alarm or "")
        if not (command.note or "").strip():
            raise Refused(say("say why: a note is needed"))
        if name == "custody":
            return self._end_custody(command)
        if name not in venue.disarmed:
            raise Refused(say("{name} is not kept armed against the configuration: nothing to retire", name=repr(name)))
        given = Given(by=command.by, note=command.note, reason="retired")
        if name in venue.watches:
            evidence = Evidence(text("retired", name, command.by), reason="retired")
            venue.book.signal(name, Signal.UPDATE, command.at, given, evidence)
        venue.book.signal(disarm_name(name), Signal.CLEAR, command.at, given)
        venue.out.retire(name)
        said = say("the venue is called by its new id from the next start on")
        if name == BOARD:
            said = say("this board is the venue's from now on")
        if name in venue.watches:
            said = say("{name} is retired: it is no longer watched", name=name)
        return {"retired": name, "text": said}

    def _end_custody(self, command: Command) -> dict[str, Any]:
        venue = self._venue
        custody = venue.config.custody
        if custody is None:
            raise Refused(say("the configuration has no [custody]: papers are taken to be there at all times"))
        if not venue.points.calendar.custody_overdue(command.at):
            problem = N_("custody is ended by name once, after its end ({end}), and while the clock is set")
            raise Refused(say(problem, end=custody.end))
        venue.points.calendar.end_custody()
        given = Given(by=command.by, note=command.note, reason="custody-ended")
        evidence = Evidence(text("custody", command.by), reason="custody-ended")
        venue.book.signal("custody", Signal.UPDATE, command.at, given, evidence)
        venue.out.retire("custody")
        return {"retired": "custody", "text": say("custody is ended: no door is sealed any more")}

    def _contact(self, command: Command, kind: str, problem: str) -> ContactWatch:
        watch = self._venue.watches.get(command.alarm or "")
        if watch is None or watch.config.kind != kind:
            raise Refused(problem)
        return watch
