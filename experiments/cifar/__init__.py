"""Section 4.5: CIFAR-10."""

from experiments.cifar.units import Config, claims, figures, run

__all__ = ["Config", "claims", "figures", "run"]
