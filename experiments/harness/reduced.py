"""What a run scaled down: its settings against those of the profile ``paper``."""

import functools
from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Any

import pandas as pd

from experiments.harness.settings import Experiment, compose, load

NEVER = ("profile", "seed", "title", "section", "*.label", "*.color", "*.marker", "*.role", "*.paper")
"""Settings on which no number depends, and the seed."""


class Reduced:
    """What a run's settings have that is not as published; they are compared once for all claims.

    Args:
        cfg: The settings of the run.
        always: In words, what is not as published whatever a claim depends on.

    Attributes:
        found: Settings that differ from those of the profile ``paper``, by dotted key: ours and the paper's,
            None for none.
    """

    def __init__(self, cfg: Experiment, always: str = "") -> None:
        ours, theirs = _flat(cfg), _published(cfg.experiment, type(cfg))
        self._always = always
        self.found = {
            key: (ours.get(key), theirs.get(key))
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key) and not _matches(key, NEVER)
        }

    def __call__(self, *patterns: str) -> str:
        """The reductions that a claim depends on in one phrase; empty if there are none.

        Args:
            patterns: Of dotted keys, such as ``search.*``. Numbers of runs, which only widen intervals, are
                not among them.
        """
        named = [
            f"{key} {ours} (published: {theirs})"
            for key, (ours, theirs) in self.found.items()
            if _matches(key, patterns)
        ]
        return ", ".join(filter(None, [self._always, *named]))


def _matches(key: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(key, pattern) for pattern in patterns)


@functools.cache  # a report of several experiments is written again after each
def _published(experiment: str, schema: type[Experiment]) -> dict[str, Any]:
    return _flat(load(compose(f"experiment={experiment}", "profile=paper"), schema))


def _flat(cfg: Experiment) -> dict[str, Any]:
    """Leaves by dotted key; a list is a leaf."""
    leaves: dict[str, Any] = pd.json_normalize(cfg.portable()).to_dict("records")[0]
    return leaves
