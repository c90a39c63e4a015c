"""What the editions of HJ 212 do differently, as data, with how sure we are of each edition.

A receiver reads all three: the upper six bits of `Flag` tell which one a message is of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.rules import Proof

EditionName = Literal["2005", "2017", "2025"]


@dataclass(frozen=True, slots=True)
class Edition:
    name: EditionName
    code: int  # the upper six bits of Flag
    mn: re.Pattern[str]  # what a station's number looks like
    answers_name_qn_inside: bool  # answers carry QN in CP and none in the head
    heartbeat: bool  # 9015, answered 9013
    resent_mark: bool  # RF=1 on data that is sent again
    noise_minute: int  # minutes of a noise minute file, unless the platform sets another
    commands: frozenset[str]  # the commands that a station answers
    proof: Proof

    def flag(self, *, answer: bool, packets: bool = False) -> int:
        """Bit 0: an answer is wanted; bit 1: packet numbers are present. 2025 exchanges their letters, not places."""
        return self.code << 2 | packets << 1 | answer


_COMMON = frozenset(["1000", "1011", "1012", "1061", "1062", "1072", "2011", "2012", "2031", "2051", "2061"])
_SINCE_2017 = _COMMON | {"1063", "1064"}

EDITIONS: Mapping[EditionName, Edition] = {
    "2005": Edition(
        "2005",
        code=0,
        mn=re.compile(r"[0-9A-Za-z]{14}"),
        answers_name_qn_inside=True,
        heartbeat=False,
        resent_mark=False,
        noise_minute=10,
        commands=_COMMON,
        proof="secondary",
    ),
    "2017": Edition(
        "2017",
        code=1,
        mn=re.compile(r"[0-9A-F]{24}"),
        answers_name_qn_inside=False,
        heartbeat=False,
        resent_mark=False,
        noise_minute=10,
        commands=_SINCE_2017,
        proof="text",
    ),
    # What secondary accounts agree on. Its encryption (SM4, keys exchanged by 1014) and the commands that give a
    # station its number are not here: their texts could not be read.
    "2025": Edition(
        "2025",
        code=2,
        mn=re.compile(r"[0-9A-Za-z]{24}"),
        answers_name_qn_inside=False,
        heartbeat=True,
        resent_mark=True,
        noise_minute=1,
        commands=_SINCE_2017,
        proof="secondary",
    ),
}


def edition_of(flag: int) -> Edition | None:
    """The edition that a message's Flag names; None when nobody knows it."""
    return next((edition for edition in EDITIONS.values() if edition.code == flag >> 2), None)
