"""Modbus frames against the documents, against pymodbus's own encoders and against libmodbus as a master."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import threading
import tty
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU, bit_message, register_message

from drivers import modbus
from drivers.errors import BadChecksum, BadFrame, DeviceError, DeviceFault
from drivers.frames import Scanner

FRAMER = FramerRTU(DecodePDU(is_server=False))
units = st.integers(1, 254)
addresses = st.integers(0, 0xFFFF)
words = st.integers(0, 0xFFFF)


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize(
    ("ours", "documented"),
    [
        (modbus.read(1, 3, 0, 1), "01 03 00 00 00 01 84 0a"),  # RS-ZS-N01 manual
        (modbus.read(1, 3, 0, 2), "01 03 00 00 00 02 c4 0b"),  # RS-WS-N01 manual
        (modbus.read(1, 4, 1, 2), "01 04 00 01 00 02 20 0b"),  # XY-MD02 manual
        (modbus.read(0xFE, 4, 0, 4), "fe 04 00 00 00 04 e5 c6"),  # Senseair S8
        (modbus.read(0xFE, 4, 3, 1), "fe 04 00 03 00 01 d5 c5"),
        (modbus.read(0x61, 3, 0x28, 6), "61 03 00 28 00 06 4c 60"),  # SCD30
        (modbus.write_register(1, 0x07D0, 2), "01 06 07 d0 00 02 08 86"),  # RS-ZS-N01: address 2
        (modbus.write_register(1, 0x07D1, 2), "01 06 07 d1 00 02 59 46"),  # RS-ZS-N01: 9600 baud
        (modbus.write_register(0xFE, 0x1F, 0), "fe 06 00 1f 00 00 ac 03"),  # S8: background calibration off
        (modbus.write_register(0x50, 0x69, 0xB588), "50 06 00 69 b5 88 22 a1"),  # WTVB01: unlock
        (modbus.write_register(0x50, 0, 0), "50 06 00 00 00 00 84 4b"),  # WTVB01: save
        (modbus.write_coil(17, 172, True), "11 05 00 ac ff 00 4e 8b"),  # Modbus over Serial Line, worked examples
        (modbus.write_registers(17, 1, [10, 258]), "11 10 00 01 00 02 04 00 0a 01 02 c6 f0"),
        (modbus.write_coils(17, 19, [c == "1" for c in "1011001110"]), "11 0f 00 13 00 0a 02 cd 01 bf 0b"),
    ],
)
def test_documented_requests(ours: bytes, documented: str) -> None:
    """What we send is what the manuals print."""

    assert documented == ours.hex(" ")


@given(unit=units, function=st.sampled_from((1, 2, 3, 4)), start=addresses, count=st.integers(1, 125))
def test_read_requests_are_those_of_pymodbus(unit: int, function: int, start: int, count: int) -> None:
    """Reads of every kind, at every address."""
    kinds = {
        1: bit_message.ReadCoilsRequest,
        2: bit_message.ReadDiscreteInputsRequest,
        3: register_message.ReadHoldingRegistersRequest,
        4: register_message.ReadInputRegistersRequest,
    }
    count = min(count, 0x10000 - start)

    assert theirs(kinds[function](dev_id=unit, address=start, count=count)) == modbus.read(unit, function, start, count)


@given(
    unit=units,
    start=addresses,
    values=st.lists(words, min_size=1, max_size=123),
    on=st.lists(st.booleans(), min_size=1),
)
def test_writes_are_those_of_pymodbus(unit: int, start: int, values: list[int], on: list[bool]) -> None:
    """Writes of one and of many, registers and coils; and the replies that we accept are those it builds."""
    one, many = register_message.WriteSingleRegisterRequest, register_message.WriteMultipleRegistersRequest
    coil, coils = bit_message.WriteSingleCoilRequest, bit_message.WriteMultipleCoilsRequest
    pairs = (
        (theirs(one(dev_id=unit, address=start, registers=values[:1])), modbus.write_register(unit, start, values[0])),
        (theirs(many(dev_id=unit, address=start, registers=values)), modbus.write_registers(unit, start, values)),
        (theirs(coil(dev_id=unit, address=start, bits=on[:1])), modbus.write_coil(unit, start, on[0])),
        (theirs(coils(dev_id=unit, address=start, bits=on)), modbus.write_coils(unit, start, on)),
    )
    for expected, actual in pairs:
        assert expected == actual

    done = theirs(register_message.WriteMultipleRegistersResponse(dev_id=unit, address=start, count=len(values)))
    assert done == modbus.answer(pairs[1][1], b"")
    assert modbus.parse(pairs[1][1], done) == done[2:-2]


@given(unit=units, function=st.sampled_from((3, 4)), start=addresses, values=st.lists(words, min_size=1, max_size=125))
def test_replies_of_pymodbus_are_read(unit: int, function: int, start: int, values: list[int]) -> None:
    """Registers that pymodbus sends arrive as they are."""
    kinds = {3: register_message.ReadHoldingRegistersResponse, 4: register_message.ReadInputRegistersResponse}
    request = modbus.read(unit, function, min(start, 0x10000 - len(values)), len(values))
    reply = theirs(kinds[function](dev_id=unit, registers=values))

    assert len(reply) == modbus.reply(request)(reply)
    assert tuple(values) == modbus.registers(request, reply)


@given(unit=units, function=st.sampled_from((1, 2)), bits=st.lists(st.booleans(), min_size=1, max_size=200))
def test_bits_of_pymodbus_are_read(unit: int, function: int, bits: list[bool]) -> None:
    """Coils and inputs that pymodbus packs are packed as we pack them."""
    kinds = {1: bit_message.ReadCoilsResponse, 2: bit_message.ReadDiscreteInputsResponse}
    request = modbus.read(unit, function, 0, len(bits))
    reply = theirs(kinds[function](dev_id=unit, bits=bits))

    assert modbus.answer(request, modbus.pack_bits(bits)) == reply
    assert modbus.pack_bits(bits) == modbus.parse(request, reply)


@pytest.mark.parametrize("code", sorted(modbus.EXCEPTIONS))
def test_an_exception_is_a_good_frame_with_a_meaning(code: int) -> None:
    """A device that says why it cannot is answered for by DeviceFault, not by a bad frame."""
    request = modbus.read(1, 3, 0, 1)
    reply = theirs(ExceptionResponse(3, code, device_id=1))

    assert modbus.exception(request, code) == reply
    assert len(reply) == modbus.reply(request)(reply)
    with pytest.raises(DeviceFault, match=f"exception {code}: {modbus.EXCEPTIONS[code]}"):
        modbus.parse(request, reply)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("01 03 02 02 14 b9 2c", BadChecksum),
        ("02 03 02 02 14 fd 2b", BadFrame),  # another unit
        ("01 04 02 02 14 b8 5f", BadFrame),  # another function
        ("01 03 04 02 14 00 00 fa 67", BadFrame),  # another count
        ("01 03 02 02 14 b9 2b 00", BadFrame),  # one byte too many
        ("01 03 02 02", BadFrame),  # cut off
        ("", BadFrame),
        ("01 03 00 00 00 01 84 0a", BadFrame),  # the request, come back
        ("01 83 02 c0 f0", BadChecksum),
        ("01 84 02 c2 c1", BadFrame),  # an exception to another function
    ],
)
def test_what_is_no_reply(reply: str, error: type[DeviceError]) -> None:
    """Anything but the whole reply to this request is refused, by its kind (B5)."""
    with pytest.raises(error):
        modbus.parse(modbus.read(1, 3, 0, 1), hexed(reply))


def test_a_late_reply_of_the_same_unit_and_another_length_is_stepped_over() -> None:
    """B2: what was asked before is not taken for what is asked now."""
    late, wanted = hexed("01 03 04 02 92 ff 9b 5a 3d"), hexed("01 03 02 02 14 b9 2b")
    scanner = Scanner(modbus.reply(modbus.read(1, 3, 0, 1)))

    assert [wanted] == scanner.feed(late + wanted)
    assert len(late) == scanner.dropped


def test_a_write_is_confirmed_by_its_own_bytes() -> None:
    """Functions 5 and 6 echo: the same bytes are the reply, and one other value is none."""
    request = modbus.write_register(1, 0x07D0, 2)

    assert request == modbus.answer(request, b"")
    assert request[2:-2] == modbus.parse(request, request)
    with pytest.raises(BadFrame):
        modbus.parse(request, modbus.write_register(1, 0x07D0, 3))


@pytest.mark.parametrize(
    "build",
    [
        lambda: modbus.read(1, 3, 0, 0),
        lambda: modbus.read(1, 3, 0, 126),
        lambda: modbus.read(1, 3, 0xFFFF, 2),
        lambda: modbus.read(1, 5, 0, 1),
        lambda: modbus.read(1, 1, 0, 2001),
        lambda: modbus.write_registers(1, 0, []),
        lambda: modbus.write_coils(1, 0, []),
        lambda: modbus.reply(b"\x01\x2b\x0e\x01\x00\x70\x77"),
    ],
)
def test_requests_that_modbus_does_not_know(build: Callable[[], object]) -> None:
    """A request that no device could answer is our mistake, said at once."""
    with pytest.raises(ValueError, match=r"cannot|function"):
        build()


# ---- libmodbus, the other independent truth ---------------------------------------------------------------------


@pytest.fixture
def master() -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p, int]]:
    """libmodbus as a master on one end of a pseudo-terminal; the other end is ours."""
    path = ctypes.util.find_library("modbus")
    if path is None:
        pytest.skip("libmodbus is not installed (apt install libmodbus-dev)")
    library = ctypes.CDLL(path, use_errno=True)
    library.modbus_new_rtu.restype = ctypes.c_void_p
    ours, its = os.openpty()
    tty.setraw(ours)
    context = ctypes.c_void_p(library.modbus_new_rtu(os.ttyname(its).encode(), 9600, ctypes.c_char(b"N"), 8, 1))
    library.modbus_set_slave(context, 17)
    assert library.modbus_connect(context) == 0
    yield library, context, ours
    library.modbus_close(context)
    library.modbus_free(context)
    os.close(ours)
    os.close(its)


def played(ours: int, size: int, answer: Callable[[bytes], bytes]) -> tuple[threading.Thread, list[bytes]]:
    """Answers one request of `size` bytes, and keeps it."""
    seen: list[bytes] = []

    def slave() -> None:
        request = b""
        while len(request) < size:
            request += os.read(ours, size - len(request))
        seen.append(request)
        os.write(ours, answer(request))

    thread = threading.Thread(target=slave, daemon=True)
    thread.start()
    return thread, seen


@pytest.mark.parametrize(("function", "call"), [(3, "modbus_read_registers"), (4, "modbus_read_input_registers")])
def test_libmodbus_asks_as_we_do_and_takes_our_answers(
    master: tuple[ctypes.CDLL, ctypes.c_void_p, int], function: int, call: str
) -> None:
    """Requests are byte for byte those of libmodbus, and our slave side satisfies it."""
    library, context, ours = master
    values = (ctypes.c_uint16 * 3)()
    thread, seen = played(ours, 8, lambda request: modbus.answer(request, hexed("02 14 ff 9b 00 07")))
    count = getattr(library, call)(context, 500, 3, values)
    thread.join(5)

    assert count == 3
    assert list(values) == [0x0214, 0xFF9B, 7]
    assert [modbus.read(17, function, 500, 3)] == seen


def test_libmodbus_writes_as_we_do(master: tuple[ctypes.CDLL, ctypes.c_void_p, int]) -> None:
    """Functions 6 and 16, requests and confirmations."""
    library, context, ours = master
    thread, seen = played(ours, 8, lambda request: modbus.answer(request, b""))
    assert library.modbus_write_register(context, 0x07D0, ctypes.c_uint16(2)) == 1
    thread.join(5)
    many, seen_many = played(ours, 13, lambda request: modbus.answer(request, b""))
    assert library.modbus_write_registers(context, 1, 2, (ctypes.c_uint16 * 2)(10, 258)) == 2
    many.join(5)

    assert [modbus.write_register(17, 0x07D0, 2)] == seen
    assert [modbus.write_registers(17, 1, [10, 258])] == seen_many


def test_libmodbus_understands_our_exceptions(master: tuple[ctypes.CDLL, ctypes.c_void_p, int]) -> None:
    """The simulator's "busy" is a real one."""
    library, context, ours = master
    thread, _ = played(ours, 8, lambda request: modbus.exception(request, 6))
    count = library.modbus_read_registers(context, 0, 1, (ctypes.c_uint16 * 1)())
    thread.join(5)

    assert count == -1
    assert ctypes.get_errno() == 112345678 + 6  # EMBXSBUSY


def theirs(message: ModbusPDU) -> bytes:
    return FRAMER.buildFrame(message)
