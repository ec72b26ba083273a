"""A race of optimizers on functions and small networks; docs/race.md is its protocol."""
