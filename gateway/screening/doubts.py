"""Why a thermometer cannot be believed: what no person has, what does not go away, drift against a black body. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from gateway.configuration.screening import Screening
from gateway.moment import NANO, Moment
from gateway.screening.persons import Verdict

IN_A_ROW = 5  # implausible ones, and it is the thermometer
BLACKBODY_S = 60.0

Cause = Literal["implausible", "standing", "drift"]


@dataclass(slots=True)
class Doubts:
    settings: Screening
    _row: int = 0  # implausible in a row
    _black: deque[tuple[float, float]] = field(default_factory=deque)  # s, monotonic, and degC

    def person(self, verdict: Verdict) -> None:
        self._row = self._row + 1 if verdict == "implausible" else 0

    def blackbody(self, at: Moment, value: float) -> None:
        self._black.append((at.mono_ns / NANO, value))

    def drift(self, now: Moment) -> float | None:
        """What it says of the black body minus what that is, the mean of a minute; None when it said too little."""
        now_s = now.mono_ns / NANO
        while self._black and now_s - self._black[0][0] > BLACKBODY_S:
            self._black.popleft()
        reference = self.settings.blackbody_temperature
        if reference is None or not self._black or self._black[-1][0] - self._black[0][0] < BLACKBODY_S / 2:
            return None
        return round(sum(value for _, value in self._black) / len(self._black) - reference, 2)

    def over(self, cause: Cause | None, now: Moment, *, free: bool) -> bool:
        """Whether what was doubted is known to be gone. `free`: the last value was of nobody."""
        if cause == "drift":
            return self.drift(now) is not None
        return free if cause == "standing" else self._row < IN_A_ROW

    def recall(self, cause: str | None) -> Cause | None:
        """What was doubted by the run before is doubted until it is known to be gone."""
        if cause == "implausible":
            self._row = IN_A_ROW
            return "implausible"
        if cause == "drift" and self.settings.blackbody is not None:
            return "drift"
        return "standing" if cause == "standing" else None

    def cause(self, now: Moment, *, standing: bool) -> Cause | None:
        """The gravest one."""
        if self._row >= IN_A_ROW:
            return "implausible"
        if standing:
            return "standing"
        drift = self.drift(now)
        return "drift" if drift is not None and abs(drift) > self.settings.drift else None
