"""Devices by name, and what they compute natively; torch is imported only when it is asked."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import OmegaConf

from experiments.harness.errors import UserError

if TYPE_CHECKING:
    import torch

guesses: ContextVar[list[str] | None] = ContextVar("guesses", default=None)
"""If a list, :func:`native_bf16` does not import torch, but adds the device to it and returns False."""
Device = Literal["auto", "cpu", "cuda"]
"""A device by name, whether this machine has it or not: the tables of a run on a GPU can be read anywhere."""


def torch_device(name: Device) -> "torch.device":
    """The device of that name; ``auto`` is the GPU if there is one.

    Raises:
        UserError: There is no GPU.
    """
    import torch  # takes a second, and most mistakes in settings can be reported without it

    found = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and found == "cpu":
        raise UserError("engine.device=cuda: torch sees no GPU here; choose cpu or auto")
    return torch.device(found if name == "auto" else name)


def native_bf16(device: str) -> bool:
    """Whether a device computes in bfloat16 natively: ``${native_bf16:DEVICE}`` in the YAML files.

    Elsewhere it is emulated, which takes two to three times as long as float32. The resolved value is stored
    with the results, so that they can be read on any machine.

    Args:
        device: ``cpu``, ``cuda``, or anything else for the GPU if there is one.

    Returns:
        False too where there is no GPU, or on a CPU whose features this version of torch does not report.
    """
    if (guessed := guesses.get()) is not None:
        guessed.append(device)
        return False
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    names = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
    return device != "cuda" and any(features.get(name, False) for name in names)


OmegaConf.register_new_resolver("native_bf16", native_bf16, replace=True)
