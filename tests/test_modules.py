"""What is particular to the devices that are modules: requests, traps of each protocol, options, and the way back."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import drivers
from drivers import (
    _mh_z19,
    _nova,
    _plantower,
    _winsen,
    bme280,
    bswa_308,
    ccs811,
    dnms,
    ds18b20,
    gm1356,
    gy_mcu90614,
    gy_mcu90640,
    library,
    mlx90614,
    nsrt_mk3,
    nut,
    pms5003,
    sds011,
    sds198,
    sgp40,
    sps30,
    svantek,
    textline,
    ut353bt,
    ze03,
    ze08_ch2o,
    zh03b,
)
from drivers.base import Driver, Framing, Quality
from drivers.checks import crc8_dallas, sum16
from drivers.errors import BadChecksum, BadFrame, DeviceError, DeviceFault
from drivers.frames import Scanner

# ---- requests ---------------------------------------------------------------------------------------------------

DOCUMENTED = {
    "Plantower passive": (_plantower.PASSIVE, "42 4d e1 00 00 01 70"),
    "Plantower active": (_plantower.ACTIVE, "42 4d e1 00 01 01 71"),
    "Plantower read": (_plantower.READ, "42 4d e2 00 00 01 71"),
    "Plantower sleep": (_plantower.SLEEP, "42 4d e4 00 00 01 73"),
    "Plantower wake": (_plantower.WAKE, "42 4d e4 00 01 01 74"),
    "SDS011 asked": (_nova.REPORT_WHEN_ASKED, "aa b4 02 01 01 00 00 00 00 00 00 00 00 00 00 ff ff 02 ab"),
    "SDS011 ask": (_nova.ASK, "aa b4 04 00 00 00 00 00 00 00 00 00 00 00 00 ff ff 02 ab"),
    "SDS011 sleep": (_nova.SLEEP, "aa b4 06 01 00 00 00 00 00 00 00 00 00 00 00 ff ff 05 ab"),
    "SDS011 work": (_nova.WORK, "aa b4 06 01 01 00 00 00 00 00 00 00 00 00 00 ff ff 06 ab"),
    "SDS011 continuous": (_nova.period(0), "aa b4 08 01 00 00 00 00 00 00 00 00 00 00 00 ff ff 07 ab"),
    "SDS011 firmware": (_nova.FIRMWARE, "aa b4 07 00 00 00 00 00 00 00 00 00 00 00 00 ff ff 05 ab"),
    "Winsen read": (_winsen.READ, "ff 01 86 00 00 00 00 00 79"),
    "MH-Z19 self-calibration off": (_mh_z19.SELF_CALIBRATION["off"], "ff 01 79 00 00 00 00 00 86"),
    "MH-Z19 self-calibration on": (_mh_z19.SELF_CALIBRATION["on"], "ff 01 79 a0 00 00 00 00 e6"),
    "MH-Z19 to 5000 ppm": (_mh_z19.detection_range(5000), "ff 01 99 00 00 00 13 88 cb"),
    "MH-Z19 to 2000 ppm": (_mh_z19.detection_range(2000), "ff 01 99 00 00 00 07 d0 8f"),
    "ZH03B asked": (zh03b.WHEN_ASKED, "ff 01 78 41 00 00 00 00 46"),
    "ZH03B by itself": (zh03b.BY_ITSELF, "ff 01 78 40 00 00 00 00 47"),
    "ZH03B fan off": (zh03b.FAN_OFF, "ff 01 a7 01 00 00 00 00 57"),
    "ZH03B fan on": (zh03b.FAN_ON, "ff 01 a7 00 00 00 00 00 58"),
    "ZE08 asked": (ze08_ch2o.WHEN_ASKED, "ff 01 78 41 00 00 00 00 46"),
    "ZE03 asked": (ze03.WHEN_ASKED, "ff 01 78 04 00 00 00 00 83"),
    "ZE03 by itself": (ze03.BY_ITSELF, "ff 01 78 03 00 00 00 00 84"),
    "SPS30 start": (sps30.START_FLOAT, "7e 00 00 02 01 03 f9 7e"),
    "SPS30 stop": (sps30.command(sps30.STOP), "7e 00 01 00 fe 7e"),
    "SPS30 read": (sps30.command(sps30.READ), "7e 00 03 00 fc 7e"),
    "SPS30 fan cleaning": (sps30.CLEAN_FAN, "7e 00 56 00 a9 7e"),
    "SPS30 serial number": (sps30.READ_SERIAL, "7e 00 d0 01 03 2b 7e"),
    "SPS30 status": (sps30.READ_STATUS, "7e 00 d2 01 00 2c 7e"),
    "SGP40 measure": (sgp40.MEASURE, "26 0f 80 00 a2 66 66 93"),
    "BSWA screen": (bswa_308.command(1, "DMA1 ?"), "02 01 43 44 4d 41 31 20 3f 03 25 0d 0a"),
    "BSWA profile 1 to A, fast, level": (
        bswa_308.profile(1, 1, "A", "fast", bswa_308.LEVEL),
        "02 01 43 50 52 31 30 20 30 20 30 20 30 03 50 0d 0a",
    ),
    "BSWA three profiles": (bswa_308.command(1, "TPR1 ?"), "02 01 43 54 50 52 31 20 3f 03 3b 0d 0a"),
    "BSWA start": (bswa_308.command(1, "STA1"), "02 01 43 53 54 41 31 03 34 0d 0a"),
    "NSRT level": (nsrt_mk3.ask(nsrt_mk3.LEVEL, 4), "10 00 00 80 00 00 00 00 04 00 00 00"),
    "UT353BT slow": (ut353bt.SLOW, "aa bb 04 30 44 01 dd"),
    "UT353BT fast": (ut353bt.FAST, "aa bb 04 30 43 01 dc"),
    "GY-MCU once": (gy_mcu90614.ONCE, "a5 15 ba"),
    "GY-MCU continuous": (gy_mcu90614.CONTINUOUS, "a5 45 ea"),
    "GY-MCU by itself": (gy_mcu90614.AUTO_ON, "a5 51 f6"),
    "GY-MCU not by itself": (gy_mcu90614.AUTO_OFF, "a5 52 f7"),
    "GY-MCU 9600": (gy_mcu90614.SET_BAUD[9600], "a5 ae 53"),
    "GY-MCU 115200": (gy_mcu90614.SET_BAUD[115200], "a5 af 54"),
    "GY-MCU90640 once": (gy_mcu90640.ONCE, "a5 35 01 db"),
    "GY-MCU90640 continuous": (gy_mcu90640.CONTINUOUS, "a5 35 02 dc"),
    "GY-MCU90640 460800": (gy_mcu90640.command(0x15, gy_mcu90640.BAUDS[460800]), "a5 15 03 bd"),
    "GY-MCU90640 8 a second": (gy_mcu90640.command(0x25, gy_mcu90640.RATES[8.0]), "a5 25 04 ce"),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_is_sent_is_what_the_datasheet_prints(name: str) -> None:
    """Commands are built, not copied: each must come out as the printed frame."""
    built, printed = DOCUMENTED[name]

    assert printed == built.hex(" ")


def test_a_working_period_that_no_sensor_has() -> None:
    """A period of 31 minutes would put a sensor to sleep in an unknown way."""
    with pytest.raises(ValueError, match="0 to 30"):
        _nova.period(31)


# ---- streams ----------------------------------------------------------------------------------------------------


def pms(pm1: int, pm2_5: int, pm10: int, last: int = 0x9100) -> bytes:
    data = struct.pack(">2s14H", b"BM", 28, pm1, pm2_5, pm10, pm1, pm2_5, pm10, 0, 0, 0, 0, 0, 0, last)
    return data + sum16(data)


def test_a_frame_after_a_stray_42_is_not_lost() -> None:
    """An idle frame ends in 42, so 42 42 4D stands at each boundary: the reader drops one byte, not two."""
    idle = next(frame for last in range(0x10000) if (frame := pms(0, 0, 0, last))[-1] == 0x42)
    busy = pms(9, 11, 12)
    scanner = Scanner(pms5003.DRIVER.reads[0].frame)

    assert [busy] == scanner.feed(b"\x42" + busy)
    assert [idle, busy, busy] == scanner.feed(idle[-2:] + idle + busy + b"\x42" + busy)


def test_a_mode_answer_is_stepped_over() -> None:
    """Plantower's answer to a mode command begins like data and is none."""
    answer = b"\x42\x4d\x00\x04\xe1\x01"
    answer += sum16(answer)
    data = pms(9, 11, 12)

    assert [data] == Scanner(pms5003.DRIVER.reads[0].frame).feed(answer + data)


@pytest.mark.parametrize("module", [sds011, sds198])
def test_a_nova_answer_is_never_dust(module: Any) -> None:
    """AA C5 is as long as data, with the same sum and tail: the answer to `work` must not become 25.7 ug/m3."""
    answer = bytes.fromhex("aa c5 06 01 01 00 a1 60 09 ab")
    (data,) = module.encode({"pm2_5": 12.0, "pm10": 15.0, "pm100": 40})

    with pytest.raises(BadFrame):
        module.decode((answer,))
    assert [data, data] == Scanner(module.frame).feed(data + answer + data)


def test_settings_of_a_gy_module_are_stepped_over() -> None:
    """Frames of type 25 (emissivity) and 35 (offset) share the head with temperatures."""
    (data,) = gy_mcu90614.encode({"object_temperature": 36.5, "ambient_temperature": 24.0})
    other = b"\x5a\x5a\x25\x01\x5f"
    other += bytes((sum(other) & 0xFF,))

    assert [data] == Scanner(gy_mcu90614.frame).feed(other + data)


def test_a_longer_first_notification_is_stepped_over() -> None:
    """The first notification of a UT353BT may have 26 bytes; the next is found behind it."""
    (data,) = ut353bt.encode({"laf": 54.7})
    first = b"\xaa\xbb\x17\x01\x3b" + bytes(21)

    assert [data] == Scanner(ut353bt.frame).feed(first + data)


SHORT = struct.pack(">2s10H", b"BM", 20, 9, 13, 12, 9, 13, 12, 0, 0, 0)
MISREAD = {
    "pms5003": pms(20, 11, 12),
    "sds011": _nova.build(sds011.KIND, 300, 120),
    "pms3003": SHORT + sum16(SHORT),
    "zh03b": SHORT + sum16(SHORT),
    "sps30": sps30.pack(0, sps30.READ, 0, 40, *struct.pack(">10f", 9, 8, 10, 12, 1, 1, 1, 1, 1, 1)),
}


@pytest.mark.parametrize("name", MISREAD)
def test_a_smaller_fraction_above_a_larger_one_is_a_misread_frame(name: str) -> None:
    """PM1 <= PM2.5 <= PM10 always: where the check fits and the order does not, the bytes are not what they seem."""
    with pytest.raises(BadFrame, match="smaller fraction"):
        library.find(name).decode((MISREAD[name],))


def test_zh03b_asked_keeps_the_order_too() -> None:
    """Its answer says PM2.5, PM10, PM1: read in the usual order it would not pass."""
    asked = zh03b.at(None, {"mode": "asked"})

    with pytest.raises(BadFrame, match="smaller fraction"):
        asked.decode((_winsen.block(0x86, 0, 101, 0, 133, 0, 150),))


@pytest.mark.parametrize("name", ["pms5003", "sds011", "zh03b", "sps30"])
def test_a_simulated_sensor_keeps_the_order(name: str) -> None:
    """Whatever fractions a simulation asks for, PM2.5 is said as asked and the others never break the order."""
    driver = library.find(name)
    assert driver.encode is not None
    found = {m.name: m.value for m in driver.decode(driver.encode({"pm1": 90.0, "pm2_5": 80.0, "pm10": 30.0}))}

    assert [80, 80] == [found["pm2_5"], found["pm10"]]


@given(st.lists(st.integers(0, 255), min_size=4, max_size=44))
def test_stuffing_is_undone(body: list[int]) -> None:
    """SHDLC: whatever stands between the flags comes back, and no flag, 11 or 13 is sent among it."""
    data = [0, sps30.READ, 0, len(body), *body]
    packed = sps30.pack(*data)

    assert bytes(data) == sps30.unpack(packed)
    assert not set(packed[1:-1]) & {0x7E, 0x11, 0x13}


@pytest.mark.parametrize(("state", "words"), sps30.ERRORS.items())
def test_an_sps30_says_what_it_cannot(state: int, words: str) -> None:
    """The state byte's errors are named, for whoever must act."""
    with pytest.raises(DeviceFault, match=words):
        sps30.decode((sps30.pack(0, sps30.READ, state, 0),))


# ---- values that are none ---------------------------------------------------------------------------------------


def w1(shown: str, crc: str, verdict: str, again: str, t: int) -> tuple[bytes, ...]:
    return (f"{shown} : crc={crc} {verdict}\n{again} t={t}\n".encode(),)


ROOM = "72 01 4b 46 7f ff 0e 10 57"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (w1(ROOM, "57", "NO", ROOM, 23125), BadChecksum),
        (w1("ff ff ff ff ff ff ff ff ff", "c9", "NO", "ff ff ff ff ff ff ff ff ff", -62), BadChecksum),
        (w1(ROOM, "58", "YES", ROOM, 23125), BadChecksum),
        (w1("73 01 4b 46 7f ff 0e 10 57", "57", "YES", "73 01 4b 46 7f ff 0e 10 57", 23187), BadChecksum),
        (w1(ROOM, "57", "YES", ROOM, 85000), BadFrame),
        (w1(ROOM, "57", "YES", "73 01 4b 46 7f ff 0e 10 57", 23125), BadFrame),
        (w1("00 00 00 00 00 00 00 00 00", "00", "YES", "00 00 00 00 00 00 00 00 00", 0), DeviceFault),
        ((b"",), BadFrame),
        ((b"YES t=23125\n",), BadFrame),
        ((b"\n\n\n",), BadFrame),
        ((b"x" * 5000,), BadFrame),
    ],
)
def test_a_w1_text_that_is_not_a_temperature(text: tuple[bytes, ...], error: type[DeviceError]) -> None:
    """DS18B20: NO, a wrong CRC, lines that disagree, a shorted line: none of them is a temperature, and none is 0."""
    with pytest.raises(error):
        ds18b20.decode(text)


def test_85_degrees_without_a_conversion() -> None:
    """The power-on value is told from a true 85 degC by byte 6 alone, and kept for the record."""
    pad = bytes.fromhex("50 05 4b 46 7f ff 0c 10 1c")
    assert crc8_dallas(pad[:8]) == pad[8]
    (power_on,) = ds18b20.decode(w1(pad.hex(" "), "1c", "YES", pad.hex(" "), 85000))
    (true,) = ds18b20.decode(ds18b20.encode({"temperature": 85.0}))

    assert (Quality.INVALID, 85.0) == (power_on.quality, power_on.value)
    assert (Quality.GOOD, 85.0) == (true.quality, true.value)


@pytest.mark.parametrize("address", [0x5B, 0x2A, 0x01])
def test_another_sensors_temperature_is_refused(address: int) -> None:
    """MLX90614: the address is in the PEC, so that two sensors on a bus cannot be mistaken for each other."""
    replies = mlx90614.encode(address, (mlx90614.OBJECT, mlx90614.ITSELF), {"object_temperature": 36.5})

    with pytest.raises(BadChecksum):
        mlx90614.DRIVER.decode(replies)


def test_an_open_smbus_is_no_heat() -> None:
    """FF FF FF, which unguarded drivers read as 1037.55 degC, has no valid PEC."""
    with pytest.raises(BadChecksum):
        mlx90614.DRIVER.decode((b"\xff\xff\xff", b"\xff\xff\xff"))


@pytest.mark.parametrize("co2", [5000, 5001, 0xFFFF, 0])
def test_an_mh_z19_at_its_end_says_nothing(co2: int) -> None:
    """0 after a brown-out and the range limit of a lost calibration are delivered as not good."""
    (found,) = library.find("mh_z19b").decode(_mh_z19.encode({"co2": co2}))

    assert found.quality is Quality.INVALID


def test_an_acknowledgement_is_no_level() -> None:
    """GM1356: a report that begins C4 acknowledges a setting; as a level it would be 5000 dB."""
    with pytest.raises(BadFrame):
        gm1356.decode((b"\xc4\x00\x00\x00\x00\x00\x00\x00",))


@pytest.mark.parametrize("code", [*nut.MEANINGS, "SOMETHING-NEW"])
def test_a_lost_supply_is_never_on_line(code: str) -> None:
    """NUT: `ERR DATA-STALE` and its like mean unknown: a DeviceFault that says what to do, and no value."""
    with pytest.raises(DeviceFault, match=nut.MEANINGS.get(code, code)):
        nut.DRIVER.decode((f"ERR {code}\n".encode(), b"ERR DATA-STALE\n"))


@pytest.mark.parametrize("status", ["", "OL OB", "WAIT", "CAL", "ol"])
def test_an_unclear_status_is_not_a_value(status: str) -> None:
    """Neither or both of OL and OB: it is not known whether the mains are there."""
    on_battery, low, charge = nut.DRIVER.decode(
        (f'VAR ups ups.status "{status}"\n'.encode(), b'VAR ups battery.charge "50"\n')
    )

    assert (Quality.INVALID, None) == (on_battery.quality, on_battery.value)
    assert Quality.INVALID is low.quality
    assert Quality.GOOD is charge.quality


def test_an_answer_for_another_supply_is_refused() -> None:
    """NUT: the name and the variable are part of the answer."""
    good = b'VAR ups battery.charge "50"\n'
    for status in (b'VAR other ups.status "OL"\n', b'VAR ups ups.load "OL"\n', b'VAR ups ups.status "OL\n'):
        with pytest.raises(BadFrame):
            nut.DRIVER.decode((status, good))


@pytest.mark.parametrize(
    "line", ["#2,1,S46.35,R43.91;", "#2,1,S46.35,S46.35,V0,v0;", "#2,1,S46.35,R43.91,V0,v0,P80.00;", "#2,1,;"]
)
def test_svantek_results_other_than_asked(line: str) -> None:
    """Missing, doubled or foreign results mean that the answer is not to this question."""
    with pytest.raises(BadFrame):
        svantek.DRIVER.decode((line.encode(),))


UT353BT = bytes.fromhex("aabb10013b") + b"  54.7dBA>4\0"
NOT_READINGS: list[tuple[str, tuple[bytes, ...]]] = [
    ("bswa_308", (b"\x02\x01A\x1b0,0\x03\x00\r\n",)),
    ("bswa_308", (b"\x02\x01A" + b"0" * 200,)),
    ("bswa_308", (bswa_308.block(1, bswa_308.ACKNOWLEDGED),)),
    ("max17048", (b"\xff\xff", b"\xff\xff")),
    ("nti_xl2", (b"46.7 dB, OK" + b" " * 60, b"45.0 dB, OK\n")),
    ("nut", (b"VAR ups " + b"x" * 300, b'VAR ups battery.charge "50"\n')),
    ("nut", (b"ERR VAR-NOT-SUPPORTED\n", b'VAR ups battery.charge "50"\n')),
    ("sps30", (b"\x7e\x00\x03" + bytes(120),)),
    ("sps30", (sps30.pack(0, sps30.READ, 0, 20, *bytes(20)),)),
    ("svantek", (b"#2,1,S46.35," + b"R" * 200,)),
    ("textline", (b"T= 36\x80.6 A= 25.1\r\n"[:19],)),
    ("textline", (b"T=\x00 6.6 A= 25.1\r\n",)),
    ("ut353bt", (UT353BT + sum16(UT353BT),)),
]


@pytest.mark.parametrize(("name", "replies"), NOT_READINGS)
def test_what_is_no_reading_is_refused(name: str, replies: tuple[bytes, ...]) -> None:
    """Lines without an end, control bytes, buses that nobody drives, integers where floats were asked for."""
    with pytest.raises(DeviceError):
        library.find(name).decode(replies)


@pytest.mark.parametrize(
    ("framing", "good", "other"),
    [(bme280.identity, b"\x60", b"\x58"), (ccs811.identity, b"\x81", b"\x00"), (nsrt_mk3.ack_frame, b"\x06", b"\x15")],
)
def test_the_first_byte_tells_whose_it_is(framing: Framing, good: bytes, other: bytes) -> None:
    """An identity register or an acknowledgement: one byte, and any other is refused."""
    assert [0, 1] == [framing(b""), framing(good)]
    with pytest.raises(BadFrame):
        framing(other)


def test_a_level_that_is_no_number() -> None:
    """DNMS: a float that is not a number, with valid CRCs, is INVALID and has no value."""
    ready, levels = dnms.encode({"lamin": float("nan")})[1:]
    found = {m.name: m for m in dnms.decode((b"", ready, levels))}

    assert (Quality.INVALID, None) == (found["lamin"].quality, found["lamin"].value)
    assert Quality.GOOD is found["laeq"].quality


# ---- the datasheet's arithmetic ---------------------------------------------------------------------------------


def integer_temperature(c: bme280.Calibration, raw: int) -> int:
    """The datasheet's formula in whole numbers: `t_fine`, 1/5120 degC."""
    first = (((raw >> 3) - (c.t1 << 1)) * c.t2) >> 11
    second = (((((raw >> 4) - c.t1) * ((raw >> 4) - c.t1)) >> 12) * c.t3) >> 14
    return first + second


def integer_pressure(c: bme280.Calibration, fine: int, raw: int) -> float:
    """The datasheet's formula in 64-bit whole numbers, hPa."""
    a = fine - 128000
    b = a * a * c.p6 + ((a * c.p5) << 17) + (c.p4 << 35)
    a = ((a * a * c.p3) >> 8) + ((a * c.p2) << 12)
    a = (((1 << 47) + a) * c.p1) >> 33
    p = (((1048576 - raw) << 31) - b) * 3125 // a
    p = (p + ((c.p9 * (p >> 13) * (p >> 13)) >> 25) + ((c.p8 * p) >> 19) >> 8) + (c.p7 << 4)
    return p / 25600


def integer_humidity(c: bme280.Calibration, fine: int, raw: int) -> float:
    """The datasheet's formula in 32-bit whole numbers, %RH."""
    v = fine - 76800
    slope = ((((v * c.h6) >> 10) * (((v * c.h3) >> 11) + 32768)) >> 10) + 2097152
    v = (((raw << 14) - (c.h4 << 20) - c.h5 * v + 16384) >> 15) * ((slope * c.h2 + 8192) >> 14)
    v -= (((v >> 15) * (v >> 15)) >> 7) * c.h1 >> 4
    return (min(max(v, 0), 419430400) >> 12) / 1024


def test_the_datasheets_worked_example() -> None:
    """BME280: raw 519888 and 415148 are 25.08 degC and 1006.53 hPa with the printed calibration."""
    fine = bme280.fine_temperature(bme280.EXAMPLE, 519888)

    assert 25.08 == round(fine / 5120, 2)
    assert 1006.53 == round(bme280.pressure(bme280.EXAMPLE, fine, 415148), 2)


@given(raw_t=st.integers(0x60000, 0x98000), raw_p=st.integers(0x40000, 0xA0000), raw_h=st.integers(0x5000, 0x9800))
def test_floating_and_whole_numbers_agree(raw_t: int, raw_p: int, raw_h: int) -> None:
    """BME280: both sets of formulas in the datasheet give the same values, to the last digit shown."""
    c = bme280.EXAMPLE
    fine, whole = bme280.fine_temperature(c, raw_t), integer_temperature(c, raw_t)

    assert whole / 5120 == pytest.approx(fine / 5120, abs=0.01)
    assert integer_pressure(c, whole, raw_p) == pytest.approx(bme280.pressure(c, fine, raw_p), abs=0.05)
    assert integer_humidity(c, whole, raw_h) == pytest.approx(bme280.humidity(c, fine, raw_h), abs=0.05)


def test_calibration_that_no_sensor_was_given() -> None:
    """BME280: a bus that nobody drives reads all ones or zeros; no value is computed from that."""
    first, second, data = bme280.encode({})
    for empty in (bytes(26), b"\xff" * 26):
        with pytest.raises(BadFrame):
            bme280.decode((empty, second, data))
    assert 3 == len(bme280.decode((first, second, data)))


def test_a_calibration_that_divides_by_zero() -> None:
    """BME280: where P1 to P3 make the divisor 0, the pressure is out of range and nothing is raised."""
    calibration = bme280.EXAMPLE._replace(p1=0)

    assert 0.0 == bme280.pressure(calibration, 128000.0, 415148)


# ---- there and back ---------------------------------------------------------------------------------------------

PM = {"pm1": (1, 1000, 1), "pm2_5": (1, 1000, 1), "pm10": (1, 1000, 1)}
GATE = {"body_temperature": (10, 45, 0.1), "ambient_temperature": (10, 45, 0.1)}
AIR = {"temperature": (-40, 85, 0.01), "humidity": (0, 100, 0.01)}
COUNTS = {f"particles_{size}": (0.01, 655, 0.01) for size in _plantower.SIZES}
# Per driver, each point's range and finest step: what a device can say is what must come back.
SPANS: dict[str, dict[str, tuple[float, float, float]]] = {
    "bme280": {**AIR, "pressure": (300, 1100, 0.01)},
    "bswa_308": {"laf": (20, 140, 0.1), "laeq": (20, 140, 0.1), "lamax": (20, 140, 0.1)},
    "ccs811": {"eco2": (400, 8192, 1), "tvoc": (0, 1187, 1)},
    "dnms": {"laeq": (20, 130, 0.01), "lamin": (20, 130, 0.01), "lamax": (20, 130, 0.01)},
    "ds18b20": {"temperature": (-55, 84, 0.0625)},
    "gm1356": {"laf": (30, 130, 0.1)},
    "gy_mcu90614": {"object_temperature": (-70, 327, 0.01), "ambient_temperature": (-40, 125, 0.01)},
    "gy_mcu90640": {"object_temperature_max": (-40, 300, 0.01), "ambient_temperature": (-40, 85, 0.01)},
    "htpa32": GATE,
    "ina219": {"voltage": (0, 32, 0.004)},
    "max17048": {"voltage": (1, 5.1, 0.001), "charge": (0, 110, 0.01)},
    "mh_z19b": {"co2": (1, 4999, 1)},
    "mh_z19c": {"co2": (1, 4999, 1)},
    "mlx90614": {"object_temperature": (-70, 382, 0.02), "ambient_temperature": (-39, 124, 0.02)},
    "nsrt_mk3": {"laeq": (20, 140, 0.01), "laf": (20, 140, 0.01)},
    "nti_xl2": {"laf": (0, 150, 0.1), "laeq": (0, 150, 0.1)},
    "nut": {"on_battery": (0, 1, 1), "battery_low": (0, 1, 1), "charge": (0, 100, 1)},
    "pijuice": {"on_battery": (0, 1, 1), "charge": (0, 100, 1), "voltage": (1, 6, 0.001)},
    "pms3003": PM,
    "pms5003": {**PM, **COUNTS},
    "pms5003st": {**PM, **COUNTS, "hcho": (0, 2000, 1), "temperature": (-20, 99, 0.1), "humidity": (0, 99, 0.1)},
    "pms5003t": {**PM, "temperature": (-20, 99, 0.1), "humidity": (0, 99, 0.1)},
    "rqvk002": {"body_temperature": (24, 45, 0.1), "ambient_temperature": (13, 37, 0.1)},
    "scd4x": {"co2": (1, 40000, 1), "temperature": (-10, 60, 0.01), "humidity": (0, 100, 0.01)},
    "sds011": {"pm2_5": (0.1, 999, 0.1), "pm10": (0.1, 999, 0.1)},
    "sds198": {"pm100": (0, 20000, 1)},
    "sgp40": {"voc_raw": (0, 65535, 1)},
    "sht3x": {**AIR, "temperature": (-40, 125, 0.01)},
    "sht4x": {**AIR, "temperature": (-40, 125, 0.01)},
    "sps30": {**PM, "pm4": (0, 1000, 0.01), "particles_to_0_5": (0, 3000, 0.01), "particle_size": (0, 10, 0.01)},
    "svantek": {"laf": (0, 150, 0.01), "laeq": (0, 150, 0.01)},
    "textline": GATE,
    "ut353bt": {"laf": (30, 130, 0.1)},
    "ze03": {"co": (0, 1000, 1)},
    "ze08_ch2o": {"hcho": (0, 6150, 1), "hcho_ppb": (0, 5000, 1)},
    "zh03b": PM,
}


MODBUS = {"scd30", "senseair_k30"}  # modules too, but held by the Modbus tests


def modules() -> list[Driver]:
    folder = Path(drivers.__file__).parent
    names = [name for name in library.names() if (folder / f"{name}.py").is_file()]
    return [library.find(name) for name in names if name not in MODBUS]


def test_every_module_goes_there_and_back() -> None:
    """A module that is added is added to the table above."""

    assert set(SPANS) == {driver.name for driver in modules()}


@pytest.mark.parametrize("name", SPANS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_a_device_can_say_comes_back(name: str, data: st.DataObject) -> None:
    """`decode` undoes `encode` over the whole range of each point, GOOD and to its finest step."""
    driver = library.find(name)
    assert driver.encode is not None
    said = {
        point: round(data.draw(st.integers(round(low / step), round(high / step)), point) * step, 6)
        for point, (low, high, step) in SPANS[name].items()
    }
    fractions = [point for point in ("pm1", "pm2_5", "pm4", "pm10") if point in said]
    said |= zip(fractions, sorted(said[point] for point in fractions), strict=True)
    found = {m.name: m for m in driver.decode(driver.encode(said))}

    for point, (_, _, step) in SPANS[name].items():
        assert said[point] == pytest.approx(found[point].value, abs=step * 0.75), point
        assert Quality.GOOD is found[point].quality, found[point]


# ---- options ----------------------------------------------------------------------------------------------------

REQUIRED: dict[str, dict[str, object]] = {
    "ze03": {"gas": "co"},
    "textline": {"pattern": "T={body_temperature:5} A={ambient_temperature:5}"},
}
WRONG = [
    ("pms5003", None, {"mode": "pasive"}, "'active' or 'passive', not 'pasive'"),
    ("pms5003", None, {"mod": "passive"}, "did you mean 'mode'"),
    ("pms5003", 3, {}, "has no address"),
    ("sds011", None, {"period": 5}, "no option 'period'"),
    ("mh_z19b", None, {"range": 3000}, "2000, 5000 or 10000"),
    ("mh_z19b", None, {"range": 2000.0}, "2000, 5000 or 10000"),
    ("bme280", 0x78, {}, "0x76 or 0x77"),
    ("bswa_308", 0, {}, "1 to 255"),
    ("ze03", None, {}, "gas must be said"),
    ("ze03", None, {"gas": "h2s"}, "decimals must be said"),
    ("ze03", None, {"gas": "co", "full_scale": "much"}, "a number from"),
    ("ina219", None, {"shunt_ohm": 0}, "from 0.0005 to 10"),
    ("ina219", None, {"shunt_ohm": True}, "a number"),
    ("nsrt_mk3", None, {"configure": "yes"}, "true or false"),
    ("nut", None, {"ups": "a b"}, "a name as in ups.conf"),
    ("nut", None, {"ups": 7}, "text in quotes"),
    ("htpa32", None, {"head": "xyz"}, "hexadecimal"),
    ("htpa32", None, {"length": 12}, "at least 13"),
    ("htpa32", None, {"tail": "00 00 00 00 00"}, "1 to 4 bytes"),
    ("textline", None, {}, "pattern must be said"),
    ("textline", None, {"pattern": "T={body_temperature}"}, "number of characters"),
    ("textline", None, {"pattern": "T={fever:5}"}, "not a quantity"),
    ("textline", None, {"pattern": "T={body_temperature:5"}, "cannot be read"),
    ("textline", None, {"pattern": "体温{body_temperature:5}"}, "ASCII"),
    ("textline", None, {"pattern": "nothing"}, "at least one point"),
    ("textline", None, {"pattern": "{laf:5}{laf:5}"}, "twice"),
    ("textline", None, {"pattern": "{laf!r:5}"}, "number of characters"),
]


@pytest.mark.parametrize(("name", "address", "options", "words"), WRONG)
def test_a_wrong_option_is_explained(name: str, address: int | None, options: dict[str, object], words: str) -> None:
    """A mistake in a device's table is a sentence that names the option and what would be right."""
    driver = library.find(name)
    assert driver.at is not None

    with pytest.raises(ValueError, match=words):
        driver.at(address, options)


def test_without_options_nothing_changes() -> None:
    """`at` without address and options gives the driver that the name gives; a made-up option never passes."""
    for driver in modules():
        if driver.at is None:
            continue
        given_ = REQUIRED.get(driver.name, {})
        same = driver.at(None, given_)

        assert [r.send for r in driver.reads + driver.start] == [r.send for r in same.reads + same.start], driver.name
        assert (driver.points, driver.baud, driver.address) == (same.points, same.baud, same.address), driver.name
        with pytest.raises(ValueError, match="no option"):
            driver.at(None, {**given_, "zzz": 1})


def test_a_line_of_any_length_takes_one_pass() -> None:
    """A text line that never ends is refused at its first wrong byte, and a blank one has no number."""
    with pytest.raises(BadFrame):
        textline.DRIVER.reads[0].frame(b"T=" + b"9" * 100_000)
    found = textline.DRIVER.decode((b"T=      A=     \r\n",))

    assert [(None, Quality.INVALID)] * 2 == [(m.value, m.quality) for m in found]


# ---- facts about the devices ------------------------------------------------------------------------------------


def test_warm_up_and_pace_are_the_documented_ones() -> None:
    """What a sensor says before it is warm is no value, and asking faster than it measures gives old ones."""
    warm = {"pms5003": 30, "zh03b": 30, "sds011": 30, "sps30": 30, "mh_z19b": 180, "mh_z19c": 60, "scd4x": 60}
    warm |= {"ze08_ch2o": 180, "ze03": 180, "ccs811": 1200}

    assert warm == {name: library.find(name).warm_up_s for name in warm}
    assert [5.0, 5.0, 0.5] == [library.find(name).every_s for name in ("mh_z19b", "mh_z19c", "gm1356")]


def test_only_meters_of_a_class_give_evidence() -> None:
    """A level from a meter of no class must never be called evidence."""

    assert {"bswa_308", "nti_xl2", "svantek"} == {driver.name for driver in modules() if driver.evidence}


def test_devices_without_a_check_say_so() -> None:
    """A frame without a check is SUSPECT until a second agrees; a driver that forgot to say so would be believed."""
    unchecked = {"bme280", "ccs811", "htpa32", "ina219", "max17048", "nsrt_mk3", "nti_xl2"}
    unchecked |= {"rqvk002", "svantek", "textline"}

    assert unchecked == {driver.name for driver in modules() if not driver.checked}
    assert not gy_mcu90640.at(None, {"sum": "none"}).checked


def test_what_is_asked_for_is_what_is_sent() -> None:
    """On I2C and HID the size of a reply is told beforehand: one too few cuts off the check."""
    for driver in modules():
        if driver.transport not in {"i2c", "hid"} or driver.encode is None:
            continue
        for read, reply in zip(driver.reads, driver.encode({}), strict=True):
            assert (read.size, read.answered) == (len(reply), bool(reply)), driver.name
        for read in driver.start:
            assert (read.size > 0) == (read.answered or driver.transport == "hid"), driver.name


def test_a_number_that_has_no_room_is_not_made_to_fit() -> None:
    """A simulated line never cuts digits off: 1234567 in five characters would become another number."""
    assert textline.DRIVER.encode is not None
    with pytest.raises(ValueError, match="does not fit into 5"):
        textline.DRIVER.encode({"body_temperature": 1234567.0})


IDENTITIES = {
    "sds011": (bytes.fromhex("aa c0 d4 04 3a 0a a1 60 1d ab"), "a160"),
    "sds198": (_nova.build(0xCF, 0, 120, 0x0102), "0102"),
    "sps30": (sps30.introduce("8FDA7C1100FF7E7D"), "8FDA7C1100FF7E7D"),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_a_unit_says_who_it_is(name: str) -> None:
    """B7: a unit's own number is read from its answer; no cut or bit flip of the answer becomes another number."""
    driver = library.find(name)
    reply, identity = IDENTITIES[name]
    damaged = [reply[:cut] for cut in range(len(reply))]
    damaged += [
        bytes((*reply[:at], reply[at] ^ 1 << bit, *reply[at + 1 :])) for at in range(len(reply)) for bit in range(8)
    ]

    assert identity == driver.identify(reply)
    for bad in damaged:
        with pytest.raises(DeviceError):
            driver.identify(bad)


@pytest.mark.parametrize("data", [b"", b"\0", b"no end", b"not text!\0", b"\xff\0"])
def test_what_is_no_serial_number(data: bytes) -> None:
    """B7: an SPS30 that says no number, or an error, is not identified."""
    with pytest.raises(DeviceError):
        sps30.identify(sps30.pack(0, sps30.INFORMATION, 0, len(data), *data))
    with pytest.raises(DeviceError):
        sps30.identify(sps30.pack(0, sps30.INFORMATION, 0x02, 2, *b"A\0"))
