"""Section 4.2: the Zakharov function."""

from experiments.harness.exports import exports

__getattr__ = exports(__name__)
