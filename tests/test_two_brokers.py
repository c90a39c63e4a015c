"""Two brokers and a station that missed something: the real process, from a button to both far ends."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit_mqtt import Broker, Proxy, until
from kit_process import STATION_KEY, Command, Gateway, venue

from gateway.journal.reader import EventReader
from gateway.persons.signing import make_command

HELD = ("raised", "repeated")


def bodies(far: Command, alarm: str = "leak-button") -> set[bytes]:
    """The raising events of an alarm, byte for byte."""
    return {
        heard.payload for heard in far.copies() if heard.json["alarm"] == alarm and heard.json["transition"] in HELD
    }


def test_two_brokers_and_a_station_that_missed_an_event(tmp_path: Path) -> None:
    """The first broker away for a while: the same bytes at both, each with its own cursor; a receipt through the second
    ends it; and `resend`, signed by a station, brings the same bytes once more.
    """
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with (
        Broker(folders[0]) as one,
        Broker(folders[1]) as two,
        Proxy(one.port) as proxy,
        Command(one.port) as first,
        Command(two.port, receipts=True) as second,
    ):
        tables = f'[mqtt.second]\nhost = "127.0.0.1"\nport = {two.port}\n'
        with Gateway(tmp_path, venue(proxy.port, mqtt=tables)) as gateway:
            gateway.start()
            until(lambda: first.on("/status") and second.on("/status"), 20)
            proxy.mood = "refuse"
            until(lambda: gateway.status()["brokers"]["mqtt"]["state"] != "connected", 20)
            gateway.press()
            until(lambda: gateway.alarm("leak-button")["received_by"] == ["county"], 20)
            apart = (bodies(first), [way for way in gateway.ways("leak-button").values() if "mqtt: " in way])
            proxy.mood = "ok"
            again, answer = resent(two.port, next(event for event in second.events("leak-button", *HELD)))
            until(lambda: bodies(first), 30)
            until(lambda: any("mqtt: " in way for way in gateway.ways("leak-button").values()), 20)
            gateway.stop()
    reader = EventReader(gateway.state)
    cursors, owed = {reader.cursor("mqtt"), reader.cursor("second")}, reader.awaiting_receipt()
    reader.close()

    assert (set(), []) == apart
    assert bodies(second) == bodies(first)
    assert 1 == len(bodies(first))
    assert 0 < min(cursors)
    assert [] == [event for event in owed if event.body in bodies(first)]
    assert ("r1", True, bodies(first)) == (answer["id"], answer["ok"], again)


def resent(port: int, event: Mapping[str, Any]) -> tuple[set[bytes], dict[str, Any]]:
    """What a station hears that comes late and asks for one event, and the answer to its request."""
    with Command(port) as late:
        nonce = until(lambda: late.on("/status"), 20)[0].json["nonce"]
        asked = {name: event[name] for name in ("stream", "run")} | {"first": event["seq"], "last": event["seq"]}
        order = make_command(STATION_KEY, "resend", id_="r1", by="county", nonce=nonce, arguments=asked)
        late.publish(f"{late.root}/command/resend", order)
        answer = until(lambda: late.on("response/resend"), 20)[0].json
        until(lambda: bodies(late), 20)
        return bodies(late), answer
