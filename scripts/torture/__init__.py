"""Attacks on the project: wrong command lines, extreme optimizer runs, kills, damaged files, and a soak.

Every module has one function that yields a :class:`torture.outcome.Row` for each group of cases, from a fixed
seed and within a time limit.
"""
