"""Where networks are trained."""

from typing import Literal

import torch

from experiments.harness.errors import UserError

Device = Literal["auto", "cpu", "cuda"]
"""A device by name, whether this machine has it or not: the tables of a run on a GPU can be read anywhere."""


def device(value: Device) -> torch.device:
    """The device of that name; ``auto`` is the GPU if there is one.

    Raises:
        UserError: There is no GPU.
    """
    found = "cuda" if torch.cuda.is_available() else "cpu"
    if value == "cuda" and found == "cpu":
        raise UserError("engine.device=cuda: torch sees no GPU here; choose cpu or auto")
    return torch.device(found if value == "auto" else value)
