"""What an event says to people, in Chinese and English. The only place where sentences about alarms are made."""

from __future__ import annotations

from drivers.quantities import QUANTITIES
from gateway.catalogue import N_, both

Text = dict[str, str]

# What is wrong while the alarm stands, by the alarm's kind; for contacts by (kind, state of the contact).
STANDS: dict[str, str] = {
    "leak": N_("Leak alarm: the button {name} was pressed ({place})"),
    "leak-released-early": N_("The button {name} was released before its guard time was over ({place})"),
    "seal": N_("The sealed door {name} was opened without authority ({place})"),
    "seal-alone": N_("The sealed door {name} was opened when only one of two persons had asked ({place})"),
    "seal-long": N_("The door {name} is open for longer than allowed ({place})"),
    "seal-found": N_("The sealed door {name} was found open, and nobody saw it being opened ({place})"),
    "seal-opened-in-order": N_("The door {name} was opened; no papers are stored ({place})"),
    "seal-opened-in-window": N_("The door {name} was opened in a window that two persons opened ({place})"),
    "seal-found-open": N_("The door {name} was found open; no papers are stored ({place})"),
    "seal-closed": N_("The door {name} was closed ({place})"),
    "seal-window-asked": N_("{by} asks for a window for the door {name}; a second person must ask within 2 minutes"),
    "seal-window-opened": N_("A window for the door {name} was opened by {by}, until {until}"),
    "seal-window-over": N_("The window for the door {name} is over ({place})"),
    "tamper": N_("Tamper contact {name} is open ({place})"),
    "power": N_("Mains power failed ({name}, {place})"),
    "fire": N_("Fire contact {name} ({place})"),
    "flood": N_("Water at {name} ({place})"),
    "patrol": N_("The patrol's tag {name} ({place})"),
    "patrol-tagged": N_("The patrol's tag {name} was touched ({place})"),
    "other": N_("Contact {name} is active ({place})"),
    "line": N_("The line of {name} is {reason}: it can no longer be trusted ({place})"),
    "pin": N_("The pin of {name} cannot be used: {reason}"),
    "chatter": N_("The contact {name} chatters: have it looked at ({place})"),
    "stuck": N_("The button {name} has been held for a long time: stuck? ({place})"),
    "device": N_("{name} gives no usable answer: {reason}"),
    "wire": N_("{reason} of the answers of {name} are damaged: its cable, plugs or termination are failing"),
    "bus": N_("The port {name} cannot be used: {reason}"),
    "storage": N_("The card does not take records ({reason}): going on from memory"),
    "aside": N_("A damaged file of the journal was put aside as {reason}; a new one is begun"),
    "aged": N_("{reason} events until {name} have grown too old or too many, and leave the record"),
    "restored": N_("The record was brought back from a backup of {name}; until then it was signed by {reason}"),
    "dropped": N_("Readings of {name} were given up: {reason}"),
    "configuration": N_("The configuration file cannot be used; the last good one is in force: {reason}"),
    "clock": N_("The clock is not set by a time source: times are not proven"),
    "clock-long": N_("The clock has not been set for a day: connect a time server, or fit a battery clock"),
    "supply": N_("The supply voltage of the board: {reason}; replace the power supply and its cable"),
    "heat": N_("The board is too hot ({reason}): give it shade and air, clean its fan"),
    "wear": N_("The card is wearing out ({reason}): copy it and replace it soon"),
    "space": N_("The card is nearly full ({reason}): remove what does not belong there, or fit a larger one"),
    "memory": N_("The memory is short ({reason}): end other programs; outside an exam, restart the gateway"),
    "board": N_(
        "The card is in another board than before: a copied card is to be switched off; after a move on purpose retire "
        "board by name"
    ),
    "link": N_("No connection to {name}: {reason}"),
    "remote": N_("The platform {name}: {reason}"),
    "refused": N_("Refused at {name}: {reason}"),
    "altered": N_("A retained state at the broker was altered by somebody else: {reason}"),
    "unstored": N_("Sent, and not in the journal: {reason}"),
    "drill": N_("DRILL of the alarm {name} ({place})"),
    "test": N_("DRILL: the contact {name} was pressed in a test ({place})"),
    "test-asked": N_("{by} tests the contact {name}: its first short press within 60 s is a drill ({place})"),
    "test-over": N_("The test of the contact {name} is over; it was not pressed ({place})"),
    "custody": N_("Custody was ended by {name}: no papers are stored any more"),
    "certificate": N_("A certificate for {name} ends: {reason}"),
    "duplicate": N_("Another device speaks as this gateway at {name}: {reason}"),
    "points": N_("{name} will never take some points, which were put aside in a file: {reason}"),
    "path": N_("The way of escalation {name} does not work: {reason}"),
    "alarm-flood": N_("More alarms in ten minutes than people can follow"),
    "alarm-chatter": N_("Alarms that come again and again: {reason}"),
    "alarm-stale": N_("Alarms that have stood for more than a day: {reason}"),
    "retired": N_("The contact {name} is no longer armed: retired by {reason}"),
    "disarm": N_("The contact {name} is no longer in the configuration and stays armed until it is retired by name"),
}
GOES_ON = N_("{what}; it goes on as {activation}, which stood before the restart ({other} is the same alarm)")
CLOCK_SET = N_("The clock was set by {reason}: times of this run before now are off by so much")
RULE_ABOVE = N_("{quantity} {value} {unit} is over the limit of {limit} {unit} ({place})")
RULE_BELOW = N_("{quantity} {value} {unit} is under the limit of {limit} {unit} ({place})")
RULE_WITHIN = N_("{quantity} {value} {unit}, limit {limit} {unit} ({place})")
RULE_INDICATIVE = N_("{what}: indicative only, no excess of {set} is claimed")
IN_WEATHER = {
    "wind": N_("{what}; measured in too much wind, so it proves no excess"),
    "rain": N_("{what}; measured in rain, so it proves no excess"),
}
DRILL_SAYS = N_("DRILL of the alarm {name}: nothing is wrong. For real it would say: {what}")
RULE_SAYS_ABOVE = N_("{quantity} over the limit of {limit} {unit} ({place})")
RULE_SAYS_BELOW = N_("{quantity} under the limit of {limit} {unit} ({place})")
RULE_SAYS_STALE = N_("{quantity} of {point}: no good value for {limit_s} s ({place})")
RULE_SAYS_FLAT = N_("{quantity} of {point}: the same value for {limit_s} s ({place})")
RULE_OTHER = N_("{quantity} of {point}: {reason} ({place})")

GATE_PERSON = N_("No. {number} at {place}: {value} degC, {verdict} (raw {raw}, ambient {ambient}); measure again")
GATE_SECOND = N_("No. {number} at {place}: second measurement {value} degC, {verdict}")
GATE_OVERDUE = N_("No. {number} at {place} still waits for the second measurement")
GATE_QUEUE = N_(
    "{place}: {remaining} still to come at {rate} a minute: the last one enters {late} min after {session} begins"
)
GATE_COUNTED = N_("{place}: {persons} persons so far before {session}, {again} to be measured again")
GATE_STOPPED = N_(
    "{place}: {remaining} still to come, fewer than {least} came in five minutes, and {session} begins in {left} min"
)
GATE_DEVICE: dict[str, str] = {
    "implausible": N_("The thermometer at {place} gives values that no person has: check it"),
    "standing": N_("The thermometer at {place} sees something warm that does not go away (sun, lamp, wall): move it"),
    "drift": N_("The thermometer at {place} differs from the black body by {value} degC"),
}

# What happened, by transition; {what} is the sentence above, {by} a person or a station.
HAPPENED: dict[str, str] = {
    "raised": "{what}",
    "repeated": N_("Again: {what}"),
    "updated": N_("Still: {what}"),
    "acknowledged": N_("Acknowledged by {by}: {what}"),
    "cleared": N_("Over: {what}"),
    "reset": N_("Reset by {by}: {what}"),
    "shelved": N_("Put aside by {by} ({note}): {what}"),
    "unshelved": N_("No longer put aside: {what}"),
    "suppressed": N_("Suppressed by {by} ({note}): {what}"),
    "released": N_("No longer suppressed: {what}"),
    "removed": N_("Taken out of service by {by} ({note}): {what}"),
    "returned": N_("Back in service: {what}"),
    "escalated": N_("No answer yet, escalated to {to}: {what}"),
    "received": N_("Received at {by}: {what}"),
    "expired": N_("Time is over: {what}"),
}


def quantity_text(quantity: str) -> Text:
    entry = QUANTITIES[quantity]
    return {"zh": entry.zh, "en": entry.en}


PATHS: dict[str, str] = {
    "resend": N_("sending again"),
    "second-broker": N_("the second broker"),
    "modem": N_("the telephone network"),
    "siren": N_("the siren"),
}


def happened(transition: str | None, what: Text, by: str | None, note: str | None, to: str | None = None) -> Text:
    """`transition` is None for a note beside an alarm: it says only itself."""
    path = both(PATHS[to]) if to in PATHS else to or "-"
    return both(HAPPENED[transition] if transition else "{what}", what=what, by=by or "-", note=note or "-", to=path)
