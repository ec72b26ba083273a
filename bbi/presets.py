"""BBI, ECDSep and ECDq1: :class:`bbi.ECD` with a law and the settings that belong to it."""

import math
from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from bbi import checks
from bbi.algorithm import EPS1, EPS2
from bbi.laws import BornInfeld, Isokinetic, Power, Separable
from bbi.optimizer import ECD


class BBI(ECD):
    """Energy-conserving descent with the Born-Infeld law.

    It is :class:`ECD` with ``law=BornInfeld()``, which describes the arguments.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.1,
        *,
        weight_decay: float = 0.0,
        delta_v: float | Tensor = 0.0,
        delta_e: float | Tensor = 0.0,
        t0: float | Tensor = 1000,
        t1: float | Tensor = 3000,
        n_bounces: float | Tensor = 1,
        tune_delta_v: bool = False,
        nu: float = 0.0,
        eps1: float = EPS1,
        eps2: float = EPS2,
        seed: int = 0,
        replicas: int | None = None,
        variant: str = "paper",
        process_group: Any = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            law=BornInfeld(),
            weight_decay=weight_decay,
            delta_v=delta_v,
            delta_e=delta_e,
            t0=t0,
            t1=t1,
            n_bounces=n_bounces,
            tune_delta_v=tune_delta_v,
            nu=nu,
            eps1=eps1,
            eps2=eps2,
            seed=seed,
            replicas=replicas,
            variant=variant,
            process_group=process_group,
        )


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
        TypeError: For a value of another type, or a setting that it does not have, naming it.
    """
    checks.settings({"eta": eta, "s": s})
    fixed = {"delta_v": f0, **_NO_CLOCKS}
    for name in fixed.keys() & settings.keys():
        raise TypeError(f"ECDSep has no {name}: f0 is its delta_v, and nu takes the place of clocks")
    return {"law": Power(Separable(s), eta), "nu": nu, **fixed, **settings}


_NO_CLOCKS = {"t0": math.inf, "t1": math.inf, "n_bounces": 0, "eps1": 0.0}


def isokinetic(eta: float, nu: float, f0: float | Tensor) -> dict[str, Any]:
    """The settings of :class:`ECD` that make it ECDq1; the arguments are those of :class:`ECDq1`.

    Raises:
        ValueError: For a value out of range, naming it.
    """
    checks.settings({"eta": eta})
    return {"law": Isokinetic(eta), "nu": nu, "delta_v": f0, **_NO_CLOCKS}


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
        delta_e: Π² at the start.
        weight_decay: As the other arguments, that of :class:`ECD`.
        tune_delta_v: Lowers F0.
        eps2: As in ECD.
        seed: As in ECD.
        replicas: As in ECD.
        variant: As in ECD.
        process_group: As in ECD.

    Raises:
        ValueError: For a value out of range, naming it.
        TypeError: For a value of another type, naming it.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.2,
        *,
        eta: float = 1.0,
        nu: float = 1e-5,
        s: float = 1.0,
        f0: float | Tensor = 0.0,
        weight_decay: float = 0.0,
        delta_e: float | Tensor = 0.0,
        tune_delta_v: bool = False,
        eps2: float = EPS2,
        seed: int = 0,
        replicas: int | None = None,
        variant: str = "paper",
        process_group: Any = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            weight_decay=weight_decay,
            delta_e=delta_e,
            tune_delta_v=tune_delta_v,
            eps2=eps2,
            seed=seed,
            replicas=replicas,
            variant=variant,
            process_group=process_group,
            **separable(eta, nu, s, f0),
        )


class ECDq1(ECD):
    """The isokinetic member of the family, arXiv 2601.22257: a motion of constant speed |dΘ/dt| = 1.

    With V = F + ½ w |Θ|² - F0, d elements that have a gradient, Δt = lr/√η, and Π of length 1, a step is

        Π ← Π/|Π|,    Π ← Π - Δt ½ η d/(d-1) (∇V - Π (Π·∇V))/V,    Θ ← Θ + Δt Π.

    The start is Π = -∇V/|∇V|. Each step after the first begins with a partial refresh of Π's direction,
    Π ← Π/|Π| + ν N/√d, in place of bounces. The motion does not slow down where V is low, as that of the
    other laws does: all that ends it is V ≤ ε2 or a schedule that takes lr to 0. There is no energy to
    choose, and one single number cannot be optimized, since its direction cannot turn.

    Differences to the published code: Π·∇V is the sum over all parameters, not over each tensor; Π starts
    along -∇V with the weight decay in it; d counts what takes part in the step, and neither it nor ``lr``
    is scaled again when the first losses are at or below F0; all of the state is in ``state_dict()``; and
    the refresh is done before the next step instead of after a step, which is the same motion.

    Args:
        params: Parameters or groups. Where groups differ in lr, the motion after the start is that in Θ/lr.
        lr: √η Δt: all parameters together move by Δt a step, and by √(1 + (Δt ½ η d/(d-1) |∇V|/V)²) times
            as much at most.
        eta: η > 0; it sharpens the measure at the bottom.
        nu: ν, about the angle (in radians) of a partial refresh.
        f0: F0, the value of F at which the run stops.
        weight_decay: w ≥ 0.
        tune_delta_v: Lower F0 where F below it shows that it is too high; see :class:`ECD`.
        eps2: ε2, a run stops where V ≤ ε2.
        seed: Of the random vectors.
        replicas: R independent runs, as for :class:`ECD`.
        process_group: As for :class:`ECD`.

    Raises:
        ValueError: For a value out of range, naming it.
        TypeError: For parameters that are not floating-point tensors.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.1,
        *,
        eta: float = 1.0,
        nu: float = 1e-2,
        f0: float | Tensor = 0.0,
        weight_decay: float = 0.0,
        tune_delta_v: bool = False,
        eps2: float = EPS2,
        seed: int = 0,
        replicas: int | None = None,
        process_group: Any = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            weight_decay=weight_decay,
            tune_delta_v=tune_delta_v,
            eps2=eps2,
            seed=seed,
            replicas=replicas,
            process_group=process_group,
            **isokinetic(eta, nu, f0),
        )
