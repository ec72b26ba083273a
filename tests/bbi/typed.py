"""What a type checker knows of settings and results.

Each ``type: ignore`` here is an assertion: mypy, which `make lint` runs, reports one that silences no error.
"""

import torch

from bbi import BBI, ECDSep


def use(params: list[torch.Tensor]) -> None:
    opt = BBI(params, 0.1)
    BBI(params, 0.1, delta_ee=0.5)  # type: ignore[call-arg]
    ECDSep(params, 0.1, delta_v=0.5)  # type: ignore[call-arg]
    number: float = opt.step(lambda: 1.0)
    tensor: torch.Tensor = opt.step(loss=torch.ones(()))
    text: str = opt.step(loss=1.0)  # type: ignore[assignment]
    print(number, tensor, text)
