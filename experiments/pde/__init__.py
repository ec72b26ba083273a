"""Section 4.4: a nonlinear Poisson equation."""

from experiments.pde.sections import Config, claims, figures, run

__all__ = ["Config", "claims", "figures", "run"]
