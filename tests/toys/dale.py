"""The same section under another name."""

from tests.toys.hill import Config, draw, estimate, run

__all__ = ["Config", "draw", "estimate", "run"]
