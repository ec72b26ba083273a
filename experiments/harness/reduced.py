"""What a run scaled down: its settings against those of the profile ``paper``."""

from collections.abc import Collection
from fnmatch import fnmatch
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra

from experiments.harness.settings import CONF, Base, load, portable

Reductions = dict[str, tuple[Any, Any]]
"""Settings of a run and of the paper by dotted key."""
NEVER = ("profile", "seed", "title", "section")


def reductions(cfg: Base, ignore: Collection[str] = ()) -> Reductions:
    """Settings that differ from the published ones: ours and the paper's, by dotted key, None for none.

    Args:
        cfg: The settings of a run.
        ignore: Patterns of keys that do not count, such as the number of runs, which only widens intervals.
    """
    ours, published = _flat(portable(cfg)), _flat(portable(_published(cfg)))
    return {
        key: (ours.get(key), published.get(key))
        for key in sorted(ours.keys() | published.keys())
        if not any(fnmatch(key, pattern) for pattern in (*NEVER, *ignore))
        and ours.get(key) != published.get(key)
    }


def describe(found: Reductions, *patterns: str) -> str:
    """The reductions in one phrase; empty when there are none.

    Args:
        found: As :func:`reductions` gives them.
        patterns: Of the keys that are named, such as those that a claim depends on; ``*`` for all.
    """
    return ", ".join(
        f"{key} {ours} (published: {published})"
        for key, (ours, published) in found.items()
        if any(fnmatch(key, pattern) for pattern in patterns or ("*",))
    )


def _published(cfg: Base) -> Base:
    """The settings of the profile ``paper`` for the same experiment."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return load(hydra.compose("config", [f"experiment={cfg.experiment}", "profile=paper"]), type(cfg))


def _flat(node: Any, name: str = "") -> dict[str, Any]:
    """Leaves by dotted key; a list is a leaf."""
    if not isinstance(node, dict):
        return {name: node}
    leaves: dict[str, Any] = {}
    for key, child in node.items():
        leaves |= _flat(child, f"{name}.{key}" if name else str(key))
    return leaves
