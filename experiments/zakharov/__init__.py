"""Section 4.2: the Zakharov function."""
