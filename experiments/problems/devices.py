"""Where networks are trained."""

import torch

from experiments.harness.config import one_of
from experiments.harness.errors import UserError

DEVICES = ("auto", "cpu", "cuda")


def check_device(name: str, value: str) -> None:
    """Raise :class:`UserError` unless ``value`` is ``auto``, ``cpu`` or, where there is a GPU, ``cuda``."""
    one_of(name, value, DEVICES)
    if value == "cuda" and not torch.cuda.is_available():
        raise UserError(f"{name}=cuda: torch sees no GPU here; choose cpu or auto")


def device(value: str) -> torch.device:
    """The device of that name; ``auto`` is the GPU if there is one."""
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(found if value == "auto" else value)
