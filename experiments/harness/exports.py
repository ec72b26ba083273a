"""What a section's package exports, imported from the section's modules when it is asked for.

A worker that computes units imports neither matplotlib nor scipy's statistics, and wrong settings are refused
before anything but the section's ``config`` is imported.
"""

import importlib
from collections.abc import Callable
from typing import Any

MODULES = {"Config": "config", "run": "units", "estimate": "estimates", "draw": "figures"}


def exports(package: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a section's package."""

    def find(name: str) -> Any:
        if name not in MODULES:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{MODULES[name]}"), name)

    return find
