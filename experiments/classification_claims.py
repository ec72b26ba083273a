"""Table 2 from the tables: accuracies, the difference between the optimizers, and what BBI conserves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from experiments.harness.reduced import describe, reductions
from experiments.harness.stats import Estimate, bootstrap
from experiments.harness.store import Tables
from experiments.problems.protocol import ClassificationConfig

STATISTICS: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median}


def data_name(tables: Tables) -> str:
    """The name of the images that were used."""
    return str(_data(tables)["data"])


def trained_on(tables: Tables) -> str:
    """Which images, and how many of them."""
    return f"{data_name(tables)}, {int(_data(tables)['train_images']):,} images"


def _data(tables: Tables) -> "pd.Series[Any]":
    return tables["runs"].query("stage == 'data'").iloc[0]


def evolved(tables: Tables, protocol: str, contender: str, table: str = "runs") -> pd.DataFrame:
    """Evolutions (rows of ``runs`` or ``curves``) with the settings that a protocol chose for a contender."""
    chosen, rows = tables["runs"], tables[table]
    chosen = chosen[(chosen["stage"] == "selected") & (chosen["contender"] == contender)]
    settings = set(chosen.loc[chosen["protocol"] == protocol, "setting"])
    found = rows[
        (rows["stage"] == "evolve") & (rows["contender"] == contender) & rows["setting"].isin(settings)
    ]
    return found.reset_index(drop=True)


def accuracy_claims(tables: Tables, cfg: ClassificationConfig) -> list[Estimate]:
    """Mean and median of the last test accuracy for every protocol and contender, as in Table 2."""
    found = []
    for key, protocol in cfg.protocols.items():
        reduced = reduction(tables, cfg, key)
        for name, contender in cfg.contenders.items():
            runs = evolved(tables, protocol.label, name)
            values = runs["test_accuracy"].to_numpy()[: protocol.runs]
            if not len(values):
                continue
            # The published protocol with the paper's own contender is the reading that Table 2 is about.
            plain = protocol.label == "published" and name in ("sgd", "bbi")
            for statistic, compute in STATISTICS.items():
                words = [statistic] + ([] if plain else [f"{protocol.label} selection", contender.label])
                diverged = int((runs["status"] == "diverged").sum())
                note = f"{runs['setting'].iloc[0]}; {diverged} diverged; {precision(cfg)}"
                found.append(
                    Estimate(
                        f"{cfg.experiment}-{contender.optimizer}",
                        float(compute(values)),
                        *bootstrap(values, compute, seed=0),
                        len(values),
                        note,
                        variant=", ".join(words),
                        reduced=reduced,
                    )
                )
    return found


def difference_claims(tables: Tables, cfg: ClassificationConfig, images: str) -> list[Estimate]:
    """BBI minus SGD in test accuracy, run by run: both start from the same network with the same batches."""
    found = []
    for key, protocol in cfg.protocols.items():
        reduced = reduction(tables, cfg, key)
        sgd = evolved(tables, protocol.label, "sgd").set_index("run")
        for name, contender in cfg.contenders.items():
            bbi = evolved(tables, protocol.label, name).set_index("run")
            if contender.optimizer != "bbi" or sgd.empty or bbi.empty:
                continue
            both = sgd.index.intersection(bbi.index)[: protocol.runs]
            gap = (bbi["test_accuracy"] - sgd["test_accuracy"]).loc[both].to_numpy()
            low, high = bootstrap(gap, np.mean, seed=0)
            seen = "BBI is ahead" if low > 0 else "SGD is ahead" if high < 0 else "no difference seen"
            few = f"{len(gap)} runs of each, too few for an interval"
            seen = few if np.isnan(low) else f"{seen} at 95 %"
            loss = f"last training loss {bbi['train_loss'].mean():.2g}, SGD's {sgd['train_loss'].mean():.2g}"
            found.append(
                Estimate(
                    "no-overfit",
                    float(gap.mean()),
                    low,
                    high,
                    len(gap),
                    f"{images}: {seen}; {loss}; {precision(cfg)}",
                    variant=f"{images}, {protocol.label} selection, {contender.label}",
                    reduced=reduced,
                )
            )
    return found


def conservation_claims(tables: Tables, cfg: ClassificationConfig, images: str) -> list[Estimate]:
    """The speed limit and the energy, at every step of a training on minibatches of its own, in float64."""
    runs = tables["runs"]
    found = []
    for row in runs[runs["stage"] == "conservation"].itertuples():
        variant = f"{images} minibatches, {cfg.contenders[row.contender].label}"
        above = (
            f"a training of {row.steps:.0f} steps in float64; "
            f"{row.above:.0f} batches had V > E, where no momentum has the energy E"
        )
        changes = int(row.steps - row.above) - 1  # of the batch, at which the energy can be looked at
        stride = (
            f"{row.stride:.6g} with the displacement of a step, which ends with the momentum after the kick"
        )
        energy = row.energy if changes > 0 else np.nan
        for claim, value, n, note in (
            ("speed-limit", row.speed, int(row.steps), f"{above}; {stride}"),
            ("batch-rescale", energy, max(changes, 0), f"{above}: left out"),
        ):
            found.append(Estimate(claim, value, np.nan, np.nan, n, note, variant=variant))
    return found


def precision(cfg: ClassificationConfig) -> str:
    """The arithmetic of the trainings, in words; the paper's was float32."""
    return "bfloat16 forward and backward" if cfg.engine.bf16 else "float32"


def reduction(tables: Tables, cfg: ClassificationConfig, protocol: str = "published") -> str:
    """Why a protocol's numbers cannot be compared with Table 2; empty if they can.

    Fewer runs only widen intervals, and another protocol does not matter: how it chooses, or if it is there.
    """
    images = "" if _data(tables)["comparable"] else f"data: {data_name(tables)}"
    found = reductions(cfg, ignore=("engine.*", "protocols.*.runs", "checked_steps"))
    mine = {
        key: values
        for key, values in found.items()
        if not key.startswith("protocols.") or key.startswith(f"protocols.{protocol}.")
    }
    return ", ".join(filter(None, [images, describe(mine)]))


def claims(tables: Tables, cfg: ClassificationConfig) -> list[Estimate]:
    """All answers of section 4.5 that a data set gives."""
    images = data_name(tables)
    return [
        *accuracy_claims(tables, cfg),
        *difference_claims(tables, cfg, images),
        *conservation_claims(tables, cfg, images),
    ]
