"""Section 4.3: two basins."""

from experiments.two_basin.units import Config, claims, figures, run

__all__ = ["Config", "claims", "figures", "run"]
