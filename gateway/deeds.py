"""What persons do beyond one alarm: open a sealed door together, retire what stays armed, end custody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gateway.alarms import Given, Signal
from gateway.catalogue import N_, say
from gateway.errors import Refused
from gateway.findings import Evidence
from gateway.health import BOARD, disarm_name, text
from gateway.values import Command
from gateway.watches import ContactWatch

if TYPE_CHECKING:  # the engine hands commands on, and we act on the engine
    from gateway.engine import Engine


class Deeds:
    """Owned by the engine's thread. Each takes a command of a proven person; raises Refused."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.known: Mapping[str, Callable[[Command], dict[str, Any]]] = {
            "open-window": self._open_window,
            "drill": engine.day.trials.command,
            "retire": self._retire,
            "log": engine.day.log,
            "calibrate": engine.calibrating.command,
        }

    # ---- the sealed room -----------------------------------------------------------------------------------------

    def _open_window(self, command: Command) -> dict[str, Any]:
        """The first of two persons asks, the second one opens."""
        engine, now = self._engine, command.at
        door = self._contact(command, "seal", say("{name} is no sealed door here", name=repr(command.alarm)))
        if not engine.points.sealed(now):
            raise Refused(say("no papers are stored: the door {name} may be opened without a window", name=door.name))
        lasting = command.arguments.get("for_s")
        for_s = float(lasting) if isinstance(lasting, int | float) else 0.0
        opening = engine.seals.openings.ask(door.name, command.by, command.note, for_s, now)
        if opening is None:
            engine.find_all([door.note("window-asked", now, command.by, command.note)])
            said = say("noted; a second person must ask for {name} within 2 minutes", name=door.name)
            return {"contact": door.name, "until": None, "text": said}
        until = opening.until.text(engine.book.zone)
        notes = "; ".join(f"{who}: {why}" for who, why in zip(opening.by, opening.notes, strict=True))
        engine.find_all([door.note("window-opened", now, ", ".join(opening.by), notes, until)])
        said = say("{name} may be opened until {until}", name=door.name, until=until)
        return {"contact": door.name, "until": until, "text": said}

    # ---- what stays until it is ended by name --------------------------------------------------------------------

    def _retire(self, command: Command) -> dict[str, Any]:
        """A contact, or the venue's id, that the configuration file has no longer; or "custody" after its end."""
        engine = self._engine
        name = str(command.arguments.get("name") or command.alarm or "")
        if not (command.note or "").strip():
            raise Refused(say("say why: a note is needed"))
        if name == "custody":
            return self._end_custody(command)
        if name not in engine.disarmed:
            raise Refused(say("{name} is not kept armed against the configuration: nothing to retire", name=repr(name)))
        given = Given(by=command.by, note=command.note, reason="retired")
        if name in engine.watches:
            evidence = Evidence(text("retired", name, command.by), reason="retired")
            engine.book.signal(name, Signal.UPDATE, command.at, given, evidence)
        engine.book.signal(disarm_name(name), Signal.CLEAR, command.at, given)
        engine.out.retire(name)
        said = say("the venue is called by its new id from the next start on")
        if name == BOARD:
            said = say("this board is the venue's from now on")
        if name in engine.watches:
            said = say("{name} is retired: it is no longer watched", name=name)
        return {"retired": name, "text": said}

    def _end_custody(self, command: Command) -> dict[str, Any]:
        engine = self._engine
        custody = engine.config.custody
        if custody is None:
            raise Refused(say("the configuration has no [custody]: papers are taken to be there at all times"))
        if not engine.points.calendar.custody_overdue(command.at):
            problem = N_("custody is ended by name once, after its end ({end}), and while the clock is set")
            raise Refused(say(problem, end=custody.end))
        engine.points.calendar.end_custody()
        given = Given(by=command.by, note=command.note, reason="custody-ended")
        evidence = Evidence(text("custody", command.by), reason="custody-ended")
        engine.book.signal("custody", Signal.UPDATE, command.at, given, evidence)
        engine.out.retire("custody")
        return {"retired": "custody", "text": say("custody is ended: no door is sealed any more")}

    def _contact(self, command: Command, kind: str, problem: str) -> ContactWatch:
        watch = self._engine.watches.get(command.alarm or "")
        if watch is None or watch.config.kind != kind:
            raise Refused(problem)
        return watch
