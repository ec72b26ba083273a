"""What a run scaled down: its settings against those of the profile ``paper``."""

from collections.abc import Collection
from fnmatch import fnmatch
from typing import Any

from experiments.harness.settings import Experiment, compose, load

Reductions = dict[str, tuple[Any, Any]]
"""Settings of a run and of the paper by dotted key."""
NEVER = ("profile", "seed", "title", "section", "*.label", "*.color", "*.marker", "*.role", "*.paper")
"""Settings on which no number depends, and the seed."""


def reductions(cfg: Experiment, ignore: Collection[str] = ()) -> Reductions:
    """Settings that differ from those of the profile ``paper``: ours and the paper's, None for none.

    Args:
        cfg: The settings of a run.
        ignore: Patterns of keys that do not count, such as the number of runs, which only widens intervals.
    """
    paper = load(compose(f"experiment={cfg.experiment}", "profile=paper"), type(cfg))
    ours, theirs = _flat(cfg.portable()), _flat(paper.portable())
    return {
        key: (ours.get(key), theirs.get(key))
        for key in sorted(ours.keys() | theirs.keys())
        if not any(fnmatch(key, pattern) for pattern in (*NEVER, *ignore))
        and ours.get(key) != theirs.get(key)
    }


def describe(found: Reductions, *patterns: str) -> str:
    """The reductions in one phrase; empty when there are none.

    Args:
        found: As :func:`reductions` gives them.
        patterns: Of the keys that are named, such as those that a claim depends on; ``*`` for all.
    """
    return ", ".join(
        f"{key} {ours} (published: {theirs})"
        for key, (ours, theirs) in found.items()
        if any(fnmatch(key, pattern) for pattern in patterns or ("*",))
    )


class Reduced:
    """What a claim's settings have that is not as published; they are compared once for all claims.

    Args:
        cfg: The settings of the run.
        always: In words, what is not as published whatever a claim depends on.
    """

    def __init__(self, cfg: Experiment, always: str = "") -> None:
        self._found, self._always = reductions(cfg), always

    def __call__(self, *patterns: str) -> str:
        """In words, for the settings that a claim depends on, numbers of runs and points apart.

        Args:
            patterns: Of dotted keys, such as ``search.*``.

        Returns:
            Empty if they are all as published.
        """
        return ", ".join(filter(None, [self._always, describe(self._found, *patterns)]))


def _flat(node: Any, name: str = "") -> dict[str, Any]:
    """Leaves by dotted key; a list is a leaf."""
    if not isinstance(node, dict):
        return {name: node}
    leaves: dict[str, Any] = {}
    for key, child in node.items():
        leaves |= _flat(child, f"{name}.{key}" if name else str(key))
    return leaves
