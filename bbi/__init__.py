"""Energy-Conserving Descent for PyTorch: the optimizer BBI, its family, and ensembles of runs."""

from bbi.diagnosis import Finding, diagnose
from bbi.laws import BornInfeld, Frictionless, InverseMass, Isokinetic, Logarithmic, Power, Separable
from bbi.optimizer import ECD
from bbi.presets import BBI, ECDq1, ECDSep
from bbi.recorder import Recorder
from bbi.step_size import first_lr

__version__ = "0.1.0"

__all__ = [
    "BBI",
    "ECD",
    "BornInfeld",
    "ECDSep",
    "ECDq1",
    "Finding",
    "Frictionless",
    "InverseMass",
    "Isokinetic",
    "Logarithmic",
    "Power",
    "Recorder",
    "Separable",
    "__version__",
    "diagnose",
    "first_lr",
]
