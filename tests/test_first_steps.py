"""What the tutorial says is done, as it stands there, by a shell; and what is to be printed fits on a page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TRIED = re.compile(r"^<!-- try -->\n```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if TRIED.search(page.read_text("utf-8")))
ROLES = sorted((ROOT / "docs" / "roles").glob("*.md"))
# What a person does who has started or changed something: looks until it is so.
WAIT = "n=0; until {question} >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 60 ]; sleep 0.3; done"
RELOADED = 'venue-gateway status --json --state try | grep -q "$(sha256sum < venue.toml | cut -c1-64)"'


def script(page: Path) -> str:
    """Every block that is marked, one after the other, in one shell that stops at the first failure."""
    lines = ["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for block in TRIED.findall(page.read_text("utf-8")):
        for line in block.splitlines():
            lines.append(line)
            if line.endswith(" &"):
                lines.append(WAIT.format(question="venue-gateway status --state try"))
            if line.startswith("kill -HUP"):
                lines.append(WAIT.format(question=RELOADED))
    return "\n".join(lines)


@pytest.mark.timeout(300)  # some twenty commands, one after the other
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_steps_of_a_page_can_be_gone(page: Path, tmp_path: Path) -> None:
    """Each block after `<!-- try -->` is run: no command fails, and the alarm of the tutorial is there and goes."""
    program = tmp_path / "bin" / "venue-gateway"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
                       "from gateway.cli import main\nsys.exit(main())\n")  # fmt: skip
    program.chmod(0o755)
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "LANG": "C.UTF-8", "COLUMNS": "80"}
    done = subprocess.run(
        ["bash", "-c", script(page)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240, check=False
    )

    assert 0 == done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    for words in (
        "can be used",
        "lamp: watching",
        "leak-button: over, latched and acknowledged, revision",
        "leak-button: normal, revision",
        "paper-room-door is cut",
    ):
        assert words in done.stdout, done.stdout


def test_the_tutorial_is_tried() -> None:
    """There is a page whose steps are gone; were the mark misspelt, nothing would be."""
    assert "first-venue.md" in {page.name for page in PAGES}


def test_each_role_has_one_page_in_each_language() -> None:
    """Five roles, two languages, and no page longer than a sheet."""
    names = {page.name for page in ROLES}
    longest = {page.name: len(page.read_text("utf-8").splitlines()) for page in ROLES}

    assert 10 == len(names)
    assert {name.replace(".md", ".zh-CN.md") for name in names if ".zh-CN" not in name} <= names
    assert {} == {name: count for name, count in longest.items() if count > 45}


def test_the_drawings_are_those_of_their_script() -> None:
    """Each drawing is what the script draws (`make reference`), and its pins are those of the example."""
    sys.path.insert(0, str(ROOT / "docs"))
    import make_drawings

    sample = (ROOT / "firmware_config" / "examples" / "small-school.toml").read_text("utf-8")
    for name, make in make_drawings.DRAWINGS.items():
        text = make().svg()
        shown = re.findall(r">((?:pin|pin_other|lamp_pin|buzzer_pin) = \d+)<", text)

        assert text == (ROOT / "docs" / "wiring" / name).read_text("utf-8")
        assert [] == [each for each in shown if each not in sample]
