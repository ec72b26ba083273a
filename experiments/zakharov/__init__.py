"""Section 4.2: the Zakharov function."""

from experiments.zakharov.units import Config, claims, figures, run

__all__ = ["Config", "claims", "figures", "run"]
