"""The rule by which a choice of the released code matters can say yes and no."""

import numpy as np
import pandas as pd
import pytest
import variants
from scipy import stats


def test_only_a_difference_beyond_its_interval_matters() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (len(variants.CHOICES), variants.SEEDS))
    shifts = {"a bounce uses up a step": 0.5}
    runs = pd.DataFrame([
        {"choice": choice, "seed": seed, "test_accuracy": 98 + shifts.get(choice, 0) + noise[number, seed],
         "train_loss": 1e-3}
        for number, choice in enumerate(variants.CHOICES) for seed in range(variants.SEEDS)
    ])  # fmt: skip
    rows = {row["choice"]: row for row in variants.compared(runs)}
    assert {choice for choice, row in rows.items() if row["matters"]} == set(shifts)
    for choice, differences in zip(variants.CHOICES, noise - noise[0], strict=True):
        if choice != variants.PAPER:
            expected = stats.ttest_1samp(differences, 0).confidence_interval(variants.LEVEL)
            found = rows[choice]["accuracy_low"], rows[choice]["accuracy_high"]
            assert found == pytest.approx(np.add(expected, shifts.get(choice, 0)), abs=1e-4)
