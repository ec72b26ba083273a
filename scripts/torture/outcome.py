"""What an attack found: one row a group of cases, and the deadline that all groups share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

SHOWN = 12
"""Failures of a group that are described in words."""


@dataclass
class Row:
    """A group of cases.

    Attributes:
        group: Its kind: lines, steps, kills, files or soak.
        what: The cases.
        runs: How many were tried.
        refused: Of these, how many were refused as documented, in one line.
        failures: How many broke a rule.
        twice: Units of work that were computed twice although they had been stored.
        lost: Units that had been stored and were gone.
        changed: Tables that differ from those of an undisturbed run.
        seconds: How long the group took.
        note: What else was counted.
        found: The first failures in words.
    """

    group: str
    what: str
    runs: int = 0
    refused: int = 0
    failures: int = 0
    twice: int = 0
    lost: int = 0
    changed: int = 0
    seconds: float = 0.0
    note: str = ""
    found: list[str] = field(default_factory=list)

    def fail(self, why: str) -> None:
        """Count a failure."""
        self.failures += 1
        if len(self.found) < SHOWN:
            self.found.append(" ".join(why.split())[:400])

    @property
    def clean(self) -> bool:
        """Whether no rule was broken."""
        return not (self.failures or self.twice or self.lost or self.changed)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time of a block, and say if nothing was tried in it."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds += round(time.monotonic() - start, 1)
            self.note = self.note if self.runs else "no time was left"


class Deadline:
    """The moment at which a group stops, whatever it has done.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def __bool__(self) -> bool:
        """Whether there is time left."""
        return time.monotonic() < self._end

    def left(self) -> float:
        """Seconds that are left."""
        return max(self._end - time.monotonic(), 0.0)
