"""What `venue-gateway why` and `limits` answer, in words that people read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.alarm.wording import PATHS
from gateway.catalogue import chosen, say
from gateway.vocabulary import PROOFS, word

Answer = Mapping[str, Any]


def why_lines(answer: Answer) -> Iterator[str]:
    """Why an alarm is as it is: itself, what runs, its rule and samples, and how far its last events have come."""
    alarm, life = answer["alarm"], answer["life"]
    state, severity = word(alarm["state"]), word(alarm["severity"])
    yield say("{alarm}: {state} ({severity}), revision {revision}", **{**alarm, "state": state, "severity": severity})
    if alarm["since"]:
        yield "  " + alarm["text"][chosen()]
        since, openings = _time(alarm["since"]), life["openings"]
        yield "  " + say("raised {since}; openings since: {openings}", since=since, openings=openings)
    yield from _runs(life)
    yield from _people(life)
    yield from _rule(answer.get("rule"))
    yield from _escalation(life)
    yield from _delivery(answer["delivery"])


def limit_lines(limits: list[Answer]) -> Iterator[str]:
    """Each limit that is in force, why now, and where it comes from."""
    if not limits:
        yield say("no limit is in force now")
    for limit in limits:
        yield _limit(limit)
        yield "  " + _because(limit)
        yield "  " + _source(limit)


def _runs(life: Answer) -> Iterator[str]:
    if life["drill"]:
        yield "  " + say("a drill: it ends by itself after 15 minutes")
    turning = life["turning"]
    if turning is not None:
        seen = say("seen to be over for {since_s:g} s of the {hold_s:g} s that it must last", **turning)
        if not life["condition"]:
            seen = say("seen for {since_s:g} s of the {hold_s:g} s that it must last", **turning)
        yield "  " + seen
    elif life["changed"] is not None:
        time = _time(life["changed"])
        yield "  " + (
            say("there since {time}", time=time) if life["condition"] else say("over since {time}", time=time)
        )
    if life["latching"] and not life["condition"] and life["changed"] is not None:
        yield "  " + say("it latches: it stands until a named person resets it")


def _people(life: Answer) -> Iterator[str]:
    if life["acknowledged_by"]:
        who, note, time = life["acknowledged_by"], life["acknowledged_note"] or "-", _time(life["acknowledged"])
        yield "  " + say("seen by {who} at {time}: {note}", who=who, time=time, note=note)
    if life["hidden_by"]:
        who, note = life["hidden_by"], life["hidden_note"] or "-"
        until = _time(life["shelved_until"]) if life["shelved_until"] else say("it is ended by name")
        yield "  " + say("put aside by {who}: {note}; until {time}", who=who, note=note, time=until)


def _rule(rule: Answer | None) -> Iterator[str]:
    if rule is None:
        return
    yield say("rule: {rule}", rule=_limit(rule))
    yield "  " + _because(rule)
    holds = _of(rule, "raise_after_s", "clear_after_s")
    yield "  " + say("counts after {raise_after_s:g} s, is over after {clear_after_s:g} s", **holds)
    yield "  " + _source(rule)
    if rule["value"] is None:
        yield "  " + say("nothing is known now: {reason}", reason=word(rule["reason"] or rule["quality"]))
        return
    values = _of(rule, "value", "unit", "valid") | {"quality": word(rule["quality"])}
    seen = say("now {value:g} {unit}, {quality}, valid samples {valid:.0%}", **values)
    yield "  " + seen + (f" ({word(rule['reason'])})" if rule["reason"] else "")
    if rule["index"] is not None:
        yield "  " + _index(rule["index"])


def _index(index: Answer) -> str:
    """Grade, what takes part and what weighs most; without every pollutant it is a lower bound."""
    parts = ", ".join(f"{mean} {part}" for mean, part in index["parts"].items())
    grade, primary = index["grade"][chosen()], ", ".join(index["primary"]) or "-"
    text = say(
        "grade: {grade}; primary pollutant: {primary}; made of: {parts}", grade=grade, primary=primary, parts=parts
    )
    return text if index["complete"] else text + say(" (at least: not every pollutant is measured)")


def _limit(rule: Answer) -> str:
    sides = [say("over {limit:g} {unit}", limit=rule["above"], unit=rule["unit"])] if rule["above"] is not None else []
    if rule["below"] is not None:
        sides.append(say("under {limit:g} {unit}", limit=rule["below"], unit=rule["unit"]))
    return f"{rule['rule']}: {rule['point']} {', '.join(sides) or '-'} ({word(rule['severity'])})"


def _because(rule: Answer) -> str:
    if rule["in_force"] is None:
        return say("not in force now; it is during: {during}", during=_during(rule))
    until = _time(rule["until"]) if rule["until"] else say("further notice")
    why = ", ".join([word(rule["in_force"]), *_conditions(rule)])
    return say("in force now: {why}, until {until}", why=why, until=until)


def _during(rule: Answer) -> str:
    return ", ".join([*(word(each) for each in rule["during"]), *_conditions(rule)])


def _conditions(rule: Answer) -> Iterator[str]:
    """What must hold besides the hours."""
    for when in rule["only"]:
        yield say("only: {when}", when=word(when))
    for when in rule["unless"]:
        yield say("not: {when}", when=word(when))
    if days := [*(word(day) for day in rule["weekdays"]), *rule["dates"]]:
        yield say("only on {days}", days=", ".join(days))


def _source(rule: Answer) -> str:
    if rule["set"] is None:
        return say("a rule of this venue's configuration")
    area = say(", area {area}", area=rule["area"]) if rule["area"] else ""
    mark = say(", indicative only") if rule["indicative"] else ""
    source = say("{source}, edition {edition}; for {mean}", **_of(rule, "source", "edition", "mean"))
    return f"{source}{area}{mark} [{say(PROOFS[rule['proof']])}]"


def _escalation(life: Answer) -> Iterator[str]:
    taken, left = life["steps_taken"], life["steps_left"]
    if taken:
        yield say("escalated to: {steps}", steps=", ".join(say(PATHS[step["to"]]) for step in taken))
    if left:
        after_s = max(0.0, left[0]["after_s"] - life["escalating_s"])
        yield say("next: {step}, in {after:.0f} s", step=say(PATHS[left[0]["to"]]), after=after_s)


def _delivery(ways: list[Answer]) -> Iterator[str]:
    if ways:
        yield say("delivery:")
    for way in ways:
        hops = [say("on the card") if way["stored"] else say("not on the card yet")]
        hops += [f"{broker}: {_hop(when)}" for broker, when in way["brokers"].items()]
        hops += [say("received at {who}: {time}", who=who, time=_time(when)) for who, when in way["received"].items()]
        if way["needs_receipt"] and not way["received"]:
            hops.append(say("NO RECEIPT YET"))
        yield f"  #{way['number']} {word(way['transition'])} r{way['revision']}: {', '.join(hops)}"


def _hop(when: str) -> str:
    """When a broker took it, or why not."""
    refusals = {"refused": say("refused"), "nobody listens": say("nobody listens")}
    return refusals[when] if when in refusals else _time(when)


def _time(text: str) -> str:
    return text[5:19].replace("T", " ")


def _of(values: Answer, *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names}
