"""Energy-Conserving Descent for PyTorch: the optimizer BBI, its family, and ensembles of runs."""

from bbi.laws import BornInfeld, Frictionless, InverseMass, Isokinetic, Logarithmic, Power, Separable
from bbi.optimizer import ECD
from bbi.presets import BBI, ECDq1, ECDSep

__version__ = "0.1.0"

__all__ = [
    "BBI",
    "ECD",
    "BornInfeld",
    "ECDSep",
    "ECDq1",
    "Frictionless",
    "InverseMass",
    "Isokinetic",
    "Logarithmic",
    "Power",
    "Separable",
    "__version__",
]
