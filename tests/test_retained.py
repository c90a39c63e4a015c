"""Our retained states at the broker: sent again after connecting, and recognised when they come back."""

import pytest
from kit_mqtt import NOW

from gateway.moment import NANO
from gateway.payloads import Below
from gateway.sinks.retained import ECHOES, Retained


def sent(retained: Retained) -> list[Below]:
    messages = []
    while message := retained.next():
        messages.append(message)
    return messages


def test_the_newest_state_of_a_topic_wins() -> None:
    """States are sent in the order in which they changed, each topic once."""
    retained = Retained()
    retained.put("a", b"1")
    retained.put("b", b"1")
    retained.put("a", b"2")

    assert sent(retained) == [Below("a", b"2"), Below("b", b"1")]
    assert sent(retained) == []


def test_everything_is_sent_again_after_connecting() -> None:
    """A broker that was restarted without its store has forgotten everything."""
    retained = Retained()
    retained.put("a", b"1")
    sent(retained)
    retained.connected()

    assert sent(retained) == [Below("a", b"1")]


def test_an_empty_state_is_never_sent() -> None:
    """Normal is a state too: an empty payload would delete it at the broker."""
    with pytest.raises(ValueError, match="never empty"):
        Retained().put("a", b"")


def test_copies_of_what_was_sent_are_ours() -> None:
    """Each publication comes back once, in order; the same bytes a second time were sent by somebody else (E5)."""
    retained = Retained()
    for payload in (b"1", b"2", b"3"):
        retained.put("a", payload)
        sent(retained)

    assert retained.is_ours("a", b"1", retained=False)
    assert not retained.is_ours("a", b"1", retained=False)
    assert retained.is_ours("a", b"3", retained=False)  # the copy of 2 was lost
    assert not retained.is_ours("a", b"2", retained=False)
    assert not retained.is_ours("other", b"1", retained=False)


def test_what_the_broker_holds_is_ours_when_this_run_sent_it() -> None:
    """After reconnecting the broker shows what it holds: known, under way, or not ours."""
    retained = Retained()
    retained.put("a", b"1")
    for message in sent(retained):
        retained.acked(message, NOW, taken=True)
    retained.put("a", b"2")
    sent(retained)

    assert retained.is_ours("a", b"1", retained=True)
    assert retained.is_ours("a", b"2", retained=True)
    assert not retained.is_ours("a", b"0", retained=True)


def test_what_the_broker_never_took_may_be_of_a_run_before() -> None:
    """Only a state that the broker took before this connection is known to stand there: in this one it may still be
    telling what it held at the beginning, after it has acknowledged what is new.
    """
    retained = Retained()
    retained.put("a", b"1")
    sent = retained.next()
    assert sent is not None
    retained.acked(sent, NOW, taken=True)
    first = retained.known("a")
    retained.connected()
    retained.put("a", b"2")
    sent = retained.next()
    assert sent is not None
    retained.acked(sent, NOW, taken=True)

    assert [False, True, False] == [first, retained.known("a"), retained.known("b")]
    assert retained.is_ours("a", b"1", retained=True)  # of the beginning, told late
    assert not retained.is_ours("a", b"0", retained=True)


def test_a_copy_proves_what_an_acknowledgement_would() -> None:
    """A state that came back before the link broke is what the broker holds, although its acknowledgement was lost."""
    retained = Retained()
    retained.put("a", b"1")
    retained.next()
    assert retained.is_ours("a", b"1", retained=False)
    retained.connected()

    assert retained.is_ours("a", b"1", retained=True)


def test_a_refused_state_has_no_copy() -> None:
    """What the broker refused cannot have come from us, whoever sends it later."""
    retained = Retained()
    retained.put("a", b"1")
    (message,) = sent(retained)
    retained.acked(message, NOW, taken=False)
    retained.acked(message, NOW, taken=False)

    assert not retained.is_ours("a", b"1", retained=False)


def test_what_was_refused_is_offered_again() -> None:
    """C14: refused with a reason, or acknowledged and never given back: once more each, and not what is well."""
    retained = Retained()
    for topic in ("a", "b", "c"):
        retained.put(topic, b"1")
    a, b, c = sent(retained)
    retained.acked(a, NOW, taken=False)
    retained.acked(b, NOW, taken=True)
    retained.acked(c, NOW, taken=True)
    retained.is_ours("c", b"1", retained=False)
    assert ["b"] == retained.unanswered(NOW.after(6), 5 * NANO)
    retained.again()

    assert [a, b] == sent(retained)

    retained.again()

    assert [] == sent(retained)


def test_copies_that_never_come_take_no_memory() -> None:
    """A broker that swallows states without a word does not fill the memory."""
    retained = Retained()
    for number in range(10 * ECHOES):
        retained.put("a", b"%d" % number)
        sent(retained)

    assert not retained.is_ours("a", b"0", retained=False)
    assert retained.is_ours("a", b"%d" % (10 * ECHOES - 1), retained=False)
