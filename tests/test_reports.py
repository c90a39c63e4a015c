"""Reports: the right answer for the right reason, pages that load nothing, bundles that anyone can prove."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kit_hj212_site import HandClock
from kit_record import ZONE, Level, fill

from drivers import library
from drivers.base import Quality
from gateway.catalogue import choose
from gateway.cli import main
from gateway.configuration import last_good
from gateway.environment.minutes import Minute
from gateway.environment.noise import Judgement, Outcome
from gateway.errors import Refused
from gateway.journal.chain import Identity
from gateway.journal.readings import ReadingsWriter
from gateway.moment import NANO, ClockState, Moment
from gateway.reports import bundle
from gateway.reports.complaint import Answer, Heard, answer
from gateway.reports.limits import Judged, Summary
from gateway.reports.material import Gauge
from gateway.rules import Rule
from gateway.values import Reading, Readings

NINE_S = 1_780_794_000  # 2026-06-07T09:00:00+08:00
DOC = Path(__file__).parent.parent / "docs" / "evidence.md"

VENUE = """
rule_sets = ["gb3096-2008"]
[venue]
id = "zj-no1"
name = "考点 <b>"
sound_area = "1"
[[session]]
name = "语文"
start = 2026-06-07T09:00:00
end = 2026-06-07T11:30:00
[bus.rs485]
port = "/dev/null"
[device.gate]
driver = "renke_rs_zs"
bus = "rs485"
address = 1
every = "1s"
place = "north gate"
[mqtt]
host = "127.0.0.1"
"""


@pytest.fixture(autouse=True)
def english() -> None:
    choose("en")


def quiet(_device: str, at_s: int) -> float:
    return 48.0 + at_s % 3


def loud(device: str, at_s: int) -> float:
    """A construction site from 09:30 to 09:45."""
    return quiet(device, at_s) + (15.0 if NINE_S + 1800 <= at_s < NINE_S + 2700 else 0.0)


def record(
    state: Path, level: Level = quiet, *, hours: float = 2.0, clock: ClockState = ClockState.SYNCHRONISED
) -> Path:
    state.mkdir(exist_ok=True)
    last_good.keep(state, VENUE.encode())
    fill(state, NINE_S - 3600, hours=hours, devices=["gate"], level=level, raw=True, clock=clock)
    return state


def report(state: Path, out: Path, *words: str) -> dict[str, str]:
    """The files of a report as text; the page and what the bundle has."""
    assert main(["report", *words, "--state", str(state), "--out", str(out)]) == 0

    with zipfile.ZipFile(out / "bundle.zip") as archive:
        inside = {name: archive.read(name).decode() for name in archive.namelist()}
    return {"page": (out / "report.html").read_text("utf-8")} | inside


@pytest.mark.parametrize(
    ("level", "clock", "at", "said"),
    [
        (loud, ClockState.SYNCHRONISED, "09:40", "The complaint is supported by the record"),
        (quiet, ClockState.SYNCHRONISED, "09:20", "The complaint is not supported by the record"),
        (loud, ClockState.SYNCHRONISED, "12:00", "The record cannot tell"),
        (quiet, ClockState.UNSYNCHRONISED, "09:20", "The record cannot tell"),
        (lambda _, s: None if s % 3600 < 1200 else 48.0, ClockState.SYNCHRONISED, "09:10", "The record cannot tell"),
    ],
)
def test_a_complaint_is_answered(level: Level, clock: ClockState, at: str, said: str, tmp_path: Path) -> None:
    """E6: too loud, not too loud, after the record's end, without a clock, with a gap: each has its own answer."""
    state = record(tmp_path / "state", level, clock=clock)
    files = report(state, tmp_path / "out", "complaint", "--at", f"2026-06-07 {at}", "--tolerance", "10m")
    verdict = re.search(r'class="verdict.*?<strong>(.*?)</strong>', files["page"], re.DOTALL)

    assert verdict is not None
    assert said == verdict[1].replace(" (indicative only)", "")
    assert "the instrument is a transmitter without an accuracy class" in files["page"]


def test_the_reason_names_limit_mean_and_excess(tmp_path: Path) -> None:
    """The worst ten minutes, by the mean that the limit is defined for, with the difference in dB."""
    state = record(tmp_path / "state", loud)
    page = report(state, tmp_path / "out", "complaint", "--at", "2026-06-07 09:40")["page"]

    assert (
        "10 min LAeq (day) (by secondary publications): 2026-06-07 09:30 - 09:40: 64.1 dB(A) (+9.1 dB), limit 55 dB(A)"
        in page
    )


def test_the_page_is_whole_and_hostile_names_stay_text(tmp_path: Path) -> None:
    """One file: no script, nothing from elsewhere, a chart in it, and what the configuration says is escaped."""
    page = report(record(tmp_path / "state", loud), tmp_path / "out", "noise", "--from", "2026-06-07")["page"]

    assert "考点 &lt;b&gt;" in page
    assert "<script" not in page
    assert [] == re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page.replace("xlink:href", "href"))
    assert "<svg" in page
    assert "Content-Security-Policy" in page


def test_no_meter_stands_there(tmp_path: Path) -> None:
    """A place without a meter is told, with those that have one."""
    state = record(tmp_path / "state")
    code = main(["report", "noise", "--state", str(state), "--device", "moon", "--out", str(tmp_path / "out")])

    assert code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("noise", "--from", "2026-06-09", "--to", "2026-06-01"), "the time ends before it begins"),
        (("complaint", "--at", "nonsense"), "is no time such as"),
        (("complaint", "--at", "2026-06-07 09:10", "--tolerance", "5x"), "a duration is a number and a unit"),
        (("complaint", "--at", "2026-06-07 09:10", "--place", "moon"), "there are: gate (north gate)"),
        (("day", "--day", "9000-01-01"), "is still to come"),
        (("noise", "--from", "2026-06-07", "--out", "/proc/none"), "cannot be written"),
    ],
)
def test_what_cannot_be_reported(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person got wrong is said in one line."""
    state = record(tmp_path / "state", hours=0.1)

    assert 1 == main(["report", *words, "--state", str(state), "--no-samples"])
    assert said in capsys.readouterr().err


def test_a_complaint_about_a_moment(tmp_path: Path) -> None:
    """Without a tolerance it is about the minute of that moment."""
    state = record(tmp_path / "state", loud)
    page = report(state, tmp_path / "out", "complaint", "--at", "2026-06-07 09:40", "--tolerance", "0s")["page"]

    assert "10 min LAeq (day) (by secondary publications): 2026-06-07 09:31 - 09:41" in page


def test_samples_are_all_there(tmp_path: Path) -> None:
    """The table has every sample of the time, and none twice."""
    state = record(tmp_path / "state", hours=1.0)
    out = tmp_path / "out"
    report(state, out, "noise", "--from", "2026-06-07T08:00", "--to", "2026-06-07T09:00")
    rows = (out / "samples.csv").read_text("utf-8-sig").splitlines()

    assert 3600 == len(rows) - 1 == len(set(rows[1:]))
    assert "2026-06-07T08:00:00.000+08:00,synchronised,gate/laf,48.0,dB(A),good," == rows[1]


def test_samples_of_a_time_before_which_the_clock_was_set_back(tmp_path: Path) -> None:
    """E1: what was measured after a clock that ran a day ahead was set right is in the table, far as its places lie."""
    state = record(tmp_path / "state", hours=1.0)
    clock = HandClock(NINE_S + 86_400)
    writer = ReadingsWriter(state, clock, lambda _: None, ZONE)
    for at_s in (NINE_S + 86_400, *range(NINE_S - 1000, NINE_S - 900, 4), NINE_S + 2 * 86_400):
        clock.second = at_s
        at = Moment(at_s * NANO + NANO // 2, at_s * NANO)
        writer.put(Readings("gate", (Reading("gate/laf", 60.0, Quality.GOOD, at),)))
        writer._turn()
    writer._close()
    report(state, tmp_path / "out", "noise", "--from", "2026-06-07T08:00", "--to", "2026-06-07T09:00")
    rows = (tmp_path / "out" / "samples.csv").read_text("utf-8-sig").splitlines()

    assert 3600 + 25 == len(rows) - 1 == len(set(rows[1:]))
    assert 25 == sum(",60.0," in row for row in rows)


@pytest.mark.parametrize(
    ("totals", "fallen"),
    [
        ([], None),
        ([(4.8, 4.8)], 0.0),
        ([(4.8, 4.8), (None, None), (4.8, 5.0)], 0.2),
        ([(4.8, 4.8), (4.8, 5.0), (0.0, 0.0), (0.0, 0.2)], 0.4),
        ([(4.8, 4.8), (0.3, 0.5), (0.5, 0.6)], 0.6),
        ([(5.0, 5.0), (5.4, 5.4), (5.0, 5.0), (5.4, 5.4)], 0.4),
    ],
    ids=["never heard", "dry", "rain", "reset at midnight", "reset while it rains", "lived twice"],
)
def test_the_rain_that_fell(totals: list[tuple[float | None, float | None]], fallen: float | None) -> None:
    """By the gauge's total, whatever it began from, and over its being reset: what stood in it before did not fall."""
    gauge = Gauge()
    for index, (low, last) in enumerate(totals):
        gauge.add(Minute("roof/rain", NINE_S + 60 * index, 60, 60, 0, low, last, last))

    assert fallen == (None if gauge.fallen is None else round(gauge.fallen, 6))


# ---- bundles --------------------------------------------------------------------------------------------------


@pytest.fixture
def bundled(tmp_path: Path) -> tuple[Path, str]:
    identity = Identity.open(tmp_path, Moment(NINE_S * NANO, 0))
    path = tmp_path / "bundle.zip"
    bundle.write(path, {"report.html": [b"pa", b"ge"], "minutes.jsonl": [b"{}\n"]}, {"venue": "zj-no1"}, identity)
    return path, identity.public


def test_a_bundle_is_proven(bundled: tuple[Path, str], tmp_path: Path) -> None:
    """By the command's function, and by the ten lines of the document, which know nothing of us."""
    path, key = bundled
    script = tmp_path / "prove.py"
    script.write_text(re.findall(r"```python\n(.*?)```", DOC.read_text("utf-8"), re.DOTALL)[0])
    run = subprocess.run([sys.executable, script, path, key], capture_output=True, text=True, check=False)

    assert "zj-no1" == bundle.read(path, key)["venue"]
    assert (0, "whole and signed\n") == (run.returncode, run.stdout)


def changed(path: Path, name: str, data: bytes) -> Path:
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    files[name] = data
    other = path.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, content)
    return other


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("report.html", b"Page", "report.html was altered"),
        ("added.html", b"more", "not in the manifest"),
        ("manifest.sig", b"AAAA", "signature does not fit"),
        ("manifest.json", b"{}", "no bundle"),
        ("manifest.json", b"[" * 100_000, "no bundle"),
    ],
)
def test_an_altered_bundle_is_refused(name: str, data: bytes, said: str, bundled: tuple[Path, str]) -> None:
    """Whatever was changed, added or damaged is named; the ten lines refuse it too."""
    with pytest.raises(Refused, match=said):
        bundle.read(changed(bundled[0], name, data))


def test_another_key_and_no_zip_are_refused(bundled: tuple[Path, str], tmp_path: Path) -> None:
    """A bundle of another gateway, and a file that is none."""
    junk = tmp_path / "junk.zip"
    junk.write_bytes(b"PK junk")
    with pytest.raises(Refused, match="another key"):
        bundle.read(bundled[0], "ed25519:AAAA")

    with pytest.raises(Refused, match="no bundle"):
        bundle.read(junk)


def test_verify_bundle_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `report` made is proven by `journal verify-bundle`, with the key that stands beside the record."""
    state = record(tmp_path / "state", hours=0.2)
    report(state, tmp_path / "out", "noise", "--from", "2026-06-07", "--no-samples")
    key = (state / "device.pub").read_text().strip()
    capsys.readouterr()
    code = main(["journal", "verify-bundle", str(tmp_path / "out" / "bundle.zip"), "--key", key, "--json"])
    manifest = json.loads(capsys.readouterr().out)

    assert 0 == code
    assert ("noise", "zj-no1", key) == (manifest["report"], manifest["venue"], manifest["key"])
    assert not (tmp_path / "out" / "samples.csv").exists()


# ---- the verdict, by itself -----------------------------------------------------------------------------------

RULE = Rule("day", "gate/laeq_10min", "noise", "environment", above=55.0)


def heard(*outcomes: Outcome, bound: bool = False, **changes: Any) -> Heard:
    judged = tuple(
        Judged(RULE, 0, 600, 50.0, 1.0, Judgement(outcome, None, ("lower-bound",) if bound else ()), None)
        for outcome in outcomes
    )
    return replace(Heard("gate", (Summary(RULE, judged),) if judged else (), 1.0, clock_set=True, doubts=()), **changes)


@pytest.mark.parametrize(
    ("devices", "found", "codes"),
    [
        ([], Answer.CANNOT_TELL, ["no-device"]),
        ([heard()], Answer.CANNOT_TELL, ["no-limit"]),
        ([heard(Outcome.COMPLIANT)], Answer.NOT_SUPPORTED, ["compliant"]),
        ([heard(Outcome.COMPLIANT, Outcome.EXCESS)], Answer.SUPPORTED, ["excess"]),
        ([heard(Outcome.COMPLIANT), heard(Outcome.EXCESS)], Answer.SUPPORTED, ["excess"]),
        ([heard(Outcome.COMPLIANT), heard(Outcome.CANNOT_TELL)], Answer.CANNOT_TELL, ["unknown"]),
        ([heard(Outcome.COMPLIANT, valid=0.7)], Answer.CANNOT_TELL, ["gaps"]),
        ([heard(Outcome.COMPLIANT, clock_set=False)], Answer.CANNOT_TELL, ["clock"]),
        ([heard(Outcome.EXCESS, clock_set=False)], Answer.SUPPORTED, ["excess", "clock"]),
        ([heard(Outcome.CANNOT_TELL, bound=True)], Answer.CANNOT_TELL, ["only-bounds"]),
        ([heard(Outcome.COMPLIANT, alarms=("raised",))], Answer.SUPPORTED, ["alarm"]),
    ],
)
def test_what_the_record_supports(devices: list[Heard], found: Answer, codes: list[str]) -> None:
    """An excess anywhere supports; only a complete and compliant record refutes; everything else cannot tell."""
    verdict = answer(devices, share=0.75)

    assert found == verdict.answer
    assert codes == [reason.code for reason in verdict.reasons]


def test_doubts_stand_beside_the_answer() -> None:
    """E: an instrument without evidence changes no answer; the answer says that it is indicative."""
    verdict = answer([heard(Outcome.EXCESS, doubts=("no-certificate",))], share=0.75)

    assert (Answer.SUPPORTED, ("no-certificate",)) == (verdict.answer, verdict.indicative)


def test_the_meter_of_these_tests_is_a_transmitter() -> None:
    """The expectation above is the driver's, and not only ours."""

    assert not library.find("renke_rs_zs").evidence
