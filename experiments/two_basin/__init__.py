"""Section 4.3: two basins."""

from experiments.two_basin.config import Config
from experiments.two_basin.estimates import estimate
from experiments.two_basin.figures import draw
from experiments.two_basin.units import run

__all__ = ["Config", "draw", "estimate", "run"]
