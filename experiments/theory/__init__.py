"""Sections 2 and 3.3 and appendix A: the theory."""

from experiments.harness.exports import exports

__getattr__ = exports(__name__)
