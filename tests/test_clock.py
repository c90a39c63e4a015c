"""The wall clock is set by a fortnight, or not at all for a week, under the real program (E1, E2)."""

import time
from datetime import datetime
from pathlib import Path

from kit_clock import WallClock
from kit_mqtt import Broker, until
from kit_process import Command, Gateway, bus, faults, meter, record, venue

from gateway.alarms import Signal
from gateway.journal.minutes_reader import MinutesReader
from gateway.journal.readings_reader import ReadingsReader
from gateway.journal.verify import verify
from gateway.machine.clock_watch import ClockWatch
from gateway.moment import NANO, ClockState, Moment

FORTNIGHT_S = 14 * 86_400.0
HOLD_S = 1.0
RULE = f"""
[rule.too-loud]
point = "gate-noise/laf"
above = 65.0
clear_below = 60.0
raise_after = "{HOLD_S:g}s"
severity = "high"
"""


def test_a_fortnight_in_the_middle_of_an_alarm(tmp_path: Path) -> None:
    """E1: a hold lasts as long as it lasts, nothing is lost or out of order, and an event gives the offset."""
    clock = WallClock(tmp_path)
    toml = venue(0, bus(), meter("gate-noise", 1, every="200ms"), RULE)
    with Broker(tmp_path) as broker, Command(broker.port, receipts=True) as far:
        with Gateway(tmp_path, toml.replace("port = 0\n", f"port = {broker.port}\n")) as gateway:
            gateway.env = clock.env
            gateway.start()
            until(lambda: gateway.point("gate-noise/laf")["quality"] == "good", 20)
            gateway.press()
            loud = time.monotonic()
            gateway.sim("gate-noise", 71)
            until(lambda: gateway.point("gate-noise/laf")["value"] == 71, 20)
            clock.set(FORTNIGHT_S)
            raised = until(lambda: far.events("too-loud", "raised"), 20)[0]
            held_s = far.when(raised) - loud
            gateway.press()
            clock.set(-FORTNIGHT_S)
            gateway.sim("gate-noise", 50)
            until(lambda: far.events("too-loud", "cleared"), 20)
            gateway.press()
            until(lambda: len(far.events("clock", "updated")) > 1, 20)
            until(lambda: {e["hash"] for e in record(gateway.state)} <= {e["hash"] for e in far.events()}, 20)
            gateway.stop()
        events = far.events()
        moved_s = [round(event["details"]["offset_ms"] / 1000) for event in far.events("clock", "updated")]

    assert held_s >= HOLD_S
    assert [round(FORTNIGHT_S), -2 * round(FORTNIGHT_S)] == moved_s
    assert 3 == sum(event["transition"] in ("raised", "repeated") for event in events if event["kind"] == "leak")
    assert [] == faults(record(gateway.state), events)
    assert () == verify(gateway.state).findings
    mono = [event["mono_ms"] for event in record(gateway.state)]
    assert sorted(mono) == mono
    reader = ReadingsReader(gateway.state)
    places = [place for place, _ in reader.after(0, 10_000)]
    levels = [reading.value for _, block in reader.after(0, 10_000) for answer in block for reading in answer.readings]
    reader.close()
    assert sorted(set(places)) == places
    assert {50.0, 71.0} <= {value for value in levels if value is not None}
    minutes = MinutesReader(gateway.state)
    assert all(minute.n <= minute.due for minute in minutes.between(0, 2**40))
    minutes.close()


def test_a_clock_that_was_never_set(tmp_path: Path) -> None:
    """E2: every event, state, reading and status says so, and `status` too, until it is set."""
    clock = WallClock(tmp_path, synchronised=False)
    toml = venue(0, bus(), meter("gate-noise", 1))
    with (
        Broker(tmp_path) as broker,
        Command(broker.port, ("exam-sim/#",)) as far,
        Gateway(tmp_path, toml.replace("port = 0\n", f"port = {broker.port}\n")) as gateway,
    ):
        gateway.env = clock.env
        gateway.start()
        gateway.press()
        until(lambda: any("/reading/" in heard.topic for heard in far.heard), 30)
        before = [heard.json for heard in list(far.heard)]
        said = gateway.status()["clock"]
        clock.set(-3600.0, synchronised=True)
        until(lambda: gateway.status()["clock"] == "synchronised", 20)
        gateway.press()
        until(lambda: far.events("leak-button", "repeated"), 20)
        gateway.stop()

    assert "unsynchronised" == said
    clocks = {str(value["clock"]) for value in before if "clock" in value}
    assert {"unsynchronised"} == clocks
    assert len([value for value in before if "clock" in value]) > 5
    assert "synchronised" == far.events("leak-button", "repeated")[-1]["clock"]
    assert datetime.fromisoformat(far.events("leak-button")[0]["time"]).timestamp() > time.time() - 600


def moment(wall_s: float, mono_s: float, clock: ClockState = ClockState.SYNCHRONISED) -> Moment:
    return Moment(round(wall_s * NANO), round(mono_s * NANO), clock)


def test_what_is_told_of_a_clock() -> None:
    """E1: jumps once each, drift when it has come to a second; a clock that stands on its floor is none yet."""
    watch = ClockWatch(moment(1000, 10))
    floor, weeks = ClockState.FLOOR, 14 * 86_400
    times = [
        *(moment(1000.4, 10), moment(1000.99, 10), moment(1001.2, 10), moment(1001.3, 10)),
        *(moment(1005, 12, floor), moment(1005, 13, floor)),
        *(moment(1006 + weeks, 14), moment(1007 + weeks, 15), moment(1008, 16)),
    ]
    found = [[finding.evidence.reason for finding in watch.tick(at)] for at in times]

    assert [[], [], ["+1.2 s"], [], [], [], [f"+{weeks}.0 s"], [], [f"-{weeks}.0 s"]] == found
    assert Signal.UPDATE is next(watch.tick(moment(0, 17))).signal
