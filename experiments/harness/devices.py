"""Where networks are trained."""

import torch

from experiments.harness.errors import UserError
from experiments.harness.settings import one_of

DEVICES = ("auto", "cpu", "cuda")


def check_device(name: str, value: str) -> None:
    """Raise :class:`UserError` unless ``value`` is ``auto``, ``cpu`` or ``cuda``, whether it is here or not.

    The tables of a run on a GPU can be read anywhere.
    """
    one_of(name, value, DEVICES)


def device(value: str) -> torch.device:
    """The device of that name; ``auto`` is the GPU if there is one.

    Raises:
        UserError: There is no GPU.
    """
    found = "cuda" if torch.cuda.is_available() else "cpu"
    if value == "cuda" and found == "cpu":
        raise UserError("engine.device=cuda: torch sees no GPU here; choose cpu or auto")
    return torch.device(found if value == "auto" else value)
