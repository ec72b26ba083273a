"""Named members of the family: BBI and ECDSep."""

import math
from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from bbi.laws import BornInfeld, Power, Separable
from bbi.optimizer import ECD


class BBI(ECD):
    """Energy-conserving descent with the Born-Infeld law: :class:`ECD` with ``law=BornInfeld()``.

    ``BBI(params, lr=1e-2, *, weight_decay=0.0, delta_v=0.0, delta_e=0.0, t0=1000, t1=3000, n_bounces=1,
    tune_delta_v=False, nu=0.0, eps1=1e-10, eps2=1e-40, seed=0, replicas=None, reading="paper",
    process_group=None)``; the arguments are those of :class:`ECD`.
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, **settings: Any) -> None:
        if "law" in settings:
            raise TypeError("BBI has the Born-Infeld law; use ECD(params, lr, law=...) for another one")
        super().__init__(params, lr, law=BornInfeld(), **settings)


class ECDSep(ECD):
    """The separable member of the family, arXiv 2306.00352: H = η log(F + ½ w |Θ|² - F0) + log(s + Π²).

    Each step after the first begins with a partial bounce that keeps |Π|, in place of Algorithm 1's.

    :param params: parameters or groups.
    :param lr: Δt.
    :param eta: η > 0; at 1 and above it sharpens the measure at the bottom.
    :param nu: strength of the partial bounces, about 1e-5: it sets the chaos.
    :param s: offset of Π², > 0, usually 1.
    :param f0: F0, the value of F at which the run stops.
    :param delta_e: Π² at the start.
    :param weight_decay: w.
    :param seed: address of the random vectors.
    :param settings: whatever else :class:`ECD` takes.
    :raises ValueError: for a value out of range, naming it.
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
        delta_e: float | Tensor = 0.0,
        weight_decay: float = 0.0,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        for name, value in (("eta", eta), ("s", s)):
            if not 0 < value < math.inf:
                raise ValueError(f"Invalid {name}: {value} ({name} must be a finite number > 0)")
        clocks = {"t0": math.inf, "t1": math.inf, "n_bounces": 0, "eps1": 0.0}
        common = {"delta_v": f0, "delta_e": delta_e, "weight_decay": weight_decay, "seed": seed, "nu": nu}
        super().__init__(params, lr, law=Power(Separable(s), eta), **{**clocks, **common, **settings})
