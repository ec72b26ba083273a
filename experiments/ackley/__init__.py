"""Section 4.1: the Ackley function."""

from experiments.harness.exports import exports

__getattr__ = exports(__name__)
