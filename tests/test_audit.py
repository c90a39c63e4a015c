"""The audit of dependencies, against a server of our own that speaks PyPI's JSON API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import audit
import pytest

ROOT = Path(__file__).parent.parent
OLD_JINJA = {
    "id": "PYSEC-2019-217",
    "aliases": ["CVE-2019-10906", "GHSA-462w-v97r-4m45"],
    "details": "In Pallets Jinja before 2.10.1,\nstr.format_map allows a sandbox escape.",
    "summary": None,
    "fixed_in": ["2.10.1"],
    "withdrawn": None,
}
FOUND = (
    "audit: found: jinja2 2.10: PYSEC-2019-217, CVE-2019-10906, GHSA-462w-v97r-4m45: "
    "In Pallets Jinja before 2.10.1, str.format_map allows a sandbox escape. (mended in 2.10.1)"
)
NOTHING = {"vulnerabilities": []}


@pytest.fixture
def answers() -> dict[str, object]:
    """By path: a document, or a status."""
    return {
        "/pypi/jinja2/2.10/json": {"vulnerabilities": [OLD_JINJA]},
        "/pypi/rich/13.9.4/json": NOTHING,
    }


@pytest.fixture
def service(answers: dict[str, object]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path, 404)
            self.send_response(answer if isinstance(answer, int) else 200)
            self.end_headers()
            self.wfile.write(b"" if isinstance(answer, int) else json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            """The test looks at what is printed by the audit."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def pinned(tmp_path: Path) -> list[str]:
    """Two packages, as `make requirements` writes them, and a project that accepts nothing."""
    (tmp_path / "requirements.txt").write_text(
        "jinja2==2.10 ; python_version < '4' \\\n    --hash=sha256:00\n    # via us\n"
        "rich==13.9.4 \\\n    --hash=sha256:00\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.audit.accepted]\n")
    return [str(tmp_path / "requirements.txt"), "--project", str(tmp_path / "pyproject.toml"), "--service"]


def test_a_known_vulnerability_fails(service: str, pinned: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A pin with a finding fails, with what it is, under every name, and what mends it."""
    assert 1 == audit.main([*pinned, service])

    assert [
        FOUND,
        f"audit: 2 packages asked of {service}, known vulnerabilities: 1",
    ] == capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("name", ["PYSEC-2019-217", "CVE-2019-10906"])
def test_what_is_accepted_with_a_reason_is_shown_and_passes(
    service: str, pinned: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By any of its names; it stays in sight."""
    Path(pinned[2]).write_text(f'[tool.audit.accepted]\n{name} = "no templates of strangers"\n')

    assert 0 == audit.main([*pinned, service, "--insist"])
    assert FOUND.replace("found", "accepted", 1) in capsys.readouterr().out


@pytest.mark.parametrize("withdrawn", [None, "2026-01-01T00:00:00Z"])
def test_what_was_withdrawn_is_no_finding(
    service: str,
    pinned: list[str],
    answers: dict[str, object],
    withdrawn: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An advisory that its authors took back counts no longer."""
    answers["/pypi/rich/13.9.4/json"] = {"vulnerabilities": [{"id": "PYSEC-1", "withdrawn": withdrawn}]}
    audit.main([*pinned, service])

    assert (withdrawn is None) == ("audit: found: rich 13.9.4: PYSEC-1" in capsys.readouterr().out)


PROOF, RICH = "/pypi/jinja2/2.10/json", "/pypi/rich/13.9.4/json"
UNASKED = [
    # what answers instead of the service -> what is said
    ({PROOF: 404}, 2, "the answer is 404"),
    ({PROOF: 503}, 2, "the answer is 503"),
    ({PROOF: "a page"}, 2, "the answer says nothing of vulnerabilities"),
    ({PROOF: {"info": {}}}, 2, "the answer says nothing of vulnerabilities"),
    ({PROOF: NOTHING}, 2, "it does not know CVE-2019-10906, so it knows nothing"),
    ({RICH: 404}, 1, "the answer is 404"),
]


@pytest.mark.parametrize(("changed", "count", "why"), UNASKED)
def test_what_could_not_be_asked_is_said_and_never_taken_for_good(
    service: str,
    pinned: list[str],
    answers: dict[str, object],
    changed: dict[str, object],
    count: int,
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mirror without advisories, an outage, a provider's page: a closed network builds, `make audit` fails."""
    answers |= changed
    Path(pinned[2]).write_text('[tool.audit.accepted]\nPYSEC-2019-217 = "no templates of strangers"\n')

    assert 0 == audit.main([*pinned, service])
    assert (
        f"audit: NOT DONE for {count} of 2 packages, {service} could not be asked: {why}"
        in capsys.readouterr().out.splitlines()
    )
    assert 1 == audit.main([*pinned, service, "--insist"])


def test_no_network_is_said_too(pinned: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens there."""
    assert 0 == audit.main([*pinned, "http://127.0.0.1:1"])
    assert "could not be asked: [Errno 111] Connection refused" in capsys.readouterr().out
    assert 1 == audit.main([*pinned, "http://127.0.0.1:1", "--insist"])


def test_every_pin_of_the_project_is_asked_of() -> None:
    """The requirement files hold no line that the audit reads past."""
    files = sorted(ROOT.glob("requirements*.txt"))
    written = {line.split(" ")[0] for file in files for line in file.read_text().splitlines() if line[0] not in " #"}

    assert 80 < len(written)
    assert written == {f"{name}=={version}" for name, version in audit.pins(files)}
