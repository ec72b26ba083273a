"""Section 4.5: CIFAR-10."""

from experiments.cifar.config import Config
from experiments.cifar.estimates import estimate
from experiments.cifar.figures import draw
from experiments.cifar.units import run

__all__ = ["Config", "draw", "estimate", "run"]
