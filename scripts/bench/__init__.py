"""Measurements of speed, each a ratio between things run in turn in one process."""
