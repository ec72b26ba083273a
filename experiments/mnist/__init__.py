"""Section 4.5: MNIST."""

from experiments.harness.exports import exports

__getattr__ = exports(__name__)
