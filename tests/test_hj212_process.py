"""HJ 212 in the real program: a simulated venue and a strict platform, `hj212 show`, the doctor, the configuration."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit_hj212 import MN, PW, Platform
from kit_mqtt import Broker, until
from kit_process import ROOT, Gateway, bus, meter, venue

from gateway.cli import main
from gateway.configuration import settings
from gateway.hj212.factors import FACTORS, converted, rounded

METER = bus() + meter("gate-noise", 1)


def table(port: int, **changes: object) -> str:
    keys: dict[str, object] = {"host": "127.0.0.1", "port": port, "mn": MN, "password_file": "city.password"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in (keys | changes).items()]
    factors = '\n[hj212.city.factors]\nLA = "gate-noise/laf"\n'
    return "\n[hj212.city]\n" + "\n".join(lines) + factors


AWAY = table(5001, host="192.0.2.1").replace("hj212.city", "hj212.away")


LEAVES = table(5002).replace("hj212.city", "hj212.leaves")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Platform]]:
    folder = tmp_path_factory.mktemp("hj212")
    (folder / "city.password").write_text(PW)
    with Platform() as platform, Broker(folder) as broker:
        gateway = Gateway(folder, venue(broker.port, METER, table(platform.port), AWAY, LEAVES))
        gateway.start()
        try:
            until(lambda: platform.said("2011"), 30, "real-time values")
            yield gateway, platform
        finally:
            gateway.stop()


def test_played_values_leave_for_no_real_platform(running: tuple[Gateway, Platform]) -> None:
    """A simulated gateway talks to platforms of this machine only: HJ 212 has no mark for what is simulated."""
    gateway, _ = running

    assert "hj212-away" not in gateway.status()["brokers"]
    assert "not-sent-to=hj212-away" in gateway.log()


def test_the_platform_of_a_real_program(running: tuple[Gateway, Platform]) -> None:
    """The program tells its start and its level to the platform, link and setting show as alarms, and nothing of the
    leak button ever goes there.
    """
    gateway, platform = running
    gateway.press()
    platform.ask("1062", "RtdInterval=45", qn=platform.said("2011")[0].qn)
    until(lambda: platform.said("9012"), 10, "the answer")
    until(lambda: gateway.status()["brokers"]["hj212-city"]["state"] == "connected", 10, "the link")
    until(lambda: gateway.alarm("remote-hj212-city")["revision"] > 0, 10, "the setting on record")

    assert [] == platform.faults
    assert ["1"] == [said.values["ExeRtn"] for said in platform.said("9012")]
    assert {"1013", "2081", "2011", "9011", "9012"} >= {said.cn for said in platform.heard}
    assert not any(word in said.raw for said in platform.heard for word in (b"leak", b"door", b"seal"))
    assert "normal" == gateway.alarm("link-hj212-city")["state"]


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", ["A-weighted sound level", "edition 2017", "acoustic environment"]), ("zh", ["LA-Rtd=", "声环境", "正常"])],
)
def test_show(
    running: tuple[Gateway, Platform], capsys: pytest.CaptureFixture[str], lang: str, words: list[str]
) -> None:
    """`hj212 show` decodes what would be sent now, field by field, and never the password."""
    gateway, _ = running

    def shown() -> str:
        assert 0 == main(["--lang", lang, "hj212", "show", str(gateway.config), "--state", str(gateway.state)])
        return capsys.readouterr().out

    until(lambda: "LA-Flag=N" in shown(), 30, "a good value in the record")
    text = shown()

    assert all(word in text for word in [*words, "PW=******", f"MN={MN}", "LA-Flag=N"])
    assert PW not in text.replace(MN, "")


def test_show_of_a_platform_that_there_is_not(
    running: tuple[Gateway, Platform], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an error that names those there are."""
    gateway, _ = running
    code = main(["--lang", "en", "hj212", "show", str(gateway.config), "--platform", "town"])

    assert 1 == code
    assert "no platform town; known: city" in capsys.readouterr().err


def test_doctor(running: tuple[Gateway, Platform]) -> None:
    """The doctor finds password and link of the platform in order."""
    gateway, _ = running
    command = [sys.executable, "-m", "gateway", "doctor", str(gateway.config), "--state", str(gateway.state), "--json"]
    done = subprocess.run([*command, "--lang", "en"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    findings = json.loads(done)
    found = {finding["check"]: finding["level"] for finding in findings}

    assert "good" == found["hj212-password"]
    assert "127.0.0.1" in next(f["what"] for f in findings if f["check"] == "hj212-link" and f["level"] == "good")


def test_a_reload(running: tuple[Gateway, Platform]) -> None:
    """A platform that left the configuration is gone from the state too; one whose table changed is spoken to anew, and
    told when the gateway started, not when it read its file.
    """
    gateway, platform = running
    assert "hj212-leaves" in gateway.status()["brokers"]
    changed = gateway.config.read_text().replace(LEAVES, "").replace("[hj212.city]\n", "[hj212.city]\nre_count = 7\n")
    gateway.config.write_text(changed)
    assert gateway.process is not None
    os.kill(gateway.process.pid, signal.SIGHUP)
    until(lambda: len(platform.said("2081")) == 2, 20, "the next connection")
    until(lambda: gateway.status()["brokers"]["hj212-city"]["state"] == "connected", 10, "the link")

    assert "hj212-leaves" not in gateway.status()["brokers"]
    assert 1 == len({said.values["RestartTime"] for said in platform.said("2081")})
    assert [] == platform.faults


@pytest.mark.parametrize(
    ("toml", "at"),
    [
        (table(1, mn="12"), "hj212.city.mn"),
        (table(1, edition="2005"), "hj212.city.mn"),
        (table(1, edition="2005", mn="ABCDEFG1234567"), "hj212.city.factors.LA"),
        (table(1, minutes=7), "hj212.city.minutes"),
        (table(1, realtime_every="10s"), "hj212.city.realtime_every"),
        (table(1).replace("LA =", "LB ="), "hj212.city.factors.LB"),
        (table(1).replace("gate-noise/laf", "gate-noise/pm10"), "hj212.city.factors.LA"),
        (table(1).replace("LA =", "a34004 ="), "hj212.city.factors.a34004"),
        (table(1).replace('"gate-noise/laf"', '{ point = "gate-noise/laf", unit = "kPa" }'), "hj212.city.factors.LA"),
        (table(1).replace("LA =", 'x = "leak-button"\nLA ='), "hj212.city.factors.x"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], toml: str, at: str) -> None:
    """Each mistake in a table of a platform is found by `check`, with its place."""
    (tmp_path / "city.password").write_text(PW)
    file = tmp_path / "venue.toml"
    file.write_text(venue(1883, METER, toml))
    code = main(["check", str(file), "--json"])
    problems: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["problems"]

    assert 78 == code
    assert at in [problem["key"] for problem in problems if problem["severity"] == "error"]


def test_a_good_table(tmp_path: Path) -> None:
    """The table of the documentation is accepted, and its password file is looked for beside the configuration."""
    file = tmp_path / "venue.toml"
    file.write_text(venue(1883, METER, table(1, may_set=["timeouts"])))
    checked = settings.check(file)

    assert [("hj212", "city", "password_file")] == [p.at for p in checked.problems if p.at[0] == "hj212"]
    assert checked.config is not None
    assert str(tmp_path / "city.password") == checked.config.hj212["city"].password_file


@pytest.mark.parametrize(
    ("value", "unit", "code", "to", "expected"),
    [
        (400.0, "ppm", "a05001", "mg/m3", "719.5"),
        (1000.0, "ppm", "a05001", "mg/m3", "1798.9"),
        (1.0, "ppm", "a21001", "mg/m3", "0.696"),
        (1004.12, "hPa", "a01006", "kPa", "100.412"),
        (28.0, "ug/m3", "a34004", "mg/m3", "0.028"),
        (28.0, "ug/m3", "a34004", "ng/m3", "28000"),
        (28.5, "ug/m3", "a34004", "ug/m3", "28"),
        (27.5, "ug/m3", "a34004", "ug/m3", "28"),
        (0.25, "degC", "a01001", "degC", "0.2"),
        (-0.04, "degC", "a01001", "degC", "0.0"),
        (1e-7, "ug/m3", "a34004", "mg/m3", "0.000"),
        (2.15, "ppm", "a21001", "ppm", "2.150"),
    ],
)
def test_units(value: float, unit: str, code: str, to: str, expected: str) -> None:
    """Values are converted at 25 degC and 1013.25 hPa and rounded half to even, as facts and standard have them."""
    factor = FACTORS[code]

    assert expected == rounded(converted(value, unit, to, factor.molar), factor.units[to])


def test_no_way_between_units() -> None:
    """What cannot be converted raises, and is not sent as it is."""
    with pytest.raises(ValueError, match="is no"):
        converted(1.0, "ppm", "mg/m3", None)
    with pytest.raises(ValueError, match="is no"):
        converted(1.0, "degC", "kPa")
