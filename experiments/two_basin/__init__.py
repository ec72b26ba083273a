"""Section 4.3: two basins."""

from experiments.harness.exports import exports

__getattr__ = exports(__name__)
