"""Train on MNIST with one choice of the released code at a time, and write a table.

    BBI_DATA=… python scripts/variants.py --results results

Where paper and released code differ, BBI runs with the paper's choice in everything but one. The settings are
those that the released grid chose (Δt = 0.2, δE = 1). With the same seed all start from the same numbers, and
see the same batches, so differences are taken seed by seed.

The rule, fixed before any run: a choice matters if the 99 % interval (Student's, over the seeds) of its
difference excludes 0, in the test accuracy or in the logarithm of the training loss of the last epoch. It is
99 % because five choices are judged by two numbers each.
"""

import math
import sys
from collections.abc import Mapping
from pathlib import Path

import measured
import numpy as np
import pandas as pd
from scipy import stats

from experiments.harness.errors import UserError
from experiments.harness.executor import LazyExecutor
from experiments.harness.settings import compose, load
from experiments.harness.units import Surroundings, derived_seed, perform, unit
from experiments.images import sources, study
from experiments.images.config import Task
from experiments.mnist.config import Config

SEEDS = 10
EPOCHS, IMAGES = 10, 10_000
LEVEL = 0.99
PAPER = "paper"
CHOICES: dict[str, tuple[str, int]] = {
    PAPER: ("paper", 120),
    "initial momentum tensor by tensor": ("released-start", 120),
    "random vectors from a cube": ("released-vectors", 120),
    "a bounce uses up a step": ("released-bounce", 120),
    "these three": ("released", 120),
    "dense layer of 10 instead of 120": ("paper", 10),
}
"""``variant`` of BBI, and the outputs of the network, of which the paper gives no number."""


def trained(cfg: Config) -> pd.DataFrame:
    """The last row of each training, with its ``choice`` and ``seed``.

    Raises:
        UserError: There is no MNIST.
    """
    images = sources.load("mnist", cfg.paths.data, download=cfg.paths.download)
    if images.stand_in:
        raise UserError("MNIST is not there: set BBI_DATA to a folder that has it")
    plan = [(choice, seed) for seed in range(SEEDS) for choice in CHOICES]
    with LazyExecutor(cfg.executor) as executor:
        waiting = []
        for choice, seed in plan:
            variant, outputs = CHOICES[choice]
            task = Task(
                dataset=cfg.dataset, checksum=images.checksum, recipe=cfg.recipe,
                network={**cfg.network, "outputs": outputs}, engine=cfg.engine,
            )  # fmt: skip
            optimizer = {**cfg.competitors["bbi"].optimizer({"lr": 0.2, "delta_e": 1.0}), "variant": variant}
            call = unit(
                study.training_run, task=task, optimizer=optimizer, epochs=EPOCHS,
                seed=derived_seed(cfg.seed, "variants", seed),
            )  # fmt: skip
            waiting.append(executor.submit(perform, call.key, Surroundings(cfg.paths.data)))
        rows = []
        for (choice, seed), future in zip(plan, waiting, strict=True):
            [row] = future.result().tables["runs"].to_dict("records")
            rows.append({"choice": choice, "seed": seed, **row})
            print(rows[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def interval(differences: np.ndarray) -> tuple[float, float, float]:
    """Mean of some differences, and Student's interval for it."""
    mean = float(differences.mean())
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(differences) - 1) * stats.sem(differences))
    return mean, mean - half, mean + half


def compared(runs: pd.DataFrame) -> list[dict[str, object]]:
    """One row for each choice: its means, and its differences to the paper's seed by seed."""
    wide: Mapping[str, pd.DataFrame] = {
        "accuracy": runs.pivot(index="seed", columns="choice", values="test_accuracy"),
        "log_loss": np.log(runs.pivot(index="seed", columns="choice", values="train_loss")),
    }
    rows: list[dict[str, object]] = []
    for choice in CHOICES:
        row: dict[str, object] = {"choice": choice, "seeds": SEEDS, "epochs": EPOCHS, "images": IMAGES}
        matters = False
        for name, values in wide.items():
            row[name] = round(float(values[choice].mean()), 4)
            if choice == PAPER:
                numbers = (math.nan,) * 3
            else:
                numbers = interval((values[choice] - values[PAPER]).to_numpy())
                matters |= numbers[1] > 0 or numbers[2] < 0  # not with a run that diverged: NaN
            for key, number in zip(("difference", "low", "high"), numbers, strict=True):
                row[f"{name}_{key}"] = round(number, 4)
        row["matters"] = matters
        row["accuracies"] = " ".join(f"{x:.2f}" for x in wide["accuracy"][choice])
        row["losses"] = " ".join(f"{x:.2e}" for x in np.exp(wide["log_loss"][choice]))
        rows.append(row)
    return rows


def measure(results: Path) -> measured.Rows:
    """The rows of all choices."""
    overrides = [f"recipe.train={IMAGES}", "profile=paper", f"paths.results={results}"]
    return compared(trained(load(compose("experiment=mnist", *overrides), Config)))


if __name__ == "__main__":
    sys.exit(measured.run("variants", __doc__, measure))
