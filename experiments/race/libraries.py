"""Optimizers of the race by other packages, as ``torch.optim.Optimizer`` with a closure."""

import math
from collections.abc import Callable
from typing import Any

import cma
import numpy as np
import scipy.optimize
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim.optimizer import Optimizer, ParamsT

from experiments.race.optimizers import at_least


class _Library(Optimizer):
    """A method of another package that calls for values and gradients itself.

    :meth:`step` is one search of that package, and takes many evaluations. ``finished`` says that another
    one would find nothing new.
    """

    finished = False

    def __init__(self, params: ParamsT, box: float | None, seed: int, **settings: Any) -> None:
        super().__init__(params, settings)
        self.box, self.searches = box, 0
        self.rng = np.random.default_rng(seed)

    @property
    def leaves(self) -> list[Tensor]:
        """All parameters."""
        return [p for group in self.param_groups for p in group["params"]]

    def first(self) -> np.ndarray:
        """Where a search begins: at the parameters, and later ones at a uniform point of the box if known."""
        self.searches += 1
        here: np.ndarray = parameters_to_vector(self.leaves).detach().double().numpy().copy()
        if self.searches == 1 or self.box is None:
            return here
        return self.rng.uniform(-self.box, self.box, len(here))

    def value(self, closure: Callable[[], Any], x: np.ndarray) -> float:
        """F at ``x``, where the parameters are then."""
        leaves = self.leaves
        with torch.no_grad():
            vector = torch.from_numpy(np.asarray(x))
            if len(leaves) == 1:  # as in the race, where each evaluation counts
                leaves[0].copy_(vector.view_as(leaves[0]))
            else:
                vector_to_parameters(vector.to(leaves[0].dtype), leaves)
        with torch.enable_grad():
            return float(closure())

    def value_and_gradient(self, closure: Callable[[], Any], x: np.ndarray) -> tuple[float, np.ndarray]:
        """F and ∇F at ``x``."""
        value = self.value(closure, x)
        if len(leaves := self.leaves) == 1 and leaves[0].grad is not None:
            return value, leaves[0].grad.double().reshape(-1).numpy()
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.leaves]
        return value, parameters_to_vector(grads).double().numpy()


class LBFGS(_Library):
    """L-BFGS of scipy (Liu and Nocedal, 1989), which begins anew at a random point of the box.

    A step is one search until it finds no lower value. Without a box there is one search.

    Args:
        params: Parameters or groups.
        history: Pairs that approximate the Hessian, rounded.
        box: Half the side of the box.
        seed: Of the random points.

    Raises:
        ValueError: For a value out of range.
    """

    def __init__(
        self, params: ParamsT, history: float = 10.0, *, box: float | None = None, seed: int = 0
    ) -> None:
        at_least(1.0, history=history)
        super().__init__(params, box, seed, history=history)

    def step(self, closure: Callable[[], Any]) -> None:  # type: ignore[override]
        """One search."""
        scipy.optimize.minimize(
            lambda x: self.value_and_gradient(closure, x), self.first(), method="L-BFGS-B", jac=True,
            options={"maxcor": round(self.defaults["history"]), **ENDLESS},
        )  # fmt: skip
        self.finished = self.box is None


ENDLESS = {"maxiter": 10**9, "maxfun": 10**9, "ftol": 0.0, "gtol": 0.0}
"""A search of scipy ends only where no lower value is found."""


class BasinHopping(_Library):
    """Basin hopping of scipy (Wales and Doye, 1997) with L-BFGS.

    A step is one search of ``hops`` hops, which ends at the lowest point that it found.

    Args:
        params: Parameters or groups.
        stepsize: Largest change of a coordinate in a hop; scipy adapts it to accept half of the hops.
        temperature: T of the Metropolis criterion.
        hops: Of a step.
        seed: Of the random numbers.

    Raises:
        ValueError: For a value out of range.
    """

    def __init__(
        self,
        params: ParamsT,
        stepsize: float = 0.5,
        *,
        temperature: float = 1.0,
        hops: int = 100,
        seed: int = 0,
    ) -> None:
        at_least(0.0, stepsize=stepsize, temperature=temperature)
        at_least(1, hops=hops)
        super().__init__(params, None, seed, stepsize=stepsize, temperature=temperature, hops=hops)

    def step(self, closure: Callable[[], Any]) -> None:  # type: ignore[override]
        """One search."""
        found = scipy.optimize.basinhopping(
            lambda x: self.value_and_gradient(closure, x), self.first(), niter=self.defaults["hops"],
            T=self.defaults["temperature"], stepsize=self.defaults["stepsize"], rng=self.rng,
            minimizer_kwargs={"method": "L-BFGS-B", "jac": True, "options": ENDLESS},
        )  # fmt: skip
        self.value(closure, found.x)


class CMAES(_Library):
    """CMA-ES of ``cma`` (Hansen and Ostermeier, 2001), with restarts and a doubled population (IPOP).

    It takes values only: the closure may leave out gradients. A step is one search. Above 100 parameters the
    covariance is diagonal.

    Args:
        params: Parameters or groups.
        sigma: First standard deviation.
        population: Factor of the default population, 4 + 3 log n.
        box: Half the side of the box of restarts; None to restart at the parameters.
        seed: Of the random numbers.

    Raises:
        ValueError: For a value out of range.
    """

    def __init__(
        self,
        params: ParamsT,
        sigma: float = 1.0,
        *,
        population: float = 1.0,
        box: float | None = None,
        seed: int = 0,
    ) -> None:
        at_least(0.0, sigma=sigma)
        at_least(1.0, population=population)
        super().__init__(params, box, seed, sigma=sigma, population=population)

    def step(self, closure: Callable[[], Any]) -> None:  # type: ignore[override]
        """One search."""
        start = self.first()
        n = len(start)
        size = round((4 + 3 * math.log(n)) * self.defaults["population"]) * 2 ** (self.searches - 1)
        search = cma.CMAEvolutionStrategy(
            start, self.defaults["sigma"],
            {"popsize": size, "seed": int(self.rng.integers(1, 2**31)), "CMA_diagonal": n > DIAGONAL,
             "verbose": -9, "tolfun": 0, "tolfunhist": 0, "maxiter": np.inf},
        )  # fmt: skip
        while not search.stop():
            points = search.ask()
            search.tell(points, self._values(closure, points))

    def _values(self, closure: Callable[[], Any], points: list[np.ndarray]) -> list[float]:
        """F at the points, all at once if the closure has a function ``values`` of points (K, n)."""
        together: Callable[[Tensor], Tensor] | None = getattr(closure, "values", None)
        if together is None:
            return [self.value(closure, x) for x in points]
        return list(together(torch.from_numpy(np.stack(points))).tolist())


DIAGONAL = 100
"""Most parameters for which CMA-ES has a full covariance, whose size is their square."""
