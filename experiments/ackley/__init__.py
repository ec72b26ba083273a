"""Section 4.1: the Ackley function."""

from experiments.ackley.config import Config
from experiments.ackley.estimates import estimate
from experiments.ackley.figures import draw
from experiments.ackley.units import run

__all__ = ["Config", "draw", "estimate", "run"]
