"""What the day's events say to people."""

from __future__ import annotations

from gateway.catalogue import N_

DUTIES: dict[str, str] = {
    "patrol": N_("patrol round the paper room by two"),
    "half-day-check": N_("joint check of the half day"),
    "replay": N_("replay of the room's recordings"),
    "guard-change": N_("guard change"),
    "daily-report": N_("daily custody report"),
}
DUTY_STANDS = N_("The {duty} due at {due} has not been entered")
DUTY_EXPECTED = N_("The {duty} is expected from now on, first by {due}")
DUTY_LATE = N_("The {duty} due at {due} is late")
DUTY_DONE = N_("{duty}, entered by {by}")
DUTY_BY_TAG = N_("{duty}, by the tag {tag}: nobody is named")

ENTRIES: dict[str, str] = {
    "scene-sealed": N_("The scene was sealed by {by}: {note}"),
    "custody-moved": N_("Custody was moved to {to} by {by}: {note}"),
    "incident": N_("Incident ({incident}), reported by {by}: {note}"),
    "acceptance-begun": N_("Acceptance before the exam begins, by {by}: {drills} drills follow"),
    "acceptance": N_("Acceptance before the exam by {by}: {passed} in order, {failed} not"),
}
INCIDENTS: dict[str, str] = {
    "paper-leak": N_("leak of papers or of the listening medium"),
    "paper-loss": N_("papers or answers lost, stolen or damaged"),
    "mass-cheating": N_("organised cheating"),
    "fire": N_("fire"),
    "flood": N_("water in the building"),
    "natural-disaster": N_("earthquake, storm or other natural disaster"),
    "public-health": N_("illness, infection or food"),
    "power-failure": N_("power failure"),
    "device-failure": N_("failure of listening or examination equipment"),
    "network-attack": N_("attack on networks or systems"),
    "public-order": N_("disturbance of public order"),
    "transport": N_("traffic or communication cut off"),
}

STAGES: dict[str, str] = {
    "none": N_("no session is in the calendar"),
    "before": N_("before the exam"),
    "session": N_("in a session"),
    "between": N_("between sessions"),
    "after": N_("after the exam"),
}
STAGE = N_("Stage of the exam: {stage}")
REFUSED_IN_SESSION = N_("Refused in the session: {verb} {name}, asked by {by}")
CONFIGURATION_WAITS = N_("A changed configuration waits for the end of the session: {sha256}")
CONFIGURATION_URGENT = N_("A changed configuration was taken in the session, because: {why}")
SILENT: dict[str, str] = {  # hops of a drill that have no name of their own
    "card": N_("the card"),
    "acknowledgement": N_("an acknowledgement"),
    "unknown": N_("unknown: restarted"),
}
DRILL_RECORD = N_("Record of the drill of {name} by {by}; without an answer: {silent}")

CAUSES: dict[str, str] = {
    "power": N_("mains power off"),
    "fire": N_("fire contact"),
    "noise": N_("audible interruption of the listening test"),
    "session-held": N_("session held by order"),
    "evacuation": N_("evacuation"),
    "gateway-down": N_("the gateway did not run"),
}
DISTURBANCE_BEGAN = N_("Disturbance in {session}: {cause} ({name}), from {start}")
DISTURBANCE_ENDED = N_("Lost time in {session}: {lost_s} s, {cause} ({name})")
SESSION_MOVED = N_("The session {session} ends at {until} by order, entered by {by}: {note}")

REPORT_EXPECTED = N_("Reports are made by the gateway itself; the next one: {next}")
NOTHING_TO_REPORT = N_("Nothing to report from {start} to {end}")
SOMETHING_TO_REPORT = N_("To report from {start} to {end}: {alarms}")

AIRING_STEP: dict[str, str] = {
    "disinfection-start": N_("Disinfection of {room} began, entered by {by}"),
    "disinfection-end": N_("Disinfection of {room} ended, entered by {by}"),
    "ventilation-start": N_("Airing of {room} began, entered by {by}"),
    "ventilation-end": N_("Airing of {room} ended, entered by {by}"),
    "door-closed": N_("The door of {room} is closed after the airing"),
}
AIRED: dict[bool, str] = {
    True: N_("{room} was aired for {minutes} min, CO2 {co2}, entered by {by}"),
    False: N_("{room} was aired for {minutes} min, CO2 {co2}, entered by {by}: NOT ENOUGH"),
}
DOOR_OPEN_AFTER = N_("The door of {room} was not closed after the airing")
SEALED = N_("The record is sealed, to be kept until {until} ({by})")
