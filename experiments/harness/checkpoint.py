"""The state of a long unit of work, kept in a file while it is computed."""

import os
import sys
from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state``: tensors, numbers, text, lists and dictionaries. The file is whole at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: Path) -> dict[str, Any] | None:
    """The state in ``path``; None if there is none, or none that can be read, which is said on stderr."""
    try:
        state = torch.load(path, weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as error:  # torch.load raises whatever the damage makes of the bytes
        why = str(error).splitlines()[0]
        print(f"{path} cannot be read ({why}); this unit of work starts again", file=sys.stderr)
        return None
    assert isinstance(state, dict)
    return state
