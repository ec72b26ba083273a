"""Sections 2 and 3.3 and appendix A: the theory."""

from experiments.theory.units import Config, claims, figures, run

__all__ = ["Config", "claims", "figures", "run"]
