"""BBI and ECDSep: :class:`bbi.ECD` with a law and the settings that belong to it."""

import math
from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from bbi.laws import BornInfeld, Power, Separable
from bbi.optimizer import ECD


class BBI(ECD):
    """Energy-conserving descent with the Born-Infeld law: :class:`ECD` with ``law=BornInfeld()``.

    ``BBI(params, lr=1e-2, *, weight_decay=0.0, delta_v=0.0, delta_e=0.0, t0=1000, t1=3000, n_bounces=1,
    tune_delta_v=False, nu=0.0, eps1=1e-10, eps2=1e-40, seed=0, replicas=None, variant="paper",
    process_group=None)``; :class:`ECD` describes the arguments.
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, **settings: Any) -> None:
        if "law" in settings:
            raise TypeError("BBI has the Born-Infeld law; use ECD(params, lr, law=...) for another one")
        super().__init__(params, lr, law=BornInfeld(), **settings)


def separable(
    eta: float = 1.0,
    nu: float = 1e-5,
    s: float = 1.0,
    f0: float | Tensor = 0.0,
    **settings: Any,
) -> dict[str, Any]:
    """The settings of :class:`ECD` that make it ECDSep; the arguments are those of :class:`ECDSep`.

    Raises:
        ValueError: For a value out of range, naming it.
    """
    for name, value in (("eta", eta), ("s", s)):
        if not 0 < value < math.inf:
            raise ValueError(f"Invalid {name}: {value} ({name} must be a finite number > 0)")
    no_clocks = {"t0": math.inf, "t1": math.inf, "n_bounces": 0, "eps1": 0.0}
    return {"law": Power(Separable(s), eta), "nu": nu, "delta_v": f0, **no_clocks, **settings}


class ECDSep(ECD):
    """The separable member of the family, arXiv 2306.00352: H = η log(F + ½ w |Θ|² - F0) + log(s + Π²).

    Each step after the first begins with a partial refresh of Π's direction, in place of bounces.

    Args:
        params: Parameters or groups.
        lr: Δt.
        eta: η > 0; from 1 on it sharpens the measure at the bottom.
        nu: ν, strength of the partial refresh, about 1e-5. It sets the chaos.
        s: Offset of Π², > 0, usually 1.
        f0: F0, the value of F at which the run stops.
        settings: What else :class:`ECD` takes; ``delta_e`` is Π² at the start.

    Raises:
        ValueError: For a value out of range, naming it.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        *,
        eta: float = 1.0,
        nu: float = 1e-5,
        s: float = 1.0,
        f0: float | Tensor = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__(params, lr, **separable(eta, nu, s, f0, **settings))
