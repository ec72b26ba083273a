"""Section 4.2: the Zakharov function."""

from experiments.zakharov.config import Config
from experiments.zakharov.estimates import estimate
from experiments.zakharov.figures import draw
from experiments.zakharov.units import run

__all__ = ["Config", "draw", "estimate", "run"]
