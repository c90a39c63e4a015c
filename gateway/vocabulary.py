"""The program's own words (states, transitions, causes ...) as people read them; in files and messages they stay codes.

Of ISA-18.2 in English, of Chinese exam administration and alarm standards in Chinese.
"""

from __future__ import annotations

from gateway.catalogue import N_, Said, say
from gateway.day.wording import DUTIES

STATES: dict[str, str] = {
    "normal": N_("normal"),
    "pending": N_("normal"),
    "active_unacknowledged": N_("active and not acknowledged"),
    "active_acknowledged": N_("active and acknowledged"),
    "cleared_unacknowledged": N_("over and not acknowledged"),
    "latched_unacknowledged": N_("over, latched and not acknowledged"),
    "latched_acknowledged": N_("over, latched and acknowledged"),
    "shelved": N_("shelved"),
    "suppressed": N_("suppressed"),
    "out_of_service": N_("out of service"),
}
TRANSITIONS: dict[str, str] = {
    "raised": N_("raised"),
    "repeated": N_("repeated"),
    "updated": N_("updated"),
    "acknowledged": N_("acknowledged"),
    "cleared": N_("cleared"),
    "reset": N_("reset"),
    "shelved": N_("shelved"),
    "unshelved": N_("unshelved"),
    "suppressed": N_("suppressed"),
    "released": N_("released"),
    "removed": N_("removed"),
    "returned": N_("returned"),
    "escalated": N_("escalated"),
    "received": N_("received"),
    "expired": N_("expired"),
}
SEVERITIES: dict[str, str] = {
    "critical": N_("critical"),
    "high": N_("high"),
    "medium": N_("medium"),
    "low": N_("low"),
}
CONTACTS: dict[str, str] = {
    "safe": N_("safe"),
    "active": N_("active"),
    "cut": N_("cut"),
    "short": N_("shorted"),
    "unknown": N_("unknown"),
}
LINKS: dict[str, str] = {
    "connected": N_("connected"),
    "connecting": N_("connecting"),
    "refused": N_("refused"),
    "unreachable": N_("unreachable"),
    "bad-certificate": N_("bad certificate"),
    "bad-clock": N_("clock not set"),
    "stopped": N_("stopped"),
}
# Why a device gives no usable answer: the names of `drivers/errors.py`.
CAUSES: dict[str, str] = {
    "Timeout": N_("no answer"),
    "BadFrame": N_("an answer that is not one"),
    "BadChecksum": N_("a damaged answer"),
    "DeviceFault": N_("it reports a fault of its own"),
    "NotReady": N_("not ready yet"),
}
REASONS: dict[str, str] = {
    "ok": N_("ok"),
    "found-at-start": N_("found at the start"),
    "restart": N_("after a restart"),
    "goes-on": N_("the alarm of before the restart goes on"),
    "stuck": N_("held for long"),
    "realarm": N_("still there"),
    "not a number": N_("not a number"),
    "opened-in-order": N_("opened, no papers are stored"),
    "opened-in-window": N_("opened in an authorised window"),
    "found-open": N_("found open, no papers are stored"),
    "closed": N_("closed"),
    "open-at-arming": N_("open when custody began"),
    "window-asked": N_("one of two asks for a window"),
    "window-opened": N_("two have opened a window"),
    "window-over": N_("the window is over"),
    "custody-ended": N_("custody ended by name"),
    "retired": N_("retired by name"),
    "not-configured": N_("no longer in the configuration"),
    "drill-over": N_("the drill is over"),
    "drill-ended": N_("ended by name"),
    "real-alarm": N_("ended by a real alarm"),
    "reset": N_("reset"),
    "drill-record": N_("record of a drill"),
    "test-asked": N_("a test by hand was opened"),
    "test-over": N_("the test is over, nothing was pressed"),
    "held-in-test": N_("held for longer than a test allows"),
    "expected": N_("expected from now on"),
    "late": N_("late"),
    "entered": N_("entered"),
    "refused-in-session": N_("refused in the session"),
    "configuration-waits": N_("waits for the end of the session"),
    "configuration-urgent": N_("could not wait for the end of the session"),
    "disturbance-began": N_("a disturbance began"),
    "disturbance-ended": N_("a disturbance is over"),
    "nothing-to-report": N_("nothing to report"),
    "something-to-report": N_("something to report"),
    "record-sealed": N_("the record is sealed"),
    "door-open": N_("the door is open"),
    "door-closed": N_("the door is closed"),
    "tagged": N_("touched"),
    "released-early": N_("released before the guard time was over"),
    "warm-up": N_("it is still warming up"),
    "unconfirmed: the frame carries no check": N_("not confirmed by a second value yet"),
    "not-in-force": N_("not in force now"),
    "stale": N_("no value for some time"),
    "no good sample": N_("no good sample"),
    "too few valid samples": N_("too few valid samples"),
}
SEALS: dict[str, str] = {
    "unsealed": N_("unsealed"),
    "sealed": N_("sealed"),
    "authorised": N_("opening authorised"),
    "violated": N_("violated"),
}
# How far a shipped limit was verified; not among `word`'s, because "text" is a word of its own.
PROOFS: dict[str, str] = {
    "text": N_("read in the standard's text"),
    "secondary": N_("by secondary publications"),
    "unverified": N_("not verified"),
    "project": N_("the project's own"),
}
WHENS: dict[str, str] = {
    "session": N_("session"),
    "listening": N_("listening test"),
    "quiet": N_("quiet hours"),
    "night": N_("night"),
    "day": N_("day"),
    "exam-day": N_("exam day"),
    "custody": N_("papers sealed"),
    "summer": N_("summer"),
    "winter": N_("winter"),
    "always": N_("always"),
}
WEEKDAYS: dict[str, str] = {
    "mon": N_("Monday"),
    "tue": N_("Tuesday"),
    "wed": N_("Wednesday"),
    "thu": N_("Thursday"),
    "fri": N_("Friday"),
    "sat": N_("Saturday"),
    "sun": N_("Sunday"),
}
CLOCKS: dict[str, str] = {
    "synchronised": N_("set by a time source"),
    "unsynchronised": N_("not set by a time source"),
    "floor": N_("not set; the last known time is used"),
}
QUALITIES: dict[str, str] = {
    "good": N_("good"),
    "suspect": N_("not yet confirmed"),
    "invalid": N_("not valid"),
    "missing": N_("missing"),
}
# Of the entry screening; "passed" and "over" would be other words elsewhere, so these are not among `word`'s.
SCREENED: dict[str, str] = {
    "passed": N_("passed the thermometer"),
    "undecided": N_("undecided"),
    "over": N_("over the threshold"),
    "implausible": N_("implausible"),
}
# What is entered with `log`, beside the duties.
ENTRIES: dict[str, str] = {
    "scene-sealed": N_("scene sealed"),
    "custody-moved": N_("custody moved"),
    "incident": N_("incident"),
    "acceptance-begun": N_("acceptance begun"),
    "acceptance": N_("acceptance"),
    "disinfection-start": N_("disinfection began"),
    "disinfection-end": N_("disinfection ended"),
    "ventilation-start": N_("airing began"),
    "ventilation-end": N_("airing ended"),
    "session-held": N_("session held"),
    "session-resumed": N_("session resumed"),
    "session-moved": N_("session moved"),
    "evacuation": N_("evacuation"),
    "evacuation-over": N_("evacuation over"),
    "seal-record": N_("record sealed"),
    "second-measurement": N_("second measurement"),
}
# What a session forbids, by the command's word.
VERBS: dict[str, str] = {
    "shelve": N_("putting an alarm aside"),
    "suppress": N_("suppressing an alarm"),
    "remove": N_("taking an alarm out of service"),
    "retire": N_("retiring"),
    "test": N_("a test or drill"),
    "calibrate": N_("a calibration"),
    "lend": N_("lending a port"),
}
_ALL = STATES | TRANSITIONS | SEVERITIES | CONTACTS | LINKS | CAUSES | REASONS | WHENS | CLOCKS | QUALITIES
_ALL |= SEALS | WEEKDAYS | DUTIES | ENTRIES | VERBS


def word(code: object) -> str:
    """What people read for a code; the code itself where it has no words (a name, a device's own text)."""
    text = code if isinstance(code, Said) else str(code)  # what was said remembers how to be said otherwise
    return say(_ALL[text]) if text in _ALL else text
