"""Pages that print: reports, sheets. Templates beside this file; one self-contained HTML file comes out.

Nothing is loaded from elsewhere, and no script runs: the page says so itself to the browser (Content-Security-Policy).
Every value is escaped; only what is marked safe in code (charts that we drew) is not. In templates `say` is the
catalogue's, so their messages are collected like all others.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from gateway.catalogue import chosen, say

_FOLDER = Path(__file__).parent


def render(template: str, **values: Any) -> str:
    """The page in the chosen language. `template` names a file beside this one; a missing value is an error."""
    return _environment().get_template(template).render(language=chosen(), say=say, **values)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
