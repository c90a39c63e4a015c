"""Documents say what is true: commands can be given, links lead somewhere, tables are those of the program."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import build_parser
from gateway.contacts.lamp import PATTERNS
from gateway.machine.health import SYSTEM

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r" (?:\||\|\||>|>>|<|&)(?: |$)")  # where the shell's own part of a line begins
LINK = re.compile(r"\]\(([^)\s]+)\)")


def commands() -> Iterator[tuple[str, str]]:
    """Each `venue-gateway` line of a block of commands, with its page; what a shell would take off is off."""
    for page in PAGES:
        text = page.read_text("utf-8")
        fenced = [line for block in FENCE.findall(text) for line in block.splitlines()]
        indented = [line[4:] for line in text.splitlines() if line.startswith("    venue-gateway ")]
        for line in fenced + indented:
            words = line.removeprefix("$ ").split("  #")[0]
            if words.startswith("venue-gateway "):
                yield page.name, SHELL.split(words)[0].strip()


def blocks(page: Path) -> list[str]:
    """What stands in the fenced blocks, without remarks."""
    return [re.sub(r" +#.*", "", block) for block in FENCE.findall(page.read_text("utf-8"))]


def table_after(page: str, mark: str) -> list[list[str]]:
    """The rows of the first table after a mark, without its head."""
    lines = (ROOT / page).read_text("utf-8").split(f"<!-- {mark}", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.mark.parametrize(("page", "command"), sorted(set(commands())))
def test_commands_of_the_documents_can_be_given(page: str, command: str) -> None:
    """Every command line that a page shows is one that the program takes."""
    args = build_parser().parse_args(shlex.split(command)[1:])

    assert args.handler


def test_documents_show_enough_commands_for_the_test_to_mean_something() -> None:
    """The pages are found, and so are their commands."""
    assert len(set(commands())) > 30


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.zh-CN.md")), ids=lambda page: page.name)
def test_a_page_in_chinese_gives_the_commands_of_the_english_one(page: Path) -> None:
    """Two languages, one way: the blocks of a page's Chinese are those of its English, but for what they remark."""
    english = page.with_name(page.name.replace(".zh-CN", ""))

    assert blocks(english) == blocks(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of this repository finds it, and every anchor its heading."""
    broken = []
    for link in LINK.findall(page.read_text("utf-8")):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        file = (page.parent / target) if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)

    assert [] == broken


def test_links_lead_somewhere_in_the_release_archive_too() -> None:
    """Who installs from a stick has the documents only: what they point at must be in the archive."""
    carried = re.search(r'cp -R (.*) "\$to/"', (ROOT / "firmware_config/bundle.sh").read_text("utf-8"))
    assert carried is not None
    lost = []
    for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "README.zh-CN.md"]:
        for link in LINK.findall(page.read_text("utf-8")):
            target = link.partition("#")[0]
            if target and "://" not in target:
                lost.append((page.parent / target).resolve().relative_to(ROOT).parts[0])

    assert set() == set(lost) - set(carried[1].split())


def anchors(page: Path) -> set[str]:
    """What a heading is called in a link."""
    heads = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_first_screen_of_the_readme_has_both_commands_and_the_picture() -> None:
    """A stranger sees what it is, `make demo`, `make test` and the thing itself before anything else."""
    for name in ("README.md", "README.zh-CN.md"):
        first = "\n".join((ROOT / name).read_text("utf-8").splitlines()[:25])

        assert "make demo" in first
        assert "make test" in first
        assert "](docs/demo.svg)" in first


def test_the_lamp_table_is_the_lamp() -> None:
    """People read the lamp by this table: it is the program's own."""
    written = {tuple(row) for row in table_after("docs/operations.md", "lamp:")}

    assert {(step.value, pattern.meaning) for step, pattern in PATTERNS.items()} == written


def test_every_alarm_of_the_gateway_itself_is_explained() -> None:
    """An alarm that nobody can look up helps nobody."""
    written = " ".join(row[0] for row in table_after("docs/operations.md", "alarms:"))
    explained = set(re.findall(r"`([a-z-]+)`", written))

    assert set() == set(SYSTEM) - explained


def test_make_has_the_targets_that_the_documents_name() -> None:
    """`make demo`, `make test` and whatever else a page tells people to type is there."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = {name for page in PAGES for name in re.findall(r"\bmake ([a-z]+)\b(?=`| +#|\n)", page.read_text("utf-8"))}

    assert {"demo", "test"} <= named
    assert set() == {name for name in named if f"\n{name}:" not in makefile}
