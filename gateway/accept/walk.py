"""The walk: one step for each device, contact, rule and way to the far end, each with its verdict. Resumable.

What can be seen is judged by pure functions; a contact is tested by the installer's hand, through a marked drill that
must be received by every station that serves its stream.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.catalogue import say
from gateway.errors import Refused, Unavailable
from gateway.journal.files import write_durably
from gateway.vocabulary import word

POLL_S = 0.3  # real seconds between two looks at a running test
PRESS_S = 60.0  # as long as a test is open
RELEASE_S = 10.0
RECEIPT_S = 60.0  # for the stations to sign


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the sheet. `ok` None: it was not tried."""

    name: str
    what: str
    ok: bool | None
    said: str
    at: str = ""
    far: Mapping[str, int] | None = None  # by which station its drill was received, after how many milliseconds


def looks(plan: Mapping[str, Any]) -> Iterator[Step]:
    """Everything that needs no hand."""
    at = str(plan["time"])
    for name, device in plan["devices"].items():
        ok, said = _device(device)
        yield Step(
            f"device:{name}", say("instrument {name} ({place})", name=name, place=device["place"] or "-"), ok, said, at
        )
    for name, broker in plan["brokers"].items():
        said = f"{word(broker['state'])} {broker['detail'] or ''}".strip()
        yield Step(
            f"broker:{name}", say("way to the far end: {name}", name=name), broker["state"] == "connected", said, at
        )
    if not plan["brokers"]:
        yield Step("broker:-", say("way to the far end"), False, say("there is no broker in the configuration"), at)
    clock = plan["clock"]
    yield Step("clock", say("clock"), clock == "synchronised", word(clock), at)
    bad = {name: said for name, said in plan["storage"].items() if said != "ok"}
    troubles = ", ".join(f"{name}: {said}" for name, said in bad.items())
    yield Step("card", say("card"), not bad, troubles or say("no trouble"), at)
    power = [name for name, contact in plan["contacts"].items() if contact["kind"] == "power"]
    on = all(plan["contacts"][name]["state"] == "safe" for name in power)
    said = ", ".join(f"{name}: {word(plan['contacts'][name]['state'])}" for name in power)
    yield Step("power", say("mains power"), on if power else None, said or say("no power contact is configured"), at)
    standing = [name for name in plan["standing"] if not name.endswith("-drill")]
    yield Step("standing", say("no alarm stands"), not standing, ", ".join(standing) or say("no alarm stands"), at)


def _device(device: Mapping[str, Any]) -> tuple[bool, str]:
    if device["said"] != "ok":
        return False, str(device["said"])
    shown = ", ".join(_shown(point) for point in device["points"])
    bad = [p for p in device["points"] if p["quality"] != "good" or p["plausible"] is False]
    if not device["points"] or bad:
        wrong = ", ".join(_shown(point) for point in bad) or "-"
        return False, say("not plausible: {values}", values=wrong)
    return True, shown


def _shown(point: Mapping[str, Any]) -> str:
    name = str(point["point"]).partition("/")[2]
    if point["value"] is None or point["quality"] != "good":
        return f"{name} {word(point['quality'])}"
    return f"{name} {point['value']:g} {point['unit']}".strip()


@dataclass(slots=True)
class Walk:
    """`ask` and `act` speak with the gateway; `tell` with the installer."""

    file: Path
    ask: Callable[[dict[str, Any]], dict[str, Any]]
    act: Callable[[dict[str, Any]], dict[str, Any]]
    tell: Callable[[str], None]
    steps: dict[str, Step]

    @classmethod
    def begin(
        cls,
        file: Path,
        ask: Callable[[dict[str, Any]], dict[str, Any]],
        act: Callable[[dict[str, Any]], dict[str, Any]],
        tell: Callable[[str], None],
    ) -> Walk:
        """From the start, or where the file says that it was left. Raises Refused for a file that is none."""
        steps: dict[str, Step] = {}
        if file.exists():
            try:
                steps = {name: Step(**one) for name, one in json.loads(file.read_bytes())["steps"].items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise Refused(say("{file} is no acceptance that could be gone on with", file=file)) from error
        return cls(file, ask, act, tell, steps)

    def take(self, step: Step) -> None:
        """Noted, kept, told."""
        self.steps[step.name] = step
        plain = {name: asdict(one) for name, one in self.steps.items()}
        write_durably(self.file, json.dumps({"steps": plain}, ensure_ascii=False, indent=1).encode())
        mark = {True: say("in order"), False: say("NOT in order"), None: say("not tried")}[step.ok]
        self.tell(f"{step.what}: {mark} ({step.said})")

    def contact(self, name: str, contact: Mapping[str, Any], wait: threading.Event) -> Step:
        """Have a contact pressed by hand, and follow its drill to the far end."""
        what = say("contact {name} ({place})", name=name, place=contact["place"] or "-")
        try:
            self.tell(str(self.act({"verb": "drill", "alarm": name, "test": True, "note": say("acceptance")})["text"]))
            raised = self._until(contact["drill"], lambda why: why["alarm"]["state"] != "normal", PRESS_S, wait)
            if raised is None:
                return self._step(name, what, False, say("it was not pressed, or its press did not come"))
            wanted = set(contact["stations"])
            came = self._until(contact["drill"], lambda why: wanted <= _received(why), RECEIPT_S, wait)
            self.act({"verb": "drill", "alarm": name, "end": True, "note": say("acceptance")})
        except (Refused, Unavailable) as error:
            return self._step(name, what, False, str(error))
        if not wanted:
            return self._step(name, what, False, say("pressed; no station is there to receive it"))
        if came is None:
            silent = ", ".join(sorted(wanted - _received(self._why(contact["drill"])))) or "-"
            return self._step(name, what, False, say("pressed; no receipt from {stations}", stations=silent))
        if (state := self._released(name, wait)) != "safe":
            return self._step(name, what, False, say("pressed, and then not safe again: {state}", state=word(state)))
        one_pin = say("; ONE PIN") if contact["one_pin"] else ""
        return self._step(
            name, what, True, say("pressed, received by {stations}", stations=", ".join(sorted(wanted))) + one_pin
        )

    def _step(self, name: str, what: str, ok: bool, said: str) -> Step:
        return Step(f"contact:{name}", what, ok, said, str(self.ask({"verb": "accept"})["plan"]["time"]))

    def _until(
        self, alarm: str, so: Callable[[dict[str, Any]], bool], limit_s: float, wait: threading.Event
    ) -> dict[str, Any] | None:
        """The alarm once it stands so; None when the time is over."""
        for _ in range(round(limit_s / POLL_S)):
            why = self._why(alarm)
            if so(why):
                return why
            wait.wait(POLL_S)
        return None

    def _released(self, name: str, wait: threading.Event) -> str:
        """The contact's state, once it is safe again or the time is over: what is looked at next must not see it."""
        state = ""
        for _ in range(round(RELEASE_S / POLL_S)):
            state = str(self.ask({"verb": "accept"})["plan"]["contacts"][name]["state"])
            if state == "safe":
                break
            wait.wait(POLL_S)
        return state

    def _why(self, alarm: str) -> dict[str, Any]:
        return self.ask({"verb": "why", "alarm": alarm})


def _received(why: Mapping[str, Any]) -> set[str]:
    """Who has signed for the present activation."""
    return set(why["alarm"]["received_by"])
