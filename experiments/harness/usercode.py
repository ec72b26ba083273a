"""The code of a user's own classes: a result of an earlier version of them is not taken for theirs."""

import functools
import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PROJECT = ("bbi", "experiments", "torch")
"""Packages whose versions are in the provenance only: results of theirs are kept when their code changes."""


def digests(settings: Any) -> dict[str, str]:
    """SHA-256 of the modules of a user's own classes, by the name that the settings give them.

    What these modules import is not looked at. A module is read once in a process, which has to be before
    it is imported.

    Args:
        settings: Plain data; the names are under the keys ``_target_`` and ``ensemble``.
    """
    names = {name for name in _named(settings) if name.partition(".")[0] not in PROJECT and "." in name}
    return {name: digest for name in sorted(names) if (digest := _digest(name))}


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            if key in ("_target_", "ensemble") and isinstance(child, str):
                yield child
            yield from _named(child)
    elif isinstance(node, list):
        for child in node:
            yield from _named(child)


@functools.cache
def _digest(name: str) -> str:
    """Of the module that ``name`` is in; empty if there is none, which the settings' own check reports."""
    module = name.rpartition(".")[0]
    if not module:
        return ""
    try:
        found = importlib.util.find_spec(module)
    except Exception:  # a package that cannot be imported, or a class inside a class
        found = None
    if found is None or not found.origin or not Path(found.origin).is_file():
        return _digest(module)
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()
