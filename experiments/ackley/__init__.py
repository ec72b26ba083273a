"""Section 4.1: the Ackley function."""
