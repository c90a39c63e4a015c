"""Two brokers and a station that missed something: the real process, from a button to both far ends."""

from __future__ import annotations

from pathlib import Path

from kit_mqtt import Broker, Proxy, until
from kit_process import STATION_KEY, Command, Gateway, venue

from gateway.journal.reader import EventReader
from gateway.signing import make_command

HELD = ("raised", "repeated")


def bodies(far: Command, alarm: str = "leak-button") -> set[bytes]:
    """The raising events of an alarm, byte for byte."""
    return {
        heard.payload for heard in far.copies() if heard.json["alarm"] == alarm and heard.json["transition"] in HELD
    }


def test_each_broker_has_its_own_cursor_and_either_receipt_counts(tmp_path: Path) -> None:
    """The first broker away for a while: the same bytes at both, and a receipt through the second ends it."""
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


def test_a_station_gets_again_what_it_missed(tmp_path: Path) -> None:
    """`resend` of a range, signed by a station: the same bytes once more, and an answer that names the request."""
    with Broker(tmp_path) as broker, Gateway(tmp_path, venue(broker.port)) as gateway:
        with Command(broker.port, receipts=True) as far:
            gateway.start()
            gateway.press()
            events = until(lambda: [e for e in far.events() if e["stream"] == "custody"], 20)
            before = bodies(far)
        with Command(broker.port) as late:
            nonce = until(lambda: late.on("/status"), 20)[0].json["nonce"]
            asked = {"stream": "custody", "run": events[0]["run"], "first": 1, "last": 1}
            order = make_command(STATION_KEY, "resend", id_="r1", by="county", nonce=nonce, arguments=asked)
            late.publish(f"{late.root}/command/resend", order)
            answer = until(lambda: late.on("response/resend"), 20)[0].json
            until(lambda: bodies(late), 20)

    assert ("r1", True) == (answer["id"], answer["ok"])
    assert before == bodies(late)
