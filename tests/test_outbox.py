"""What waits for one broker: order, urgency, proof, sending again, and where the cursor stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.moment import NANO, Moment
from gateway.sinks.outbox import (
    AWAITING,
    BACKLOG,
    ECHO_S,
    LIVE,
    LIVE_UNSTORED,
    UNPROVEN_IN_FLIGHT,
    Outbox,
    Wish,
)
from gateway.values import Event

START = Moment(1_780_800_000 * NANO, 1_000 * NANO)


def at(seconds: float) -> Moment:
    return START.after(seconds)


def event(number: int, stream: Any = "environment", *, made: float = 0.0, **kind: bool) -> Event:
    body = b'{"clock":"synchronised","historical":false,"number":%d}' % number
    return Event(
        number=number,
        stream=stream,
        run="r",
        seq=number,
        id=str(number),
        hash=f"{number:064x}",
        body=body,
        alarm="a",
        urgent=kind.get("urgent", False),
        needs_receipt=kind.get("needs_receipt", False),
        at=at(made),
    )


def press(number: int, made: float = 0.0) -> Event:
    return event(number, "custody", made=made, urgent=True, needs_receipt=True)


def made_outbox(*, echo: bool = False, cursor: int = 0, last: int = 0) -> Outbox:
    outbox = Outbox(echo=echo)
    outbox.begin(cursor, last)
    outbox.connected()
    return outbox


def drain(outbox: Outbox, now: Moment) -> list[int]:
    """All that may leave now, live first."""
    numbers = []
    while sending := outbox.next(now) or outbox.next_backlog(now):
        numbers.append(sending.event.number)
    return numbers


def accept(outbox: Outbox, numbers: list[int], now: Moment, code: int = 0) -> list[int]:
    return [event.number for number in numbers for event in outbox.acked(number, code, now)]


def test_an_event_waits_for_the_card() -> None:
    """Nothing that is not urgent leaves before it is stored."""
    outbox = made_outbox()
    outbox.put(event(1))

    assert drain(outbox, at(10)) == []

    outbox.stored(1)

    assert drain(outbox, at(10)) == [1]
    assert outbox.waiting() == 1


def test_an_urgent_event_waits_20_ms_for_the_card() -> None:
    """A press leaves 20 ms after it was made, stored or not, and takes what stood before it in its stream along."""
    outbox = made_outbox()
    for each in (event(1, "custody"), press(2), event(3, "custody"), event(4)):
        outbox.put(each)

    assert outbox.due_ns(at(0)) == at(0.020).mono_ns
    assert drain(outbox, at(0.019)) == []
    assert drain(outbox, at(0.020)) == [1, 2]
    assert drain(outbox, at(60)) == []


def test_an_urgent_event_leaves_at_once_when_stored() -> None:
    """The 20 ms are an upper bound."""
    outbox = made_outbox()
    outbox.put(press(1))
    outbox.stored(1)

    assert drain(outbox, at(0)) == [1]
    assert accept(outbox, [1], at(0.01)) == [1]
    assert outbox.due_ns(at(0.02)) == at(2.01).mono_ns


def test_failing_storage_holds_up_nothing() -> None:
    """While the card is known to fail, every event goes at once, and the cursor stays where the card is."""
    outbox = made_outbox()
    outbox.storage(failing=True)
    outbox.put(event(1))

    assert drain(outbox, at(0)) == [1]
    assert accept(outbox, [1], at(0)) == [1]
    assert outbox.cursor() == 0

    outbox.stored(1)

    assert outbox.cursor() == 1


def test_custody_goes_first() -> None:
    """A press does not stand behind other streams."""
    outbox = made_outbox()
    for each in (event(1), event(2, "gateway"), event(3, "screening"), press(4)):
        outbox.put(each)
    outbox.stored(4)

    assert drain(outbox, at(0)) == [4, 3, 1, 2]


def test_live_goes_before_backlog_and_the_backlog_says_so() -> None:
    """C9, C10: after an outage the new event goes first; old ones are marked historical, custody never."""
    outbox = made_outbox(cursor=0, last=3)
    outbox.put(event(4))
    outbox.stored(4)
    wishes = {wish.stream: wish for wish in outbox.wishes()}

    assert wishes["environment"] == Wish("environment", 0, 3, BACKLOG)
    assert list(outbox.wishes()) == []

    outbox.fill(wishes["environment"], 3, [event(1), event(3)])
    outbox.fill(wishes["custody"], 3, [event(2, "custody")])
    sendings = [outbox.next(at(0)), *(outbox.next_backlog(at(0)) for _ in range(3))]

    assert [sending and sending.event.number for sending in sendings] == [4, 2, 1, 3]
    assert [b'"historical":true' in sending.body for sending in sendings if sending] == [False, False, True, True]
    assert outbox.next_backlog(at(0)) is None


def test_the_cursor_follows_the_lowest_proof() -> None:
    """The cursor is the highest number below which everything is proven; None before the journal was read."""
    outbox = Outbox(echo=False)
    outbox.connected()
    outbox.put(event(3))

    assert outbox.cursor() is None

    outbox.begin(1, 2)

    assert outbox.cursor() == 1

    for wish in list(outbox.wishes()):
        outbox.fill(wish, 2, [event(2)] if wish.stream == "environment" else [])

    assert outbox.cursor() == 1
    assert outbox.behind()

    outbox.stored(3)

    assert drain(outbox, at(0)) == [3, 2]

    accept(outbox, [3], at(0))

    assert outbox.cursor() == 1

    accept(outbox, [2], at(0))

    assert outbox.cursor() == 3
    assert not outbox.behind()


def test_a_restart_with_nothing_new_has_nothing_to_read() -> None:
    """When the journal's cursor is at its end there is no backlog."""
    outbox = made_outbox(cursor=7, last=7)

    assert list(outbox.wishes()) == []
    assert outbox.cursor() == 7


@pytest.mark.parametrize("code", [128, 135, 151])
def test_a_refused_event_is_tried_again_and_holds_its_stream_only(code: int) -> None:
    """C14: reason codes from 128 are no acceptance: again after 2 s, 4 s ..., in order; other streams go on."""
    outbox = made_outbox()
    for each in (event(1), event(2), event(3, "gateway")):
        outbox.put(each)
    outbox.stored(3)

    assert drain(outbox, at(0)) == [1, 2, 3]
    assert accept(outbox, [2, 1], at(0), code) == []
    assert accept(outbox, [3], at(0)) == [3]
    assert outbox.due_ns(at(0)) == at(4).mono_ns  # both were refused: two steps of the delay
    assert drain(outbox, at(3.9)) == []
    assert drain(outbox, at(4)) == [1]
    assert outbox.cursor() == 0
    assert accept(outbox, [1], at(4)) == [1]
    assert drain(outbox, at(4)) == [2]


def test_a_lost_connection_puts_everything_back_in_its_place() -> None:
    """C4, C5: what was in flight is sent again, live and backlog each in order."""
    outbox = made_outbox(cursor=0, last=2)
    for each in (event(3), event(4)):
        outbox.put(each)
    outbox.stored(4)
    for wish in list(outbox.wishes()):
        outbox.fill(wish, 2, [event(1), event(2)] if wish.stream == "environment" else [])

    assert drain(outbox, at(0)) == [3, 4, 1, 2]

    accept(outbox, [3], at(0))
    outbox.disconnected()
    outbox.connected()

    assert drain(outbox, at(0)) == [4, 1, 2]
    assert accept(outbox, [9], at(0)) == []


def test_an_event_without_receipt_is_sent_again_without_limit() -> None:
    """C7: acceptance is not delivery: again after 2, 4, 8 ... 60, 60 s until the receipt; the cursor may pass."""
    outbox = made_outbox()
    outbox.put(press(1))
    outbox.stored(1)
    now, gaps = at(0), []
    for _ in range(9):
        assert drain(outbox, now) == [1]
        assert accept(outbox, [1], now) == [1]
        due = outbox.due_ns(now)
        assert due is not None
        gaps.append((due - now.mono_ns) / NANO)
        now = now.after(gaps[-1])

    assert gaps == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert outbox.cursor() == 1

    outbox.received(1)

    assert drain(outbox, now) == []
    assert outbox.due_ns(now) is None


def test_after_reconnecting_the_unreceived_go_at_once() -> None:
    """A station that was away with the broker need not wait for the grown delay."""
    outbox = made_outbox()
    outbox.put(press(1))
    outbox.stored(1)
    for now in (at(0), at(2), at(6)):
        accept(outbox, drain(outbox, now), now)
    outbox.next(at(14))
    outbox.disconnected()
    outbox.connected()

    assert drain(outbox, at(14.1)) == [1]


def test_a_receipt_may_come_before_the_acceptance() -> None:
    """A receipt through the other broker ends the waiting; the event is still sent here once, for the chain."""
    outbox = made_outbox()
    outbox.put(press(1))
    outbox.received(1)
    outbox.stored(1)

    assert drain(outbox, at(0)) == [1]
    assert accept(outbox, [1], at(0)) == [1]
    assert drain(outbox, at(100)) == []
    assert outbox.cursor() == 1


def test_a_receipt_for_what_is_long_done_changes_nothing() -> None:
    """Receipts come twice, too."""
    outbox = made_outbox(cursor=5, last=5)
    outbox.received(3)

    assert outbox.cursor() == 5


@pytest.mark.parametrize("needs_receipt", [True, False])
def test_custody_that_nobody_hears_is_not_accepted(needs_receipt: bool) -> None:
    """MQTT 5 reason 16: the broker took it and nobody listens; it is sent again, and holds nothing up."""
    outbox = made_outbox()
    outbox.put(event(1, "custody", needs_receipt=needs_receipt))
    outbox.put(event(2))
    outbox.stored(2)

    assert drain(outbox, at(0)) == [1, 2]
    assert accept(outbox, [1, 2], at(0), 16) == [2]
    assert outbox.cursor() == (2 if needs_receipt else 0)
    assert drain(outbox, at(2)) == [1]
    assert accept(outbox, [1], at(2), 16) == []
    assert drain(outbox, at(6)) == [1]
    assert accept(outbox, [1], at(6)) == [1]
    assert outbox.cursor() == 2
    assert drain(outbox, at(14)) == ([1] if needs_receipt else [])


def test_over_3_1_1_acknowledgement_proves_nothing_until_a_copy_came_back() -> None:
    """A refused publish looks like success over 3.1.1: a branch is proven by one's own message."""
    outbox = made_outbox(echo=True)
    for number in range(1, 7):
        outbox.put(event(number))
    outbox.stored(6)

    assert drain(outbox, at(0)) == [1, 2, 3, 4][:UNPROVEN_IN_FLIGHT]
    assert accept(outbox, [1, 2], at(1)) == []
    assert outbox.echoed("environment", b"somebody else's", at(1)) == []
    assert outbox.proven() == ()
    assert [each.number for each in outbox.echoed("environment", event(1).body, at(1))] == [1, 2]
    assert outbox.proven() == ("environment",)
    assert drain(outbox, at(1)) == [5, 6]
    assert accept(outbox, [3, 4, 5, 6], at(1)) == [3, 4, 5, 6]
    assert outbox.echoed("environment", event(6).body, at(1)) == []


def test_over_3_1_1_what_does_not_come_back_is_sent_again() -> None:
    """An access list that swallows events is noticed after 5 s."""
    outbox = made_outbox(echo=True)
    for each in (press(1), press(2)):
        outbox.put(each)
    outbox.stored(2)
    drain(outbox, at(0))
    accept(outbox, [1], at(0))

    assert outbox.due_ns(at(0)) == at(ECHO_S).mono_ns
    assert outbox.unproven(at(ECHO_S - 0.01)) == {}
    assert outbox.unproven(at(ECHO_S)) == {"custody": [1, 2]}
    assert drain(outbox, at(ECHO_S + 1)) == []
    assert drain(outbox, at(ECHO_S + 2)) == [1]
    assert outbox.cursor() == 0


def test_over_3_1_1_sending_again_proves_nothing_either() -> None:
    """A copy sent again in an unproven branch is not counted as accepted."""
    outbox = Outbox(echo=True)
    outbox.begin(3, 3)
    outbox.connected()

    assert outbox.wants_awaiting()

    outbox.fill_awaiting([press(2)])

    assert drain(outbox, at(0)) == [2]
    assert accept(outbox, [2], at(0)) == []


def test_memory_is_bounded_while_the_broker_is_away() -> None:
    """C6: stored events beyond the window are read from the journal again; none is forgotten."""
    outbox = made_outbox()
    journal = {number: event(number) for number in range(1, 3 * LIVE + 1)}
    for number, each in journal.items():
        outbox.put(each)
        outbox.stored(number)

    assert outbox.waiting() == LIVE

    seen = []
    for _ in range(20):
        for wish in list(outbox.wishes()):
            mine = [each for each in journal.values() if wish.low < each.number <= wish.high]
            mine = mine[: wish.limit] if wish.stream == "environment" else []
            outbox.fill(wish, mine[-1].number if len(mine) == wish.limit else wish.high, mine)
        numbers = drain(outbox, at(0))
        accept(outbox, numbers, at(0))
        seen += numbers

    assert seen == [*range(2 * LIVE + 1, 3 * LIVE + 1), *range(1, 2 * LIVE + 1)]
    assert outbox.cursor() == 3 * LIVE


def test_unstored_events_are_kept_longer() -> None:
    """F8: while the card fails, memory is the only place: the window is larger, and still bounded."""
    outbox = made_outbox()
    for number in range(1, LIVE_UNSTORED + 11):
        outbox.put(event(number))

    assert outbox.waiting() == LIVE_UNSTORED
    assert list(outbox.wishes()) == []  # they are not in the journal either
    assert outbox.cursor() == 0


def test_a_wish_that_the_journal_could_not_fulfil_comes_again() -> None:
    """A card that cannot be read is asked again."""
    outbox = made_outbox(cursor=0, last=5)
    first = list(outbox.wishes())
    for wish in first:
        outbox.not_filled(wish)

    assert list(outbox.wishes()) == first


def test_events_in_memory_are_not_taken_from_the_journal_twice() -> None:
    """What is live or in flight is passed over in the journal's answer, also one that comes too late."""
    outbox = Outbox(echo=False)
    outbox.connected()
    for number in range(1, LIVE + 3):
        outbox.put(event(number))
        outbox.stored(number)
    (wish,) = (wish for wish in outbox.wishes() if wish.stream == "environment")
    outbox.begin(-1, LIVE + 2)
    outbox.fill(wish, 2, [event(1), event(2)])  # for a gap that has changed since

    assert outbox.next_backlog(at(0)) is None

    (wish,) = (wish for wish in outbox.wishes() if wish.stream == "environment")
    outbox.fill(wish, 2, [event(1), event(2), event(3)])
    outbox.fill(wish, 2, [event(1), event(2), event(3)])

    assert drain(outbox, at(0)) == [*range(3, LIVE + 3), 1, 2]


def test_unreceived_events_of_an_earlier_run_are_sent_again() -> None:
    """A9: the journal tells which have no receipt; the newest matter most, memory holds only so many."""
    outbox = made_outbox(cursor=1000, last=1000)

    assert outbox.wants_awaiting()
    assert not outbox.wants_awaiting()

    outbox.fill_awaiting(None)

    assert outbox.wants_awaiting()

    outbox.fill_awaiting([*(press(number) for number in range(1, AWAITING + 11)), press(2000)])
    numbers = drain(outbox, at(0))

    assert set(range(11, AWAITING + 11)) == set(numbers)
    assert not outbox.wants_awaiting()

    for number in range(11, AWAITING + 1):
        outbox.received(number)

    assert outbox.wants_awaiting()

    outbox.fill_awaiting([press(number) for number in [*range(1, 11), *range(AWAITING + 1, AWAITING + 11)]])

    assert sorted(drain(outbox, at(0))) == list(range(1, 11))
    assert not outbox.wants_awaiting()


def test_a_receipt_that_came_while_the_journal_was_read_counts() -> None:
    """What the card did not know yet when it was asked is not sent again for ever."""
    outbox = made_outbox(cursor=1000, last=1000)
    outbox.wants_awaiting()
    outbox.received(7)
    outbox.fill_awaiting([press(7), press(8)])

    assert [8] == drain(outbox, at(0))


def test_presses_while_the_broker_is_away_do_not_pile_up() -> None:
    """A7, C6: a door that flutters through a night without network costs no memory."""
    outbox = made_outbox()
    for number in range(1, 3 * LIVE + 1):
        outbox.put(press(number))
        outbox.stored(number)

    assert [0] == [len(lane.urgent) for lane in outbox._lanes.values() if lane.stream == "custody"]


@pytest.mark.parametrize("stored", [True, False])
def test_unreceived_events_are_bounded_in_memory(stored: bool) -> None:
    """The oldest that the journal has make room; while the card fails, the oldest of all."""
    outbox = made_outbox()
    outbox.storage(failing=not stored)
    for number in range(1, AWAITING + 4):
        outbox.put(press(number))
        outbox.stored(number if stored else 0)
        accept(outbox, drain(outbox, at(0)), at(0))

    assert set(drain(outbox, at(2))) == set(range(4, AWAITING + 4))
    assert outbox.wants_awaiting() is False


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["put", "press", "store", "send", "ack", "refuse", "cut", "receipt", "wait"])))
def test_nothing_is_ever_lost(steps: list[str]) -> None:
    """C4, C5: whatever happens in whatever order, every event is accepted at last, and the cursor never runs ahead."""
    outbox, now, journal = made_outbox(), at(0), {}
    accepted: set[int] = set()
    flying: list[int] = []

    def feed() -> None:
        for wish in list(outbox.wishes()):
            mine = [e for e in journal.values() if wish.low < e.number <= wish.high and e.stream == wish.stream]
            outbox.fill(wish, wish.high, mine)

    for step in [*steps, *["store", "cut", "wait", "send", "ack"] * 8, *["wait", "send", "ack"] * 30]:
        if step in ("put", "press"):
            number = len(journal) + 1
            journal[number] = press(number, 0) if step == "press" else event(number)
            outbox.put(journal[number])
        elif step == "store":
            outbox.stored(len(journal))
        elif step == "send":
            feed()
            flying += drain(outbox, now)
        elif step in ("ack", "refuse"):
            accepted |= set(accept(outbox, flying, now, 135 if step == "refuse" else 0))
            flying = []
        elif step == "cut":
            outbox.disconnected()
            outbox.connected()
            flying = []
        elif step == "receipt" and accepted:
            outbox.received(max(accepted))
        else:
            now = now.after(61)
        unproven = set(journal) - accepted
        assert (outbox.cursor() or 0) < min(unproven, default=len(journal) + 1)

    assert set(journal) == accepted
    assert outbox.cursor() == len(journal)
