"""The settings of an experiment, as a command line would give them."""

from functools import cache
from typing import Any

from experiments.harness.sections import section_of
from experiments.harness.settings import compose, load


@cache  # composing takes a fifth of a second, and settings do not change
def composed(experiment: str, *overrides: str, profile: str = "paper") -> Any:
    cfg = compose(f"experiment={experiment}", f"profile={profile}", *overrides)
    return load(cfg, section_of(cfg).Config)
