"""What recorded runs conserve at every step, and the motion in continuous time that they approximate."""

import itertools

import numpy as np
import pandas as pd
import scipy.integrate
import torch
from torch import Tensor

from bbi.laws import Law
from bbi.records import Curves
from bbi.simulate import Potential


def audit(
    curves: Curves, law: Law, potential: Potential, lr: float, delta_v: float, energy: Tensor
) -> pd.DataFrame:
    """The energy and the speed at every step of runs that were recorded at every step.

    The momentum at the start of a step, after the energy is restored, is not recorded. It follows from the
    momentum after the step, αΠ = Π' + Δt H_V ∇V. ``lr`` is Δt, ``energy`` is E of each run, float64 (R,).

    Returns:
        One row a step: ``run``, ``step``, ``v``; ``energy``, H(V, |αΠ|²) / E - 1; ``speed2``, |dΘ/dt|² there
        by the law; ``stride2``, |ΔΘ|²/Δt² from the positions before and after.
    """
    follows = (curves.replica[1:] == curves.replica[:-1]) & (curves.step[1:] == curves.step[:-1] + 1)
    before = follows.nonzero().flatten()
    after = before + 1
    run, theta = curves.replica[before], curves.theta[before]
    value, grad = potential(theta)
    v, e = value - delta_v, energy[run]
    kick = torch.as_tensor(law.kick(v, e))
    p2 = (curves.momentum[after] + (lr * kick)[:, None] * grad).square().sum(-1)
    columns = {
        "v": v,
        "energy": torch.as_tensor(law.energy(v, p2)) / e - 1,
        "speed2": torch.as_tensor(law.drift(v, e, p2)) ** 2 * p2,
        "stride2": (curves.theta[after] - theta).square().sum(-1) / lr**2,
    }
    table = {"run": run, "step": curves.step[before], **columns}
    return pd.DataFrame({name: column.numpy() for name, column in table.items()})


EVALUATIONS = 10_000
"""Of Hamilton's equations, after which :func:`flow` fails; the committed motions take a fifth at most."""


def flow(
    law: Law, potential: Potential, start: Tensor, momentum: Tensor, delta_v: float, times: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Integrate Hamilton's equations dΘ/dt = 2H_P Π, dΠ/dt = -H_V ∇V, as (3) and (32), in continuous time.

    From Θ ``start`` and Π ``momentum`` (n,), at the increasing ``times`` (T,), by an integrator of order 8
    with a relative tolerance of 1e-12. H_V and H_P are taken at E = H of the moment, and the energy is not
    restored: that it stays what it was tests the equations.

    Returns:
        Θ and Π at these times, float64 (T, n).

    Raises:
        RuntimeError: The integrator failed, or needed more than :data:`EVALUATIONS`.
    """
    n, count = len(start), itertools.count()

    def rhs(_: float, state: np.ndarray) -> np.ndarray:
        if next(count) >= EVALUATIONS:
            raise RuntimeError(f"the motion cannot be integrated in {EVALUATIONS} evaluations")
        theta, pi = torch.split(torch.from_numpy(state), n)
        value, grad = potential(theta)
        v, p2 = value - delta_v, pi.square().sum()
        e = law.energy(v, p2)
        return torch.cat((law.drift(v, e, p2) * pi, -law.kick(v, e) * grad)).numpy()

    first = torch.cat((start, momentum)).numpy()
    done = scipy.integrate.solve_ivp(
        rhs, (times[0], times[-1]), first, "DOP853", t_eval=times, rtol=1e-12, atol=1e-14
    )
    if not done.success:
        raise RuntimeError(f"the motion cannot be integrated: {done.message}")
    theta, pi = torch.split(torch.from_numpy(done.y.T), n, dim=1)
    return theta, pi
