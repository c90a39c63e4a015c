"""The process itself: on sick cards, told to stop, watched by systemd, begun anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit_disk import SickCard
from kit_mqtt import Broker, until
from kit_process import Command, Gateway, faults, record, venue

from gateway.journal.verify import verify

OPENINGS = ("raised", "repeated")
TROUBLES = {
    "ENOSPC": "the card is full",
    "EROFS": "the card has become read-only",
    "EIO": "the card fails to read or write",
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def far(broker: Broker) -> Iterator[Command]:
    with Command(broker.port) as far:
        yield far


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SickCard]:
    with SickCard(tmp_path / "state") as card:
        yield card


def pressed(gateway: Gateway, far: Command) -> float:
    """Press; the seconds from its acceptance until it was at the far end."""
    count = len(far.events("leak-button", *OPENINGS))
    gateway.press()
    event = until(lambda: far.events("leak-button", *OPENINGS)[count:])[0]
    return far.when(event) - event["mono_ms"] / 1000


def healed(gateway: Gateway) -> bool:
    status = gateway.status()
    return status["stored"] == status["last_event"] and set(status["storage"].values()) == {"ok"}


def test_a_card_that_hangs(tmp_path: Path, broker: Broker, far: Command, card: SickCard) -> None:
    """While a commit hangs, presses are at the far end in under a second and shown as not stored, and after some
    seconds that is an alarm; afterwards everything is in the journal.
    """
    gateway = Gateway(tmp_path, venue(broker.port))
    gateway.env = card.env()
    with gateway:
        gateway.start()
        card.stall(10)
        took_s = [pressed(gateway, far) for _ in range(3)]
        unstored = gateway.ways("leak-button")
        until(lambda: far.events("storage-events", "raised"), 8)
        card.heal()
        until(lambda: far.events("storage-events", "cleared"), 8)
        until(lambda: gateway.status()["stored"] == gateway.status()["last_event"])
        gateway.stop()

    assert max(took_s) < 1
    assert all("not stored" in way for way in unstored.values())
    assert [] == faults(record(gateway.state), far.events())
    assert () == verify(gateway.state).findings


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_card_that_refuses(tmp_path: Path, broker: Broker, far: Command, card: SickCard, trouble: str) -> None:
    """F7, F8: on a full, read-only or failing card presses are at the far end in under a second, an alarm names the
    trouble, and after healing everything is in the journal and its chain is whole.
    """
    gateway = Gateway(tmp_path, venue(broker.port))
    gateway.env = card.env()
    with gateway:
        gateway.start()
        pressed(gateway, far)
        card.fail(trouble)
        took_s = [pressed(gateway, far) for _ in range(3)]
        said = until(lambda: far.events("storage-events", "raised"), 8)[0]
        card.heal()
        until(lambda: healed(gateway), 15, "a healed card")
        until(lambda: far.events("storage-events", "cleared"))
        gateway.stop()

    assert max(took_s) < 1
    assert TROUBLES[trouble] in said["text"]["en"]
    assert [] == faults(record(gateway.state), far.events())
    assert () == verify(gateway.state).findings


@pytest.mark.parametrize("trouble", TROUBLES)
def test_begun_on_a_sick_card(tmp_path: Path, broker: Broker, far: Command, card: SickCard, trouble: str) -> None:
    """F7, F8: started on a card that is full, read-only or failing, with the button pressed in the dark: what stood is
    remembered, the press is at the far end, and all of it is in the journal once the card is well.
    """
    gateway = Gateway(tmp_path, venue(broker.port))
    gateway.env = card.env()
    with gateway:
        gateway.start()
        pressed(gateway, far)
        gateway.stop()
        (gateway.state / "switches.json").write_text('{"leak-button": "active"}')
        before = len(far.events())
        card.fail(trouble)
        gateway.start(wait=False)
        found = until(lambda: [e for e in far.events("leak-button", *OPENINGS) if e["reason"] == "found-at-start"], 10)
        said = until(lambda: far.events("storage-events", "raised"), 8)[0]
        card.heal()
        gateway.until_running()
        until(lambda: healed(gateway), 15, "a healed card")
        gateway.stop()
        resumed = far.events()[before]

    assert ("leak-button", "repeated", "restart") == tuple(resumed[key] for key in ("alarm", "transition", "reason"))
    assert [resumed["activation"]] == [event["activation"] for event in found]
    assert TROUBLES[trouble] in said["text"]["en"]
    assert [] == faults(record(gateway.state), far.events())
    assert () == verify(gateway.state).findings
