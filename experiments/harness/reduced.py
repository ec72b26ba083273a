"""What a run scaled down: its settings against those of the profile ``paper``."""

from collections.abc import Collection
from fnmatch import fnmatch
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from experiments.harness.config import CONF, Base

NEVER = ("profile", "seed", "workers", "part", "parts", "paths.*", "title", "section", "experiment")


def reductions(cfg: Base, ignore: Collection[str] = ()) -> dict[str, tuple[Any, Any]]:
    """Settings that differ from the published ones: ours and the paper's, by dotted key.

    Args:
        cfg: The settings of a run.
        ignore: Patterns of keys that do not count, such as the number of runs, which only widens intervals.
    """
    ours, published = _flat(OmegaConf.to_container(OmegaConf.structured(cfg))), _published(cfg.experiment)
    return {
        key: (ours.get(key), published.get(key))
        for key in sorted(ours.keys() | published.keys())
        if not any(fnmatch(key, pattern) for pattern in (*NEVER, *ignore))
        # A setting that a file leaves out has its default in the schema, which no profile changes.
        and key in published
        and ours.get(key) != published[key]
    }


def describe(found: dict[str, tuple[Any, Any]]) -> str:
    """The reductions in one phrase; empty when there are none."""
    return ", ".join(f"{key} {ours} (published: {published})" for key, (ours, published) in found.items())


def _published(experiment: str) -> dict[str, Any]:
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("config", [f"experiment={experiment}", "profile=paper"])
    return _flat(OmegaConf.to_container(cfg, resolve=True))


def _flat(node: Any, name: str = "") -> dict[str, Any]:
    """Leaves by dotted key; a list is a leaf."""
    if not isinstance(node, dict):
        return {name: node}
    leaves: dict[str, Any] = {}
    for key, child in node.items():
        leaves |= _flat(child, f"{name}.{key}" if name else str(key))
    return leaves
