"""Section 4.5: MNIST."""

from experiments.mnist.units import Config, claims, figures, run

__all__ = ["Config", "claims", "figures", "run"]
