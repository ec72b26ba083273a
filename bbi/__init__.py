"""Energy-Conserving Descent for PyTorch: the optimizer BBI, its family, and ensembles of runs."""

from bbi.laws import BornInfeld, Frictionless, InverseMass, Logarithmic, Power, Separable
from bbi.members import BBI, ECDSep
from bbi.optimizer import ECD

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
