"""The state of a long unit of work, saved while it is computed, and the loop that saves it."""

import os
import sys
import time
from typing import Any, Protocol

from experiments.harness.units import surroundings

SECONDS = 10.0
"""Time between two checkpoints: what an interruption can lose."""
Row = dict[str, Any]


class Resumable(Protocol):
    """Something that is computed piece by piece and can go on from a saved state."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to compute."""

    def advance(self) -> list[Row]:
        """Compute the next piece; its rows."""

    def state_dict(self) -> dict[str, Any]:
        """All that the next piece depends on: tensors, numbers, text, lists and dictionaries."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""


def run(work: Resumable) -> list[Row]:
    """Advance ``work`` to its end, or go on with what was interrupted, to the same bits.

    The state is saved every :data:`SECONDS` in the unit's checkpoint file, which is complete at any moment.

    Returns:
        The rows of all pieces, those before an interruption included.
    """
    rows: list[Row] = []
    state = load()
    if state is not None and state["work"].keys() != work.state_dict().keys():
        print(
            f"{surroundings().checkpoint} is of another version; this unit of work starts again",
            file=sys.stderr,
        )
    elif state is not None:
        work.load_state_dict(state["work"])
        rows = state["rows"]
    saved = time.monotonic()
    while not work.finished:
        rows += work.advance()
        if time.monotonic() - saved >= SECONDS and not work.finished:
            save({"work": work.state_dict(), "rows": rows})
            saved = time.monotonic()
    return rows


def save(state: dict[str, Any]) -> None:
    """Write ``state`` to the unit's checkpoint file, if it has one."""
    path = surroundings().checkpoint
    if path is None:
        return
    import torch  # takes seconds, which short units need not wait for

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    os.replace(partial, path)


def load() -> dict[str, Any] | None:
    """The state in the unit's checkpoint file; None without one.

    If the file is not readable, a warning is printed and the unit starts again.
    """
    path = surroundings().checkpoint
    if path is None or not path.exists():
        return None
    import torch

    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        return state
    except Exception as error:  # torch.load raises whatever the damage makes of the bytes
        why = str(error).splitlines()[0]
        print(f"{path} cannot be read ({why}); this unit of work starts again", file=sys.stderr)
        return None
