"""Section 4.4: a nonlinear Poisson equation."""

from experiments.harness.exports import exports

__getattr__ = exports(__name__)
