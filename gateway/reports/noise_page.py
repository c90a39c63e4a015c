"""The page of a noise report or of an answer to a complaint: material in, HTML out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway import __version__
from gateway.catalogue import say
from gateway.environment import noise
from gateway.journal.chain import Identity
from gateway.pages import render
from gateway.reports import charts, tables
from gateway.reports.limits import Summaries, Summary
from gateway.reports.material import Level, Material


def page(material: Material, summaries: Summaries, heading: str, verdict: dict[str, Any] | None, by: Identity) -> str:
    return render(
        "noise.html",
        **common(material, heading, by),
        marks=marks(material),
        verdict=verdict,
        devices=devices(material, summaries),
        weather=list(tables.weather(material)),
        alarms=list(tables.alarms(material)),
    )


def common(material: Material, heading: str, by: Identity) -> dict[str, Any]:
    """What stands on every report's page."""
    return {
        "heading": heading,
        "venue": material.config.venue,
        "zone": material.config.venue.timezone,
        "start": tables.clock(material, material.start_s),
        "end": tables.clock(material, material.end_s),
        "sha256": material.config_sha256,
        "key": by.public,
        "heads": [{"stream": stream, **head} for stream, head in sorted(material.heads.items())],
        "made": f"{datetime.now(material.calendar.zone):%Y-%m-%d %H:%M}",
        "version": __version__,
    }


def marks(material: Material) -> list[str]:
    """What the reader must know before any number."""
    tracks = [track for level in material.levels for track in level.heard.tracks.values()]
    unset = sum(track.unset(material.start_s, material.end_s) for track in tracks)
    known = sum(track.recorded(material.start_s, material.end_s) for track in tracks)
    found = [say("SIMULATED: this sheet proves nothing about a venue.")] if material.simulated else []
    if unset:
        found.append(say(tables.CLOCKS, share=f"{unset / known:.1%}"))
    if any(level.doubts for level in material.levels):
        found.append(say("Indicative: at least one instrument here is no evidence; the reason stands at each."))
    if not charts.available():
        found.append(say("Without charts: install the extra 'report' of the gateway (matplotlib)."))
    return found


def devices(material: Material, summaries: Summaries) -> list[dict[str, Any]]:
    """Each meter as the pages show it."""
    return [_device(material, level, summaries[level.name]) for level in material.levels]


def _device(material: Material, level: Level, summaries: list[Summary]) -> dict[str, Any]:
    certificate = level.meter.certificate
    return {
        "name": level.name,
        "place": level.place,
        "title": level.title,
        "doubts": tables.doubts(level.doubts),
        "certificate": ""
        if certificate is None
        else say(
            "class {grade}, certificate {number}, until {until}",
            grade=certificate.grade,
            number=certificate.number,
            until=certificate.until,
        ),
        "checks": [tables.check(material, check) for check in material.checks.of(level.name)][-6:],
        "valid": f"{level.figures.valid:.1%}",
        "curve": tables.curve(material, level, summaries),
        "periods": list(tables.periods(material, level)),
        "day_nights": list(tables.day_nights(material, level)),
        "limits": list(tables.limits(material, summaries)),
        "events": tables.single_events(material, level),
        "event_count": level.heard.track(noise.LEVEL).events(material.start_s, material.end_s).total(),
        "gaps": list(tables.gaps(level)),
        "holes": tables.holes(material, level),
    }
