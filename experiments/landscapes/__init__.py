"""Analytic landscapes, ensembles of runs on them, and their pictures."""
