"""Section 4.5: MNIST."""

from experiments.mnist.config import Config
from experiments.mnist.estimates import estimate
from experiments.mnist.figures import draw
from experiments.mnist.units import run

__all__ = ["Config", "draw", "estimate", "run"]
