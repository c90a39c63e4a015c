"""Which readings go to a broker next, and how far the cursor stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.moment import NANO, Moment
from gateway.payloads import Below
from gateway.sinks.telemetry import LATE_BLOCKS, LIVE_BLOCKS, Allowance, Parcel, ReadingsWish, Telemetry

BLOCK_MS = 4_000  # places are milliseconds
START = Moment(1_780_800_000 * NANO, 1_000 * NANO)


def made(rate: int = 0, cursor: int = 0) -> Telemetry:
    telemetry = Telemetry(Allowance(rate))
    telemetry.begin(cursor)
    return telemetry


def answer(telemetry: Telemetry, wish: ReadingsWish | None, count: int = 10) -> None:
    assert wish is not None
    upto = min(wish.high, wish.low + wish.limit * BLOCK_MS)
    telemetry.fill(wish, upto, [Below("t", shown(wish.low, upto))], count)


def shown(low: int, high: int) -> bytes:
    """A range, counted in blocks."""
    return b"%d-%d" % (low // BLOCK_MS, high // BLOCK_MS)


def send(telemetry: Telemetry, *, historical: bool, taken: bool = True) -> bytes | None:
    found = telemetry.next(historical=historical)
    if found is None:
        return None
    parcel, message = found
    telemetry.acked(parcel, taken=taken)
    return message.payload


def test_nothing_is_asked_before_the_cursor_is_known() -> None:
    """Without the journal there is nothing to send, and no cursor to move."""
    telemetry = Telemetry(Allowance(0))
    telemetry.grown(100)
    telemetry.disconnected()

    assert telemetry.wish(START) is None
    assert telemetry.cursor() is None


def test_live_readings_follow_the_journal() -> None:
    """New blocks are asked for one range at a time, and the cursor moves when the broker has them."""
    telemetry = made(cursor=5 * BLOCK_MS)
    telemetry.grown(7 * BLOCK_MS)
    wish = telemetry.wish(START)

    assert wish == ReadingsWish(5 * BLOCK_MS, 7 * BLOCK_MS, LIVE_BLOCKS, historical=False)
    assert telemetry.wish(START) is None

    answer(telemetry, wish)

    assert telemetry.cursor() == 5 * BLOCK_MS
    assert telemetry.wish(START) is None
    assert send(telemetry, historical=False) == b"5-7"
    assert telemetry.cursor() == 7 * BLOCK_MS
    assert send(telemetry, historical=False) is None


def test_live_goes_first_after_an_outage() -> None:
    """C9: the newest minute is live; what is older is backlog, and the cursor waits for it."""
    telemetry = made()
    telemetry.grown(100 * BLOCK_MS)
    live, late = telemetry.wish(START), telemetry.wish(START)

    assert live == ReadingsWish(85 * BLOCK_MS, 100 * BLOCK_MS, LIVE_BLOCKS, historical=False)
    assert late == ReadingsWish(0, 85 * BLOCK_MS, LATE_BLOCKS, historical=True)

    answer(telemetry, live)
    answer(telemetry, late)

    assert send(telemetry, historical=False) == b"85-100"
    assert telemetry.cursor() == 0
    assert telemetry.behind()
    assert send(telemetry, historical=True) == b"0-10"
    assert telemetry.cursor() == 10 * BLOCK_MS


def test_a_block_or_two_are_no_backlog() -> None:
    """Readings that are seconds old leave at once and as live ones, however many commits there were since the last."""
    telemetry = made(rate=1, cursor=START.wall_ns // 1_000_000)
    for newest in range(1, 30):
        telemetry.grown(START.wall_ns // 1_000_000 + newest * BLOCK_MS)

    wish = telemetry.wish(START)

    assert wish == ReadingsWish(telemetry.cursor(), telemetry.cursor() + 29 * BLOCK_MS, LIVE_BLOCKS, historical=False)
    assert telemetry.wish(START) is None
    assert not telemetry.behind()


def test_the_backlog_keeps_to_its_rate() -> None:
    """C9: 500 readings a second, say, and not one more on the average."""
    telemetry = made(rate=500)
    telemetry.grown(10_000 * BLOCK_MS)
    answer(telemetry, telemetry.wish(START))
    sent, now = 0, START
    for _ in range(100):
        while (wish := telemetry.wish(now)) is not None:
            answer(telemetry, wish, 100)
            sent += 100
            send(telemetry, historical=True)
        now = now.after(0.1)

    assert 5_000 <= sent <= 5_600


def test_the_drain_ends_and_the_cursor_arrives() -> None:
    """Without a limit the whole backlog goes, in order, and the cursor ends at the newest place."""
    telemetry = made()
    telemetry.grown(100 * BLOCK_MS)
    seen = []
    while (wish := telemetry.wish(START)) is not None:
        answer(telemetry, wish)
        seen.append(send(telemetry, historical=wish.historical))

    assert seen == [b"85-100", *(b"%d-%d" % (low, min(low + 10, 85)) for low in range(0, 85, 10))]
    assert telemetry.cursor() == 100 * BLOCK_MS
    assert not telemetry.behind()


def test_a_lost_connection_sends_again_what_was_under_way() -> None:
    """C5: handed to the client is not sent: unproven ranges come back, and nothing is left out."""
    telemetry = made()
    telemetry.grown(100 * BLOCK_MS)
    live, late = telemetry.wish(START), telemetry.wish(START)
    answer(telemetry, live)
    answer(telemetry, late)
    old = telemetry.next(historical=False)
    telemetry.disconnected()

    assert old is not None

    telemetry.acked(old[0], taken=True)  # of the connection before: it proves nothing now

    assert telemetry.cursor() == 0

    ranges = []
    while (wish := telemetry.wish(START)) is not None:
        answer(telemetry, wish)
        ranges.append(shown(wish.low, wish.high))
        send(telemetry, historical=True)

    assert ranges[0] == b"0-10"
    assert ranges[-1] == b"95-100"
    assert telemetry.cursor() == 100 * BLOCK_MS


def test_what_the_broker_refuses_is_not_passed_over() -> None:
    """C14: the cursor stays before a refused message; after the next connecting all since then is sent again."""
    telemetry = made()
    telemetry.grown(5)
    wish = telemetry.wish(START)
    assert wish is not None
    telemetry.fill(wish, 5, [Below("a", b"1"), Below("b", b"2")], 2)
    send(telemetry, historical=False, taken=False)
    send(telemetry, historical=False)
    telemetry.grown(6)
    answer(telemetry, telemetry.wish(START))
    send(telemetry, historical=False, taken=False)

    assert telemetry.cursor() == 0

    telemetry.disconnected()
    wish = telemetry.wish(START)

    assert wish == ReadingsWish(0, 6, LATE_BLOCKS, historical=True)


def test_a_backlog_is_not_forgotten_over_something_newer_that_is_refused() -> None:
    """C5, C14: the outage's readings still wait while one live message is refused: both are sent after connecting."""
    telemetry = made()
    telemetry.grown(100 * BLOCK_MS)
    answer(telemetry, telemetry.wish(START))
    send(telemetry, historical=False, taken=False)
    telemetry.disconnected()

    assert 0 == telemetry.cursor()
    assert ReadingsWish(0, 85 * BLOCK_MS, LATE_BLOCKS, historical=True) == telemetry.wish(START)


def test_what_was_refused_goes_again_as_soon_as_it_is_allowed() -> None:
    """C14: the access list was corrected while the connection stood: nothing waits for the next one."""
    telemetry = made()
    telemetry.grown(5)
    answer(telemetry, telemetry.wish(START))
    send(telemetry, historical=False, taken=False)
    telemetry.grown(6)
    answer(telemetry, telemetry.wish(START))
    send(telemetry, historical=False)
    telemetry.again()
    wish = telemetry.wish(START)

    assert ReadingsWish(0, 6, LATE_BLOCKS, historical=True) == wish

    answer(telemetry, wish)
    send(telemetry, historical=True)

    assert 6 == telemetry.cursor()


ACTS = st.sampled_from(["grow", "grow much", "go", "go", "ask", "answer", "send", "take", "refuse", "lose", "again"])


@given(st.lists(ACTS, min_size=10, max_size=60))
def test_the_cursor_passes_nothing_that_was_not_taken(acts: list[str]) -> None:
    """C5, C14: whatever is refused, lost or asked again in whatever order, no block is passed over in silence."""
    telemetry, newest = made(), 0  # counted in blocks
    asked: list[ReadingsWish] = []
    under_way: list[tuple[Parcel, Below]] = []
    taken: set[int] = set()
    for act in acts:
        match act:
            case "grow" | "grow much":
                newest += 3 if act == "grow" else 3 * LIVE_BLOCKS
                telemetry.grown(newest * BLOCK_MS)
            case "ask" if (wish := telemetry.wish(START)) is not None:
                asked.append(wish)
            case "answer" if asked:
                answer(telemetry, asked.pop(0))
            case "go" | "send":
                if act == "go" and (wish := telemetry.wish(START)) is not None:
                    answer(telemetry, wish)
                found = telemetry.next(historical=False) or telemetry.next(historical=True)
                under_way += [found] if found is not None else []
            case "take" | "refuse" if under_way:
                parcel, _ = under_way.pop(0)
                telemetry.acked(parcel, taken=act == "take")
                low, high = (place // BLOCK_MS for place in parcel.range)
                taken |= set(range(low + 1, high + 1)) if act == "take" else set()
            case "lose":
                telemetry.disconnected()
                under_way.clear()
            case "again":
                telemetry.again()
        passed = telemetry.cursor()

        assert passed is not None
        assert set(range(1, passed // BLOCK_MS + 1)) <= taken


def test_an_unreadable_journal_is_asked_again() -> None:
    """A card that does not answer costs time, not readings; late answers of another connection are dropped."""
    telemetry = made()
    telemetry.grown(3)
    wish = telemetry.wish(START)
    assert wish is not None
    telemetry.grown(100)
    telemetry.not_filled(wish)

    assert telemetry.wish(START) == wish._replace(high=100)

    telemetry.disconnected()
    telemetry.fill(wish, 3, [Below("t", b"late")], 1)

    assert telemetry.next(historical=False) is None


def test_empty_ranges_are_passed_over() -> None:
    """Blocks that retention has removed leave nothing to send."""
    telemetry = made()
    telemetry.grown(3)
    wish = telemetry.wish(START)
    assert wish is not None
    telemetry.fill(wish, 3, [], 0)

    assert telemetry.cursor() == 3
