"""What HJ 212 sends to a strict platform: files of a day, after outages, values of now."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from kit_hj212 import CST, Platform
from kit_hj212_site import (
    DAY_S,
    READY,
    Site,
    level_at,
    qn,
    quick_site,
    stamps,
    times,
)
from kit_mqtt import free_port, running, until

from gateway.environment.acoustics import energy
from gateway.environment.minutes import Minute
from gateway.environment.noise import Validity
from gateway.hj212.factors import FACTORS
from gateway.hj212.uploads import Channel, File, Nights, of_file


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return quick_site(tmp_path, monkeypatch)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as made:
        yield made


def own_leq(seconds: Iterable[int]) -> str:
    levels = [level_at(second) for second in seconds]
    return f"{10 * math.log10(sum(10 ** (level / 10) for level in levels) / len(levels)):.1f}"


def own_ldn() -> float:
    """Sixteen hours of the day and eight of the night, those 10 dB up, of the calendar day."""
    hours = [range(DAY_S + h * 3600, DAY_S + h * 3600 + 3600, 20) for h in range(24)]
    means = [sum(10 ** (level_at(s) / 10) for s in hour) / len(hour) for hour in hours]
    return 10 * math.log10(sum(means[6:22] + [10 * m for m in (*means[:6], *means[22:])]) / 24)


# ---- a day, and the same again


def test_a_whole_day_and_the_same_on_request(site: Site, platform: Platform) -> None:
    """Every minute, hour and day file of a day arrives once and in order after an outage of 24 h, with the values of
    the readings; asked for again, the platform gets the same files, no gap and no double.
    """
    sink = site.sink(platform)
    open_again = threading.Event()
    platform.answer = lambda said: said.cn == "2081" or open_again.is_set()
    site.live(1)
    with running(sink.run):
        until(lambda: platform.said("2081"), 10, "2081")
        until(lambda: sink._key is not None, 10, "the cursor")
        site.live(24 * 60 - 1)
        site.clock.second += 20
        open_again.set()
        until(lambda: len(platform.said("2031")) == 2, 30, "the day files")
        first = {(said.cn, said.fields["ST"], said.values["DataTime"]): said.values for said in platform.heard}
        before = len(platform.heard)
        platform.ask("2051", "BeginTime=20260608000000;EndTime=20260609000000", qn=qn(site, 1))
        platform.ask("2061", "BeginTime=20260608000000;EndTime=20260608235959", st="22", qn=qn(site, 2))
        until(lambda: len(platform.answers(qn(site, 1))) >= 2, 20, "9012 of the minutes")
        platform.ask("2061", "BeginTime=20260608000000;EndTime=20260608235959", st="22", qn=qn(site, 3))
        until(lambda: len(platform.answers(qn(site, 3))) >= 2, 20, "9012 of the hours")
    again = [said for said in platform.heard[before:] if said.cn in ("2051", "2061")]

    assert [] == platform.faults
    assert stamps(DAY_S, 600, 144) == times(platform, "2051", "23")[:144] == times(platform, "2051", "22")
    assert stamps(DAY_S, 3600, 24) == times(platform, "2061", "23") == times(platform, "2061", "22")[:24]
    assert stamps(DAY_S, 86400, 1) == times(platform, "2031", "23") == times(platform, "2031", "22")
    assert stamps(DAY_S, 600, 144) == [said.values["DataTime"] for said in again if said.cn == "2051"]
    assert stamps(DAY_S, 3600, 24) == [said.values["DataTime"] for said in again if said.cn == "2061"]
    assert [first[said.cn, said.fields["ST"], said.values["DataTime"]] for said in again] == [s.values for s in again]
    assert [READY, ("9012", {"ExeRtn": "1"})] == platform.answers(qn(site, 1))
    assert [READY, ("9012", {"ExeRtn": "5"})] == platform.answers(qn(site, 2))  # busy with the first
    noon = first["2051", "23", "20260608120000"]
    begin = DAY_S + 12 * 3600
    assert own_leq(range(begin, begin + 600, 20)) == noon["Leq-Data"]
    assert max(level_at(s) for s in range(begin, begin + 600, 20)) == float(noon["LMx-Data"])
    assert "Leq-Flag" not in noon
    day = first["2031", "23", "20260608000000"]
    assert own_leq(range(DAY_S + 6 * 3600, DAY_S + 22 * 3600, 20)) == day["Ld-DayData"]
    assert abs(own_ldn() - float(day["Ldn-Data"])) < 0.06  # sent to 0.1 dB, of figures of 0.01 dB
    air = first["2061", "22", "20260608000000"]
    assert {"a01006-Avg": "100.412", "a01006-Min": "100.412", "a01006-Max": "100.412", "a01006-Flag": "N"} == {
        name: value for name, value in air.items() if name.startswith("a01006")
    }


def test_an_outage_of_13_hours(site: Site) -> None:
    """After 13 h without a platform every missing file comes once, oldest first; real-time values of then do not; the
    cursor is kept over a restart, so nothing is sent twice.
    """
    port = free_port()
    site.live(1)
    sink = site.sink(port)
    with running(sink.run):
        until(lambda: "unreachable" in site.states(), 10, "the outage")
        site.live(1)
    site.live(13 * 60 - 2)
    site.clock.second += 20
    with Platform() as platform:
        platform._listener.close()  # only its judgement is used: it listens on the port of the outage
        platform._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=platform._serve, daemon=True).start()
        sink._key = DAY_S * 1000  # as the run before had it
        with running(sink.run):
            until(lambda: (sink._key or 0) > (DAY_S + 13 * 3600) * 1000 + 10, 20, "the backlog")
        site.writer._turn()
        site.clock.second += 40
        second = site.sink(port)
        count = len(platform.said("2051"))
        with running(second.run):
            until(lambda: len(platform.said("2081")) == 2, 10, "the next run")
            until(lambda: second._key is not None, 10, "its cursor")
            site.live(11)
            until(lambda: len(platform.said("2051")) == count + 2, 10, "the next files")

    assert [] == platform.faults
    assert stamps(DAY_S, 600, 79) == times(platform, "2051", "23") == times(platform, "2051", "22")
    ends = [(said.values["DataTime"], said.cn) for said in platform.heard if said.cn in ("2051", "2061")]
    assert len(set(ends)) * 2 == len(ends)
    assert 1 >= len([said for said in platform.said("2011", "23") if said.values["DataTime"] < "20260608125900"])


def test_the_clock_is_set_back(site: Site, platform: Platform) -> None:
    """E1: files of a time that is lived again come again, with all that was measured in both lives of it; after a
    restart in such a time what an outage has held back comes too, though the cursor stands in the future.
    """
    site.live(1)
    sink = site.sink(platform)
    with running(sink.run):
        until(lambda: sink._key is not None, 10, "the cursor")
        site.live(29)
        site.clock.second += 20
        until(lambda: len(times(platform, "2051", "23")) == 3, 10, "the files")
        before = len(platform.heard)
        site.clock.second = DAY_S + 600
        site.live(10, silent=lambda second: second < DAY_S + 900)
        site.clock.second += 20
        until(lambda: len(times(platform, "2051", "23")) == 5, 10, "a file of both lives")
    again = [said for said in platform.heard[before:] if said.cn == "2051" and said.fields["ST"] == "23"]
    site.live(5)
    with Platform() as later, running(site.sink(later).run):
        until(lambda: len(times(later, "2051", "23")) == 2, 10, "what the outage held back")

    assert [] == platform.faults == later.faults
    assert stamps(DAY_S, 600, 2) == [said.values["DataTime"] for said in again] == times(later, "2051", "23")
    both = [*range(DAY_S + 600, DAY_S + 1200, 20), *range(DAY_S + 900, DAY_S + 1200, 20)]
    assert own_leq(both) == again[1].values["Leq-Data"] != own_leq(both[:30])


def test_silence_is_said_and_never_a_number(site: Site, platform: Platform) -> None:
    """A file of an hour of which half is missing is flagged B; one without any sample has a flag and no figures; a
    time in which the gateway recorded nothing has no file.
    """
    site.live(1)
    sink = site.sink(platform)
    with running(sink.run):
        until(lambda: sink._key is not None, 10, "the cursor")
        site.live(29)
        site.live(40, silent=lambda _second: True)
        site.clock.second += 3600
        site.live(60)
        site.clock.second += 20
        until(lambda: "20260608030000" in times(platform, "2051", "23"), 20, "the files")
    files = {said.values["DataTime"]: said.values for said in platform.said("2051", "23")}
    hours = {said.values["DataTime"]: said.values for said in platform.said("2061", "23")}

    assert [] == platform.faults
    assert {"DataTime": "20260608004000", "Leq-Flag": "B"} == files["20260608004000"]
    assert "20260608012000" not in files
    assert "B" == hours["20260608000000"]["Leq-Flag"]
    assert "Leq-Data" in hours["20260608000000"]


def test_two_platforms_at_once(site: Site) -> None:
    """City and province have each its own number, edition, factors and cursor; one that is away holds up nothing; the
    cursor of one that left the configuration holds no readings back.
    """
    with Platform() as city, Platform(edition="2025", mn="0" * 24) as province:
        first = site.sink(city)
        second = site.sink(
            province, name="province", edition="2025", mn="0" * 24, factors={"a34004": {"point": "yard-air/pm2_5"}}
        )
        city.answer = lambda _said: False
        site.live(1)
        with running(first.run, second.run):
            until(lambda: first._key and second._key, 10, "the cursors")
            site.live(9)
            site.clock.second += 20
            until(lambda: (second._key or 0) > DAY_S * 1000 + 1000, 10, "the file of the province")
        site.writer._turn()
    before = dict(site.writer._cursors)
    site.writer.serve(frozenset({"hj212-province"}))
    site.writer._turn()

    assert [] == city.faults + province.faults
    assert [] == city.said("2051")
    names = {"DataTime", "a34004-Min", "a34004-Avg", "a34004-Max", "a34004-Flag"}
    assert names == province.said("2051")[0].values.keys()
    assert {"hj212-city", "hj212-province"} == before.keys()
    assert before["hj212-city"] == DAY_S * 1000 < before["hj212-province"]
    assert {"hj212-province": before["hj212-province"]} == site.writer._cursors


@pytest.mark.parametrize(("share", "letter"), [(0.75, {}), (0.8, {}), (0.9, {"Leq-Flag": "B"})])
def test_enough_samples_are_those_that_every_other_output_needs(
    site: Site, share: float, letter: dict[str, str]
) -> None:
    """A file of levels is normal from the venue's own share of good samples on, at the edge of it too."""
    link = site.sink(1).link
    steps = {5000: 48}
    minute = Minute("gate-noise/laf", DAY_S, 60, 48, 48 * energy(5000), 50.0, 50.0, 50.0, steps)
    file = File("2051", "23", DAY_S, DAY_S + 60, DAY_S * 1000)
    upload = of_file(file, link.of("23"), [minute], Nights(validity=Validity(share=share)), CST)

    assert upload is not None
    assert letter == {name: value for item in upload.items for name, value in item if name.endswith("Flag")}


def test_ldn_is_the_one_of_every_other_output() -> None:
    """Ld, Ln and Ldn are made of accepted hours; a night with too few leaves Ldn out, and the flag says why."""
    channel = Channel(FACTORS["LA"], "LA", "gate-noise/laf", "dB(A)", "dB(A)", 1, "23")
    file = File("2031", "23", DAY_S, DAY_S + 86_400, 0)

    def minute(start_s: int, level: float, n: int = 3) -> Minute:
        hundredths = round(level * 100)
        total, aside = n * energy(hundredths), {"wind": 3 - n} if n < 3 else {}
        return Minute("gate-noise/laf", start_s, 3, n, total, level, level, level, {hundredths: n}, aside)

    def sent(*silent_hours: int) -> dict[str, str]:
        minutes = []
        for number in range(24):
            level, n = (55.0 if 6 <= number < 22 else 45.0), (1 if number in silent_hours else 3)
            minutes += [minute(DAY_S + number * 3600 + at_s, level + 30 * (n < 3), n) for at_s in range(0, 3600, 60)]
        upload = of_file(file, [channel], minutes, Nights(), CST)
        assert upload is not None
        return dict(pair for item in upload.items for pair in item)

    whole, few = sent(), sent(1, 2, 3)

    assert ("55.0", "55.0", "45.0") == (whole["Ldn-Data"], whole["Ld-DayData"], whole["Ln-NightData"])
    assert ("55.0", "45.0", "M") == (few["Ld-DayData"], few["Ln-NightData"], few["Ldn-Flag"])
    assert "Ldn-Data" not in few
    assert "Ldn-Flag" not in whole
