"""Energy-Conserving Descent for PyTorch: the optimizer BBI, its family, and ensembles of runs."""

from bbi.laws import BornInfeld, Frictionless, InverseMass, Logarithmic, Power, Separable
from bbi.optimizer import ECD
from bbi.presets import BBI, ECDSep

__all__ = [
    "BBI",
    "ECD",
    "BornInfeld",
    "ECDSep",
    "Frictionless",
    "InverseMass",
    "Logarithmic",
    "Power",
    "Separable",
]
