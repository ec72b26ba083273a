"""Section 4.5: CIFAR-10."""

from experiments.harness.exports import exports

__getattr__ = exports(__name__)
