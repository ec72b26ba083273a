"""What a run scaled down: its settings against those of the profile ``paper``."""

import functools
from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

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
            None for none. What that profile leaves to the machine, such as the precision, is not among them.
    """

    def __init__(self, cfg: Experiment, always: str = "") -> None:
        ours, (theirs, machine) = _flat(cfg.portable()), _published(cfg.experiment, type(cfg))
        self._always = always
        self.found = {
            key: (ours.get(key), theirs.get(key))
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key) and not _matches(key, (*NEVER, *machine))
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
def _published(experiment: str, schema: type[Experiment]) -> tuple[dict[str, Any], list[str]]:
    """The leaves of the profile ``paper``, and the keys whose values depend on the machine."""
    cfg = compose(f"experiment={experiment}", "profile=paper")
    written = _flat(OmegaConf.to_container(cfg, resolve=False))
    machine = [key for key, value in written.items() if "${native_bf16:" in str(value)]
    return _flat(load(cfg, schema).portable()), machine


def _flat(settings: Any) -> dict[str, Any]:
    """Leaves by dotted key; a list is a leaf."""
    leaves: dict[str, Any] = pd.json_normalize(settings).to_dict("records")[0]
    return leaves
