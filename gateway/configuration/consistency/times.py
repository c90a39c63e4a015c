"""Times of the configuration: the zone, sessions, listening windows, quiet hours, custody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from gateway.catalogue import N_
from gateway.configuration.complaints import Location, Problem, error, meant, phrase, warning
from gateway.configuration.config import Config, Window


def zone(config: Config) -> Iterator[Problem]:
    name = config.venue.timezone
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        known = available_timezones()
        remedy = meant(name, known) if known else phrase(N_("install the package tzdata"))
        if len(known) > 0 and "{known}" in remedy.message:  # some six hundred names help nobody
            remedy = phrase(N_("for all of China: {example}"), example='timezone = "Asia/Shanghai"')
        yield error(("venue", "timezone"), phrase(N_("there is no time zone {name}"), name=name), remedy)


def times(config: Config) -> Iterator[Problem]:
    yield from _windows(("session",), config.session)
    yield from _names(config)
    for number, session in enumerate(config.session):
        at: Location = ("session", number, "listening")
        yield from _windows(at, session.listening)
        for index, window in enumerate(session.listening):
            if window.start < session.start or window.end > session.end:
                yield error(
                    (*at, index),
                    phrase(N_("this listening window is not within its session {name}"), name=session.name),
                    phrase(N_("the session is from {start} to {end}"), start=session.start, end=session.end),
                )
    if config.custody is not None:
        yield from _reversed(("custody",), config.custody)
        for number, session in enumerate(config.session):
            if session.start < config.custody.start or session.end > config.custody.end:
                yield warning(
                    ("session", number),
                    phrase(N_("the paper room is not armed for the whole of this session")),
                    phrase(N_("let [custody] last from the arrival of the papers to their return")),
                )
    for number, quiet in enumerate(config.quiet):
        if quiet.from_ == quiet.to:
            wrong = phrase(N_("these quiet hours end when they begin"))
            yield error(("quiet", number), wrong, phrase(N_("give another time after to =")))

    night = config.venue.night
    if night.from_ == night.to:
        wrong = phrase(N_("the night ends when it begins"))
        yield error(("venue", "night"), wrong, phrase(N_("write for example: {example}"), example=_NIGHT))
    if both := sorted({*config.venue.summer_months} & {*config.venue.winter_months}):
        wrong = phrase(N_("these months are in summer and in winter: {months}"), months=", ".join(map(str, both)))
        yield error(("venue", "winter_months"), wrong, phrase(N_("let each month be in one of them, or in none")))


_NIGHT = 'night = { from = "22:00", to = "06:00" }'


def _names(config: Config) -> Iterator[Problem]:
    """Entries, lost time and records name a session, and must mean one."""
    seen: set[str] = set()
    for number, session in enumerate(config.session):
        if session.name in seen:
            wrong = phrase(N_("another session has the name {name} already"), name=session.name)
            yield error(("session", number, "name"), wrong, phrase(N_("give each session a name of its own")))
        seen.add(session.name)


def _windows(at: Location, windows: Sequence[Window]) -> Iterator[Problem]:
    for number, window in enumerate(windows):
        yield from _reversed((*at, number), window)
    for (_, early), (number, late) in pairwise(sorted(enumerate(windows), key=lambda pair: pair[1].start)):
        if late.start < early.end:
            yield error(
                (*at, number),
                phrase(N_("it begins at {start}, before the one before it has ended"), start=late.start),
                phrase(N_("let it begin at {end} or later, or correct the other one's end"), end=early.end),
            )


def _reversed(at: Location, window: Window) -> Iterator[Problem]:
    if window.end <= window.start:
        yield error(
            (*at, "end"),
            phrase(N_("it ends at {end}, not after it has begun ({start})"), start=window.start, end=window.end),
            phrase(N_("let the end be later than the start")),
        )
