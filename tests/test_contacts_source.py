"""Contacts through gpiozero's mock pins: every edge is told, faults are told, lamps follow their pattern."""

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gpiozero import InputDevice
from gpiozero.pins.mock import MockFactory, MockPin

from drivers.contact import ContactFilter, ContactState
from gateway.configuration.config import Contact
from gateway.contacts.lamp import BUZZER, PATTERNS, LampStep, beat
from gateway.moment import SystemClock
from gateway.sources.contacts import EDGES_PER_S, Contacts
from gateway.sources.pins import PinTrouble, choose_chip, read_chips, real_backend
from gateway.values import ContactFault, Edge

MS = 1_000_000


def one_wire(contact: Contact) -> Contact:
    """The same with one wire."""
    return contact.model_copy(update={"pin_other": None})


class HeldPin(MockPin):
    """A mock pin with a wire on it: setting the pull does not move it, unlike MockPin's."""

    held: bool | None = None

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        if self.held is not None:
            self._state = self.held


class Bench:
    """Contacts running in a thread, with what they told."""

    def __init__(
        self,
        contacts: dict[str, Contact],
        factory: MockFactory | None,
        *,
        simulate: bool = True,
        siren_pin: int | None = None,
    ) -> None:
        self.edges: list[Edge] = []
        self.all_told: list[Any] = []
        self.contacts = Contacts(
            contacts,
            self.edges.append,
            self.all_told.append,
            SystemClock(),
            factory,
            siren_pin=siren_pin,
            simulate=simulate,
        )
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.contacts.run, args=(self.stop,))

    @property
    def told(self) -> list[ContactFault]:
        """From the first trouble of each contact on."""
        troubled: set[str] = set()
        found = []
        for fault in list(self.all_told):
            troubled |= {fault.contact} if fault.error is not None else set()
            found += [fault] if fault.contact in troubled else []
        return found

    def until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> float:
        """Waits for the condition; the seconds it took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < timeout_s, (self.edges, self.told)
            threading.Event().wait(0.002)
        return time.monotonic() - began

    def state(self, contact: Contact, now_ns: int) -> tuple[ContactState, int]:
        """What the engine's filter makes of the edges so far: the state and the number of openings."""
        lines = 1 if contact.pin_other is None else 2
        safe = None if contact.safe is None else contact.safe == "high"
        judged = ContactFilter(safe, lines, round(contact.glitch * 1e9), round(contact.settle * 1e9))
        for edge in list(self.edges):
            judged.feed(edge.line, edge.level, edge.at.mono_ns, edge.source)
        changes = judged.advance(now_ns)
        return judged.state, sum(c.opening for c in changes)


@contextmanager
def running(bench: Bench) -> Iterator[Bench]:
    bench.thread.start()
    try:
        yield bench
    finally:
        bench.stop.set()
        bench.thread.join(2)

        assert not bench.thread.is_alive()


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    made = MockFactory(pin_class=HeldPin)
    yield made
    made.close()


BUTTON = Contact.model_validate({"kind": "leak", "pin": 27, "safe": "low"})
DOOR = Contact.model_validate({"kind": "seal", "pin": 17, "safe": "low", "pin_other": 18})
LIT_BUTTON = Contact.model_validate({"kind": "leak", "pin": 27, "safe": "low", "lamp_pin": 22, "buzzer_pin": 23})


@pytest.mark.parametrize(
    ("safe", "level", "expected"),
    [("low", False, ContactState.SAFE), ("low", True, ContactState.ACTIVE), ("high", False, ContactState.ACTIVE)],
)
def test_the_level_at_start_is_told_as_such(
    factory: MockFactory, safe: str, level: bool, expected: ContactState
) -> None:
    """A3: the level found at start is told with source start and makes a state, and no edge and no opening."""
    factory.pin(27).held = level
    contact = Contact.model_validate({"kind": "leak", "pin": 27, "safe": safe})
    with running(Bench({"leak-button": contact}, factory)) as bench:
        bench.until(lambda: bool(bench.edges))
        threading.Event().wait(0.12)

        assert [("leak-button", 0, level, "start")] == [(e.contact, e.line, e.level, e.source) for e in bench.edges]
        assert (expected, 0) == bench.state(contact, time.monotonic_ns())
        assert ("up" if safe == "low" else "down") == factory.pin(27).pull


def test_every_edge_is_told_with_its_own_time(factory: MockFactory) -> None:
    """A1: a short press followed at once by a real one: all four edges, in order, with their times."""
    factory.pin(27).held = False
    with running(Bench({"leak-button": BUTTON}, factory)) as bench:
        bench.until(lambda: bool(bench.edges))
        pin = factory.pin(27)
        for level, pause_s in ((True, 0.025), (False, 0.06), (True, 0.08), (False, 0.06)):
            (pin.drive_high if level else pin.drive_low)()
            threading.Event().wait(pause_s)
        told = [e for e in bench.edges if e.source == "edge"]

        assert [True, False, True, False] == [e.level for e in told]
        assert sorted(e.at.mono_ns for e in told) == [e.at.mono_ns for e in told]
        assert (ContactState.SAFE, 2) == bench.state(BUTTON, time.monotonic_ns())


def test_a_callback_that_comes_late_keeps_the_edge_s_time(factory: MockFactory) -> None:
    """A2: a press of 100 ms whose two edges are both called back 300 ms later is still 100 ms long."""
    factory.pin(27).held = False
    with running(Bench({"leak-button": BUTTON}, factory)) as bench:
        bench.until(lambda: bool(bench.edges))
        pin, pressed = factory.pin(27), time.monotonic()
        bench.until(lambda: time.monotonic() > pressed + 0.3)
        MockPin.__mro__[1]._call_when_changed(pin, pressed, 1)
        MockPin.__mro__[1]._call_when_changed(pin, pressed + 0.1, 0)
        rise, fall = [e for e in bench.edges if e.source == "edge"]

        assert 100 == pytest.approx((fall.at.mono_ns - rise.at.mono_ns) / MS, abs=5)
        assert (ContactState.SAFE, 1) == bench.state(BUTTON, time.monotonic_ns())


def test_a_level_without_an_edge_is_found_by_the_poll(factory: MockFactory) -> None:
    """A2: the level changes and no edge is delivered: it is told, and accepted, within 200 ms on a free machine."""
    factory.pin(27).held = False
    with running(Bench({"leak-button": BUTTON}, factory)) as bench:
        bench.until(lambda: bool(bench.edges))
        took_s = []
        for level in (True, False, True):
            factory.pin(27)._state = level
            wanted = ContactState.ACTIVE if level else ContactState.SAFE
            took_s.append(bench.until(lambda w=wanted: bench.state(BUTTON, time.monotonic_ns())[0] is w))
            threading.Event().wait(0.12)

        assert min(took_s) < 0.2
        assert ["start", *["poll"] * 3] == [e.source for e in bench.edges]


def test_a_flood_of_edges_cannot_fill_the_memory(factory: MockFactory) -> None:
    """A7: of more edges in a second than any contact makes only so many are told; the level is still right after."""
    factory.pin(27).held = False
    with running(Bench({"leak-button": BUTTON}, factory)) as bench:
        bench.until(lambda: bool(bench.edges))
        pin = factory.pin(27)
        for _ in range(2 * EDGES_PER_S):
            pin.drive_high()
            pin.drive_low()
        pin.drive_high()
        bench.until(lambda: bench.state(BUTTON, time.monotonic_ns())[0] is ContactState.ACTIVE)

        assert len([e for e in bench.edges if e.source == "edge"]) <= 3 * EDGES_PER_S


def test_a_line_in_use_is_a_fault_and_is_tried_again(factory: MockFactory) -> None:
    """A5: one line is taken: the others start, the contact is told as faulty with the holder's name, then recovers."""
    factory.pin(27).held, factory.pin(18).held, factory.pin(17).held = False, True, False
    holder = InputDevice(18, pin_factory=factory)
    with running(Bench({"leak-button": BUTTON, "paper-room-door": DOOR}, factory)) as bench:
        bench.until(lambda: bool(bench.told))
        fault = bench.told[0]

        assert ("paper-room-door", (1,)) == (fault.contact, fault.lines)
        assert "18" in str(fault.error)
        assert "InputDevice" in str(fault.error)
        assert {("leak-button", 0), ("paper-room-door", 0)} == {(e.contact, e.line) for e in bench.edges}

        holder.close()
        bench.until(lambda: len(bench.told) > 1)

        assert (None, ()) == (bench.told[1].error, bench.told[1].lines)
        assert (2, "start") == (len([e for e in bench.edges if e.contact != "leak-button"]), bench.edges[-1].source)


def test_a_line_that_fails_while_running_is_told_and_claimed_again(factory: MockFactory) -> None:
    """A5: a pin that can no longer be read is a fault at once, and is back when it can be read again."""
    factory.pin(27).held = False
    pin, broken = factory.pin(27), threading.Event()
    healthy = pin._get_state

    def state() -> bool:
        if broken.is_set():
            raise OSError(5, "Input/output error")
        return bool(healthy())

    pin._get_state = state
    with running(Bench({"leak-button": BUTTON}, factory)) as bench:
        bench.until(lambda: bool(bench.edges))
        broken.set()
        bench.until(lambda: bool(bench.told))
        broken.clear()
        bench.until(lambda: len(bench.told) > 1)

        assert ["Input/output error" in str(bench.told[0].error), None] == [True, bench.told[1].error]
        assert (0,) == bench.told[0].lines
        assert ["start", "start"] == [e.source for e in bench.edges]


@pytest.mark.parametrize("when", ["claimed", "running"])
def test_a_pin_that_raises_what_nobody_expects_is_that_contact_s_fault(factory: MockFactory, when: str) -> None:
    """A5, B10: whatever a library raises for one contact, the others are watched, and it is tried again."""
    sick = threading.Event()

    class Sick(HeldPin):
        def _get_state(self) -> bool:
            if sick.is_set():
                raise RuntimeError("out of nowhere")
            return bool(super()._get_state())

    factory.pin(17, pin_class=Sick)
    if when == "claimed":
        sick.set()
    with running(Bench({"paper-room-door": one_wire(DOOR), "leak-button": BUTTON}, factory)) as bench:
        bench.until(lambda: any(edge.contact == "leak-button" for edge in bench.edges))
        sick.set()
        bench.until(lambda: bool(bench.told))
        factory.pin(27).drive_high() if factory.pin(27).state == 0 else factory.pin(27).drive_low()
        bench.until(lambda: sum(edge.contact == "leak-button" for edge in bench.edges) > 1)
        sick.clear()
        bench.until(lambda: bench.told[-1].error is None)

    assert [("paper-room-door", (0,)), ("paper-room-door", ())] == [(each.contact, each.lines) for each in bench.told]
    assert "out of nowhere" in (bench.told[0].error or "")


def test_simulated_pins_are_refused_in_earnest(factory: MockFactory) -> None:
    """A4: mock pins without a simulation are a fault of every contact, and no level of theirs is ever told."""
    with running(Bench({"leak-button": BUTTON, "paper-room-door": DOOR}, factory, simulate=False)) as bench:
        bench.until(lambda: len(bench.told) == 2)
        threading.Event().wait(0.1)

        assert {("leak-button", (0,)), ("paper-room-door", (0, 1))} == {(f.contact, f.lines) for f in bench.told}
        assert all("simulated" in str(f.error) for f in bench.told)
        assert [] == bench.edges
        assert bench.contacts.backend is None


def test_a_board_without_pins_is_a_fault_and_no_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A4: without a usable chip, whatever the environment says, every contact is faulty and the source goes on."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    if Path("/dev/gpiochip0").exists():
        pytest.skip("this machine has pins")
    with running(Bench({"leak-button": BUTTON}, None)) as bench:
        bench.until(lambda: bool(bench.told))

        assert bench.thread.is_alive()
        assert "no GPIO chip" in str(bench.told[0].error)


PI_3 = {0: "pinctrl-bcm2835", 1: "brcmvirt-gpio", 2: "raspberrypi-exp-gpio"}
PI_4 = {0: "pinctrl-bcm2711", 1: "raspberrypi-exp-gpio"}
BRCMSTB = [f"gpio-brcmstb@107d5{n}" for n in ("08500", "08520", "17c00", "17c20")]


@pytest.mark.parametrize(
    ("board", "chips", "expected"),
    [
        ("Pi 3", PI_3, 0),
        ("Pi 3, numbered in another order", {0: "raspberrypi-exp-gpio", 1: "pinctrl-bcm2835"}, 1),
        ("Pi 4", PI_4, 0),
        ("Pi 5, kernel 6.6.31", dict(enumerate(BRCMSTB)) | {4: "pinctrl-rp1"}, 4),
        ("Pi 5, kernel 6.12", {0: "pinctrl-rp1"} | {10 + i: label for i, label in enumerate(BRCMSTB)}, 0),
        ("Pi 5, kernel 6.12, with the old number kept", {0: "pinctrl-rp1", 4: "pinctrl-rp1", 10: BRCMSTB[0]}, 0),
        ("not a Pi", {0: "INT34C5:00"}, None),
        ("none", {}, None),
    ],
)
def test_the_chip_is_found_by_its_label(board: str, chips: dict[int, str], expected: int | None) -> None:
    """A4: on each board and kernel the header's chip is chosen by label, and no other chip ever."""
    assert expected == choose_chip(chips)


def test_labels_come_from_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A4: the label is read from each chip's own answer; what is no chip or may not be opened is left out."""
    for name in ("gpiochip0", "gpiochip4", "gpiochipx", "gpiomem"):
        (tmp_path / name).touch()
    answers = iter([b"gpiochip0".ljust(32, b"\0") + b"gpio-brcmstb", b"gpiochip4".ljust(32, b"\0") + b"pinctrl-rp1"])

    def answer(_chip: int, _request: int, info: bytearray) -> None:
        text = next(answers)
        info[: len(text)] = text

    monkeypatch.setattr(fcntl, "ioctl", answer)

    assert {0: "gpio-brcmstb", 4: "pinctrl-rp1"} == read_chips(tmp_path)


def test_chips_that_may_not_be_opened_are_named(tmp_path: Path) -> None:
    """A4: the real cause is told, with what helps, instead of "no pin factory"."""
    (tmp_path / "gpiochip0").symlink_to(tmp_path / "gone")
    with pytest.raises(PinTrouble, match=r"gpiochip0 cannot be opened .*group gpio"):
        read_chips(tmp_path)


@pytest.mark.parametrize(("label", "expected"), [("INT34C5:00", "gpiochip0 (INT34C5:00)"), ("pinctrl-rp1", "gpio")])
def test_a_backend_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str, expected: str
) -> None:
    """A4: a foreign chip is named; a chip that cannot be used gives its real cause, never a lesser back end."""
    (tmp_path / "gpiochip0").touch()

    def answer(_chip: int, _request: int, info: bytearray) -> None:
        info[32 : 32 + len(label)] = label.encode()

    monkeypatch.setattr(fcntl, "ioctl", answer)
    monkeypatch.chdir(tmp_path)  # the library leaves a pipe where it works
    with pytest.raises(PinTrouble) as trouble:
        real_backend(tmp_path)

    assert expected in str(trouble.value)


def test_the_lamp_follows_the_step(factory: MockFactory) -> None:
    """The lamp by the button shows each step's pattern within a poll, the buzzer sounds only when asked to."""
    factory.pin(27).held = False
    with running(Bench({"leak-button": LIT_BUTTON}, factory)) as bench:
        bench.until(lambda: factory.pin(23).function == "output")
        lamp, buzzer = factory.pin(22), factory.pin(23)
        bench.contacts.show("leak-button", LampStep.ACKNOWLEDGED, buzzer=True)
        took_s = bench.until(lambda: bool(lamp.state and buzzer.state))
        bench.contacts.show("leak-button", LampStep.PRESSED, buzzer=False)
        bench.until(lambda: not buzzer.state)
        lamp.clear_states()
        threading.Event().wait(0.9)
        flashes = [s.state for s in lamp.states].count(True)

        assert took_s < 0.2
        assert 3 <= flashes <= 6

    assert [] == bench.told


def test_a_lamp_that_cannot_be_used_leaves_the_button_working(factory: MockFactory) -> None:
    """A5: a lamp's pin in use is a fault with no line lost, and the button's edges are told."""
    factory.pin(27).held = False
    holder = InputDevice(22, pin_factory=factory)
    with running(Bench({"leak-button": LIT_BUTTON}, factory)) as bench:
        bench.until(lambda: bool(bench.told))
        factory.pin(27).drive_high()

        assert () == bench.told[0].lines
        assert "22" in str(bench.told[0].error)
        assert [False, True] == [e.level for e in bench.edges]

    holder.close()


def test_a_run_after_a_run_claims_everything_again(factory: MockFactory) -> None:
    """A run that ends releases its pins, so that the next one, by the worker after a failure, gets them."""
    factory.pin(27).held = False
    for _ in range(2):
        with running(Bench({"leak-button": LIT_BUTTON}, factory)) as bench:
            bench.until(lambda: bool(bench.edges))
            threading.Event().wait(0.06)

            assert [] == bench.told


def test_no_two_steps_look_alike() -> None:
    """Each step has a pattern of its own, told apart within five seconds, and a meaning in words."""
    looks = {step: tuple(beat(p, t / 20)[0] for t in range(100)) for step, p in PATTERNS.items()}

    assert set(LampStep) == set(PATTERNS)
    assert len(PATTERNS) == len(set(looks.values()))
    assert all(p.meaning and all(length_s >= 0.1 for length_s in p.beats_s) for p in (*PATTERNS.values(), BUZZER))


@pytest.mark.parametrize(
    ("elapsed_s", "expected"),
    [(0, (True, 500)), (0.49, (True, 10)), (0.5, (False, 500)), (1.0, (True, 500)), (7.75, (False, 250))],
)
def test_a_pattern_begins_with_light_and_repeats(elapsed_s: float, expected: tuple[bool, int]) -> None:
    """Whether it is on, and for how many milliseconds more."""
    on, left_s = beat(PATTERNS[LampStep.STORED], elapsed_s)

    assert expected == (on, round(left_s * 1000))


def test_the_documented_lamp_is_the_lamp() -> None:
    """`docs/contacts.md` lists every step with its pattern and meaning, as the program shows it."""
    page = (Path(__file__).parent.parent / "docs" / "contacts.md").read_text(encoding="utf-8")
    rows = [
        f"| {step} | {', '.join(f'{beat:g}' for beat in p.beats_s)} | {p.meaning} |" for step, p in PATTERNS.items()
    ]

    assert rows == [line for line in page.splitlines() if line in rows]
    assert page.count(BUZZER.meaning.removeprefix("the ")) == 1
