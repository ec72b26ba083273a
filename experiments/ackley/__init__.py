"""Section 4.1: the Ackley function."""

from experiments.ackley.units import Config, claims, figures, run

__all__ = ["Config", "claims", "figures", "run"]
