"""Energy-Conserving Descent for PyTorch: the optimizer BBI, its family, and ensembles of runs."""

from bbi.laws import BornInfeld
from bbi.optimizer import BBI, ECD

__all__ = ["BBI", "ECD", "BornInfeld"]
