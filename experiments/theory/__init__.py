"""Sections 2 and 3.3 and appendix A: the theory."""

from experiments.theory.config import Config
from experiments.theory.estimates import estimate
from experiments.theory.figures import draw
from experiments.theory.units import run

__all__ = ["Config", "draw", "estimate", "run"]
