"""The sealed room, drills, retiring and the telephone path on the real program, by the real command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kit_modem import FakeModem, text_of
from kit_mqtt import until
from kit_process import PIN, ROOT, Gateway, record, venue

from gateway.persons.people import pin_hash

DOOR = '\n[contact.door]\nkind = "seal"\npin = 17\nsafe = "low"\npin_other = 18\n'
SECOND = '\n[contact.old-button]\nkind = "leak"\npin = 6\nsafe = "low"\npin_other = 12\n'
MAY = '["ack", "reset", "drill", "open-window", "retire"]'


def persons() -> str:
    made = pin_hash(PIN)
    return "".join(
        f'\n[[person]]\nid = "{name}"\nname = "{name}"\nmay = {MAY}\npin = "{made}"\n' for name in ("chen", "zhou")
    )


def refused(gateway: Gateway, *words: str) -> str:
    command = [sys.executable, "-m", "gateway", *words, "--state", str(gateway.state), "--lang", "en"]
    result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert 1 == result.returncode, result
    return result.stderr


def test_a_door_is_opened_by_two_a_drill_is_held_and_an_old_button_is_retired(tmp_path: Path) -> None:
    """Contract: `open-window`, `drill`, `retire`, `why` and `limits` end to end, with PINs, over a restart."""
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    by = {who: ("--by", who, "--pin-file", str(pin), "--note", "in order") for who in ("chen", "zhou")}
    gateway = Gateway(tmp_path, venue(1, DOOR, persons(), SECOND), simulate="pins")
    with gateway:
        gateway.start()
        until(lambda: gateway.contact("door") == "safe", what="the door")
        first = gateway.command("open-window", "door", "--for", "10m", *by["chen"])
        second = gateway.command("open-window", "door", "--for", "20m", *by["zhou"])
        gateway.sim("door", "open")
        until(lambda: gateway.contact("door") == "active", what="the open door")
        gateway.sim("door", "close")
        until(lambda: gateway.contact("door") == "safe", what="the closed door")
        quiet = [alarm for alarm in gateway.standing() if alarm.startswith("door")]
        drilled = gateway.command("drill", "leak-button", *by["chen"])
        why = gateway.command("why", "leak-button-drill")
        limits = gateway.command("limits")
        gateway.stop()

        gateway.config.write_text(venue(1, DOOR, persons()).replace('id = "zj-no1"', 'id = "zj-no2"'))
        gateway.start()
        kept = gateway.standing()
        armed = gateway.contact("old-button")
        present = refused(gateway, "retire", "door", *by["zhou"])
        retired = gateway.command("retire", "old-button", *by["zhou"])
        until(lambda: "old-button" not in gateway.status()["contacts"], what="its end")
        before = gateway.status()["venue"]
        gateway.command("retire", "venue.id", *by["zhou"])
        gateway.stop()  # at once: what was answered is on the card
        gateway.start()
        after, venue_id = gateway.status()["contacts"], gateway.status()["venue"]
        over = ("disarm-old-button", "disarm-venue-id")  # and still to be acknowledged: nothing ends in silence
        until(lambda: {gateway.alarm(name)["state"] for name in over} == {"cleared_unacknowledged"})
        for name in over:
            gateway.command("ack", name, *by["zhou"])
        standing = gateway.standing()
        gateway.stop()

    assert "a second person must ask" in first
    assert "door may be opened until" in second
    assert [] == quiet
    assert "leak-button" in drilled
    assert "a drill: it ends by itself" in why
    assert "no limit is in force now" in limits
    assert "disarm-old-button" in kept
    assert "leak-button-drill" not in kept  # the drill ended with the restart
    assert armed == "cut"  # nothing is at its pins any more: it is watched, and that is an alarm
    assert "nothing to retire" in present
    assert "old-button is retired" in retired
    assert {"leak-button", "door"} == set(after)
    assert ("zj-no1", "zj-no2") == (before, venue_id)
    assert not [alarm for alarm in standing if alarm.startswith("disarm")]
    reasons = [event["reason"] for event in record(gateway.state) if event["alarm"] == "door"]
    assert ["window-asked", "window-opened", "opened-in-window", "closed"] == reasons[:4]
    expired = next(event for event in record(gateway.state) if event["transition"] == "expired")
    assert (True, "restart") == (expired["drill"], expired["reason"])


def test_without_any_broker_a_press_goes_out_by_telephone(tmp_path: Path) -> None:
    """C7: nobody answers at the broker: the message leaves by the modem when its step is due."""
    with FakeModem() as fake:
        modem = f'\n[modem]\nport = "{fake.port}"\nnumbers = ["+8613800138000"]\nlanguage = "en"\n'
        steps = '\n[escalation]\nsteps = [{ after = "1s", to = "modem" }, { after = "2s", to = "siren" }]\n'
        with Gateway(tmp_path, venue(1, modem, steps), simulate="pins") as gateway:
            gateway.start()
            gateway.press()
            until(lambda: fake.sent, what="the message")
            until(lambda: "path-siren" in gateway.standing(), what="the alarm that there is no siren")
            gateway.stop()

    assert text_of(fake.sent[0][1]).startswith("zj-no1: leak alarm, ")
    assert ["modem", "siren"] == [e["reason"] for e in record(gateway.state) if e["transition"] == "escalated"]
