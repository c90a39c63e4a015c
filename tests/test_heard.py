"""What a report keeps of a meter's minutes: the same figures as all minutes together, without what does not count."""

from __future__ import annotations

from drivers.base import Quality
from gateway.environment import noise
from gateway.environment.calibration import Book, Check
from gateway.environment.minute_maker import MinuteMaker
from gateway.environment.minutes import Minute, decode, encode
from gateway.environment.noise import figures
from gateway.environment.noise_events import NoiseEvent
from gateway.environment.periods import PeriodSpan
from gateway.moment import NANO, ClockState, Moment
from gateway.reports.heard import MOST_EVENTS, Aside, Heard
from gateway.values import Reading

START_S = 1_780_794_000  # 2026-06-07T09:00:00+08:00


def minutes(count: int) -> list[Minute]:
    """Twenty samples a minute, as they come back from the card."""
    maker = MinuteMaker({"gate": 3.0})
    for at_s in range(START_S, START_S + count * 60, 3):
        maker.add(Reading("gate/laf", 40.0 + at_s % 37, Quality.GOOD, Moment(at_s * NANO, at_s * NANO)))
    end_s = START_S + count * 60 + 3
    return decode(encode(maker.close(Moment(end_s * NANO, end_s * NANO))))


def heard(found: list[Minute], spans: list[PeriodSpan], *aside: Aside) -> Heard:
    made = Heard(spans, aside)
    for minute in found:
        made.add("laf", minute)
    return made


def test_any_window_has_the_figures_of_its_minutes() -> None:
    """Running sums and stretches give what adding up the minutes of the window gives; a gap is due."""
    found = [m for m in minutes(120) if not START_S + 1200 <= m.start_s < START_S + 1500]
    spans = [PeriodSpan(START_S + 5400, START_S + 600, "session"), PeriodSpan(START_S + 7200, START_S + 3600, "hour")]
    made = heard(found, spans)
    track = made.tracks["laf"]
    for span in spans:
        own = figures((m for m in found if span.has(m.start_s)), span.minutes)
        part = made.figures(span, span.minutes)

        assert own.record() | {"events": None} == part.record() | {"events": None}
        assert (own.laeq, own.level.high) == (track.laeq(*_times(span)), track.high(*_times(span)))
        assert round(own.valid, 4) == round(track.valid(*_times(span)), 4)


def _times(span: PeriodSpan) -> tuple[int, int]:
    return span.start_s, span.end_s


def test_a_day_has_the_hours_of_its_minutes() -> None:
    """Ld of a report is the one that the records carry: accepted hours, each counting the same."""
    found = [m for m in minutes(300) if not START_S + 3600 <= m.start_s < START_S + 5400]
    span = PeriodSpan(START_S + 5 * 3600, START_S, "day")

    assert noise.hours(found, *_times(span), 3, 0.75) == heard(found, [span]).hours(span, 3, 0.75)
    assert 4 == heard(found, [span]).hours(span, 3, 0.75).accepted


def test_what_lies_between_checks_that_differ_is_void() -> None:
    """A difference over 0.5 dB voids the period between, and nothing else; the reason stays beside the minutes."""
    checks = [(START_S, 94.0), (START_S + 600, 93.0), (START_S + 1800, 93.2)]
    book = Book(Check("gate", at_s, level) for at_s, level in checks)
    made = heard(minutes(40), [], Aside("calibration-void", book.void("gate")))
    whole = made.figures(None, 40)

    assert None is made.tracks["laf"].laeq(START_S, START_S + 600)
    assert 1.0 == made.tracks["laf"].valid(START_S + 600, START_S + 1800)
    assert ({"calibration-void": 200}, 600) == (dict(whole.equivalent.set_aside), whole.equivalent.n)


def test_single_noises_are_counted_once_and_the_loudest_are_kept() -> None:
    """An event that a restart found twice is one; a window counts those that were over in it, as records do."""

    def with_event(number: int, *, again: bool = False) -> Minute:
        begun_ms = (START_S + number * 60) * 1000
        event = NoiseEvent(begun_ms, 1.0, 60.0 + number, 60.0, 60.0, 45.0, "impulse")
        start_s = START_S + (number + again) * 60
        return Minute("gate/laf", start_s, 1, 1, 1, 1.0, 1.0, 1.0, {100: 1}, {}, ClockState.FLOOR, (event,))

    found = [with_event(n) for n in range(40)] + [with_event(39, again=True)]
    track = heard(found, []).tracks["laf"]

    assert {"impulse": 40} == track.events(START_S, START_S + 2400)
    assert {"impulse": 10} == track.events(START_S, START_S + 600)
    assert [60.0 + n for n in range(40 - MOST_EVENTS, 40)] == [event.lmax for event in track.loudest()]
    assert 41 == track.unset(START_S, START_S + 2460) == track.recorded(START_S, START_S + 2460)
