"""The sections of the paper as packages: what they consist of, imported when it is asked for."""

import importlib
from typing import Any

PARTS = {"Config": "config", "run": "units", "estimate": "estimates", "draw": "figures"}
"""What a section consists of, and the modules of its package that contain it."""


class Section:
    """A section of the paper, whose :data:`PARTS` are imported when they are asked for.

    A worker that computes units imports neither matplotlib nor scipy's statistics, and wrong settings are
    refused before anything but the section's ``config`` is imported.

    Args:
        name: Of its package, or of one module with all parts.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, part: str) -> Any:
        whole = importlib.import_module(self._name)
        if hasattr(whole, part) or part not in PARTS:
            return getattr(whole, part)
        return getattr(importlib.import_module(f"{self._name}.{PARTS[part]}"), part)

    def __reduce__(self) -> tuple[type["Section"], tuple[str]]:
        return Section, (self._name,)


def section_of(cfg: Any, package: str = "experiments") -> Section:
    """The section that a composed configuration is about."""
    return Section(f"{package}.{cfg['experiment']}")
