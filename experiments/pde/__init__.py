"""Section 4.4: a nonlinear Poisson equation."""

from experiments.pde.config import Config
from experiments.pde.estimates import estimate
from experiments.pde.figures import draw
from experiments.pde.units import run

__all__ = ["Config", "draw", "estimate", "run"]
