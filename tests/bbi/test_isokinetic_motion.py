"""ECDq1 at small steps: what its continuous motion conserves, and blackjax."""

import itertools
import math

import numpy as np
import pytest

from tests.bbi.test_isokinetic import SCALES, hills, order, run, slope

SIDEWAYS = np.array([2.0, 1.0, -1.0, 0.5, 1.0, -2.0]) / math.sqrt(11.25)


def round_bowl(x):
    return 0.5 + (x * x).sum(-1)


@pytest.mark.parametrize("eta", [1.0, 2.5])
def test_the_angular_momentum_in_a_round_bowl_is_conserved(eta):
    """The Noether charge |Π| (θ_i u_j - θ_j u_i) of rotations, where |Π| = V^-c and c = ½ η d/(d-1)."""
    c, drifts = 0.5 * eta * 3 / 2, []
    toward = np.array([0.6, 0.0, 0.8])
    for lr in (1.6e-2, 4e-3):
        seen, _ = run(round(2 / lr), lr, np.array([0.2, -1.0, 0.3]), round_bowl, toward, eta=eta, nu=0.0)
        u = np.diff(seen, axis=0)
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        spin, v = np.cross(seen[:-1], u), round_bowl(seen[:-1])
        charge = spin * v[:, None] ** -c
        drifts.append(np.abs(charge / charge[0] - 1).max())
        assert np.abs(spin / spin[0] - 1).max() > 0.3  # without |Π| it is not conserved
    assert drifts[1] < 0.03
    assert order(drifts) == pytest.approx(1, abs=0.15)


def test_the_microcanonical_energy_is_conserved():
    """S + (d-1) log |Π| with S = ½ η d log V, whose second term a kick with a constant force changes by
    (d-1) log(cosh δ - u·e sinh δ), where e = ∇S/|∇S| and δ = Δt |∇S|/(d-1)."""
    eta, d, changes = 1.5, 6, []
    for lr in (1.6e-2, 4e-3):
        seen, _ = run(round(3 / lr), lr, toward=SIDEWAYS, eta=eta, nu=0.0)
        seen, dt = seen[1:], lr / math.sqrt(eta)  # after the first step, which goes straight
        u = np.concatenate([SIDEWAYS[None], np.diff(seen, axis=0)])[:-1]
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        s = 0.5 * eta * d * np.log(hills(seen))
        force = 0.5 * eta * d * slope(seen[:-1]) / hills(seen[:-1])[:, None]
        size = np.linalg.norm(force, axis=1)
        cosine, delta = (u * force).sum(1) / size, dt * size / (d - 1)
        kinetic = (d - 1) * np.log(np.cosh(delta) - cosine * np.sinh(delta))
        changes.append(np.abs(s[1:] - s[0] + np.cumsum(kinetic)).max())
        assert np.ptp(s) > 1
    assert changes[1] < 0.05
    assert order(changes) == pytest.approx(1, abs=0.15)


def test_it_is_the_motion_of_microcanonical_samplers():
    """One trajectory of blackjax's velocity Verlet integrator, ½ kick, drift, ½ kick with exact rotations.

    ECDq1's step is kick, drift, and its kick is a rotation to first order. So the two part by O(Δt), and the
    extrapolation of ECDq1 to Δt = 0 is nearer by an order.
    """
    pytest.importorskip("blackjax")
    import jax
    from blackjax.mcmc.integrators import IntegratorState, isokinetic_velocity_verlet

    eta, d, time = 1.5, 6, 2.0
    with jax.enable_x64(True):

        def log_density(x):
            v = 0.3 + 0.5 * (SCALES * x * x).sum() + 0.1 * jax.numpy.cos(x).sum()
            return -0.5 * eta * d * jax.numpy.log(v)

        def reference(start, steps):
            one = isokinetic_velocity_verlet(log_density)
            at = jax.numpy.asarray(start)
            state = IntegratorState(at, jax.numpy.asarray(SIDEWAYS), *jax.value_and_grad(log_density)(at))
            return np.asarray(
                jax.lax.fori_loop(0, steps, lambda _, s: one(s, time / steps)[0], state).position
            )

        errors = []
        for steps in (200, 400, 800):
            lr = time / steps * math.sqrt(eta)
            seen, _ = run(steps + 1, lr, toward=SIDEWAYS, eta=eta, nu=0.0)
            errors.append(seen[-1] - reference(seen[1], 800))
    sizes = [np.abs(error).max() for error in errors]
    assert sizes[2] < 3e-3
    assert order(sizes[:2], 2) == pytest.approx(1, abs=0.1)
    assert order(sizes[1:], 2) == pytest.approx(1, abs=0.1)
    extrapolated = [np.abs(2 * b - a).max() for a, b in itertools.pairwise(errors)]
    assert extrapolated[1] < 1e-5
    assert order(extrapolated, 2) == pytest.approx(2, abs=0.2)
