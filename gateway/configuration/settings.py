"""The strict door: a file becomes a `Config`, or a list of everything that is wrong with it.

`check` never raises for a bad file. `load` is what `run` uses: the file when it is good, else the last good one, else
whatever contacts and brokers of it are valid. Only when there are none does it raise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from gateway.catalogue import N_
from gateway.configuration import consistency, last_good
from gateway.configuration.complaints import Location, Problem, phrase, shape_problems, warning
from gateway.configuration.config import Config
from gateway.configuration.consistency.files import with_files
from gateway.configuration.pruning import Pruned
from gateway.configuration.toml_file import Unreadable, line_of, parse, read
from gateway.errors import ConfigError

# What runs of a broken file: enough for a press to be heard, sent, received, acknowledged and reset.
ESSENTIAL = ("venue", "contact", "mqtt", "person", "station", "escalation", "modem", "siren", "custody", "session")
_ROUNDS = 20  # of taking out what is wrong; each takes out at least one place, and three are usual


@dataclass(frozen=True, slots=True)
class Checked:
    """`config`: the whole of it, None when something in the file is wrong. `usable`: what runs all the same, if any."""

    config: Config | None
    problems: tuple[Problem, ...]
    sha256: str  # of the file's bytes; of no bytes, when it could not be read
    usable: Config | None

    @property
    def good(self) -> bool:
        """Nothing is wrong with the file nor with what it names; there may be warnings."""
        return self.config is not None and all(problem.severity != "error" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the gateway runs on. `problems` are those of the file that was given."""

    config: Config
    sha256: str  # of the file in force
    fallback: bool  # a last good one is in force instead of the file given
    problems: tuple[Problem, ...]
    refused_sha256: str | None  # of the file given, when it is not in force as it stands
    path: Path  # of the file given
    partial: bool = False  # only the essential tables of a broken file, for want of a good one


def check(path: Path) -> Checked:
    """Everything that is wrong with a configuration file, in one run."""
    try:
        return check_bytes(read(path), path)
    except Unreadable as trouble:
        return _nothing(path, b"", trouble)


def check_bytes(data: bytes, path: Path) -> Checked:
    """The same for bytes; `path` names them in messages, and names of files in them begin in its folder."""
    try:
        parsed = parse(data)
    except Unreadable as trouble:
        return _nothing(path, data, trouble)
    pruned = Pruned(parsed.table)
    whole, shape = _shaped(pruned)
    problems = [*parsed.warnings, *shape]
    if whole is not None:
        problems += _between(whole, pruned, shape, path.parent)
    problems = [replace(p, file=path.name, line=line_of(parsed.text, p.at)) for p in problems]
    wrong = any(p.severity == "error" and not p.outside for p in problems)
    config = None if wrong or whole is None else with_files(whole, path.parent)
    usable = config or _usable(Pruned(parsed.table), path.parent)
    return Checked(config, tuple(sorted(problems, key=lambda p: (p.severity, p.line))), _sha256(data), usable)


def load(path: Path, state: Path) -> Loaded:
    """The configuration to run on. Raises ConfigError, with every problem, when there is none."""
    try:
        data = read(path)
        given = check_bytes(data, path)
    except Unreadable as trouble:
        data, given = b"", _nothing(path, b"", trouble)
    if given.good and given.config is not None:
        problems = (*given.problems, *_kept(state, data, path))
        return Loaded(given.config, given.sha256, fallback=False, problems=problems, refused_sha256=None, path=path)
    before = [check_bytes(old, path) for old in last_good.recall(state)]
    # A file that only names what is not there (a certificate, say) is still better than none that is whole.
    choices = [c for c in before if c.good], [given], before
    for choice in (c for group in choices for c in group if c.config is not None):
        fallback = choice is not given
        refused = given.sha256 if fallback else None
        assert choice.config is not None  # noqa: S101  for the type checker
        return Loaded(choice.config, choice.sha256, fallback, given.problems, refused, path)
    for choice in (given, *before):
        if choice.usable is not None:
            fallback = choice is not given
            return Loaded(choice.usable, choice.sha256, fallback, given.problems, given.sha256, path, partial=True)
    raise ConfigError("\n".join(str(problem) for problem in given.problems))


def _kept(state: Path, data: bytes, path: Path) -> Iterable[Problem]:
    """Card trouble stops nothing; it is told with the other problems."""
    try:
        last_good.keep(state, data)
    except OSError as trouble:
        wrong = phrase(N_("it could not be kept as the last good one ({cause})"), cause=str(trouble))
        yield replace(warning((), wrong, phrase(N_("check the card and the state directory"))), file=path.name)


def _nothing(path: Path, data: bytes, trouble: Unreadable) -> Checked:
    return Checked(None, (replace(trouble.problem, file=path.name),), _sha256(data), None)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _shaped(pruned: Pruned) -> tuple[Config | None, list[Problem]]:
    """The tables that have the right shape, after dropping from `pruned` what has not; and what that was."""
    problems: list[Problem] = []
    for first in [True] + [False] * _ROUNDS:
        try:
            return Config.model_validate(pruned.table()), problems
        except ValidationError as trouble:
            details = trouble.errors(include_url=False)
            found = shape_problems(details)
        if first:
            problems = [replace(p, at=pruned.original(p.at)) for p in found]
        for place in [pruned.original(detail["loc"]) for detail in details if detail["loc"][-1] != "[key]"]:
            pruned.drop(place)
        for place in [detail["loc"] for detail in details if detail["loc"][-1] == "[key]"]:
            if place[0] == "contact" and pruned.has(place[:-1]):
                pruned.rename("contact", str(place[1]))  # a button works under any name
            else:
                pruned.drop(place[:-1])
    return None, problems


def _between(config: Config, pruned: Pruned, shape: list[Problem], folder: Path) -> list[Problem]:
    """Problems between tables, without those that only follow from one already named."""
    places = [p.at for p in shape]
    found = [replace(p, at=pruned.original(p.at)) for p in consistency.problems(config, folder)]
    return [p for p in found if not _follows(p.at, config, places)]


def _follows(at: Location, config: Config, places: list[Location]) -> bool:
    """Whether a place is complained of because something in it, or what it refers to, is already known to be wrong."""
    refers: set[tuple[str, str]] = set()
    match at:
        case ("device", str(name), "bus"):
            refers = {("bus", config.device[name].bus or "")}
        case ("rule", str(name), "point"):
            refers = {("device", config.rule[name].point.partition("/")[0])}
        case ("rule", str(name), "minus"):
            refers = {("device", (config.rule[name].minus or "").partition("/")[0])}
        case ("rule", str(), "during", int()):
            return any(place[:1] in (("session",), ("custody",), ("quiet",)) for place in places)
        case ("rule", str(), "clear_below" | "clear_above" | "within"):
            return any(place[:2] == at[:2] for place in places)
        case ("escalation", *_):
            return any(place[:1] == ("mqtt",) for place in places)
    return any(place[: len(at)] == at or place[:2] in refers for place in places)


def _usable(pruned: Pruned, folder: Path) -> Config | None:
    """The essential tables without anything that is wrong; None when there is neither a contact nor a broker."""
    pruned.keep_only(ESSENTIAL)
    for _ in range(_ROUNDS):
        config, _ = _shaped(pruned)
        if config is None:
            return None
        found = [p for p in consistency.problems(config, folder) if p.severity == "error" and not p.outside]
        if not found:
            return with_files(config, folder) if config.contact or config.mqtt else None
        for problem in [replace(p, at=pruned.original(p.at)) for p in found]:
            _mend(pruned, problem.at)
    return None


def _mend(pruned: Pruned, at: Location) -> None:
    match at:
        case ("contact", str(name), "safe"):
            # Most are wired so. Were this one not, it would be found active, which is loud; left out it were silent.
            pruned.put(("contact", name, "safe"), "low")
        case ("contact", str(name)):  # the name of one of its alarms is another one's
            pruned.rename("contact", name)
        case ("contact", str(name), "glitch" | "settle"):
            for key in ("glitch", "settle"):
                if pruned.has(("contact", name, key)):
                    pruned.drop(("contact", name, key))
        case _:
            pruned.drop(at)
