"""Table 2 from the tables: accuracies, the difference between the optimizers, and what BBI conserves."""

import math
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from experiments.competitors import baselines, method
from experiments.harness import reduced
from experiments.harness.statistics import Estimate, of_mean, of_median
from experiments.harness.tables import Tables, table_of, where
from experiments.images.config import PAPER, ClassificationConfig, Protocol

SIZE = ("dataset", "recipe.*", "network.*", "epochs", "grid.epochs", "search.*")
"""Settings on which all accuracies depend."""


def data_name(tables: Tables) -> str:
    """The name of the images that were used."""
    return str(_data(tables)["data"])


def trained_on(tables: Tables, cfg: ClassificationConfig) -> str:
    """Which images, how many of them and in what pixels, and the arithmetic: a title."""
    pixels = "normalised pixels" if cfg.recipe.normalise else "pixels in [0, 1]"
    count = f"{int(_data(tables)['train_images']):,} images"
    return f"{data_name(tables)}, {count}, {pixels}, {precision(cfg)}"


def _data(tables: Tables) -> "pd.Series[Any]":
    return tables["runs"].query("stage == 'data'").iloc[0]


def precision(cfg: ClassificationConfig) -> str:
    """The arithmetic of forward and backward pass; the paper's was float32."""
    return "bfloat16" if cfg.engine.bf16 else "float32"


def chosen(tables: Tables, protocol: Protocol, name: str) -> pd.DataFrame:
    """The row of ``runs`` with the settings that a protocol chose for a competitor, or none."""
    rows = table_of(tables, "runs", "protocol", "competitor", "setting")
    return where(rows, stage="selected", competitor=name, protocol=protocol.label)


def trained(tables: Tables, protocol: Protocol, name: str, table: str = "runs") -> pd.DataFrame:
    """Training runs (rows of ``runs`` or ``curves``) with what a protocol chose for a competitor.

    As many as the protocol has: where another one chose the same settings, it may have run them more often.
    """
    columns = ("stage", "competitor", "setting", "run", "epoch", "status", "train_loss", "test_accuracy")
    rows = where(table_of(tables, table, *columns), stage="train", competitor=name)
    mine = (rows["run"] < protocol.runs) & rows["setting"].isin(chosen(tables, protocol, name)["setting"])
    return rows[mine].reset_index(drop=True)


class Reduced(reduced.Reduced):
    """What accuracies have that is not as in Table 2; fewer runs only widen intervals."""

    def __init__(self, tables: Tables, cfg: ClassificationConfig) -> None:
        super().__init__(cfg, "" if _data(tables)["comparable"] else f"data: {data_name(tables)}")

    def accuracies(self, *names: str, protocol: str = PAPER) -> str:
        """In words, for the accuracies of competitors under a protocol; empty if they can be compared."""
        by = [f"protocols.{protocol}.{key}" for key in ("criterion", "validation_images", "stream")]
        mine = [f"{group}.{name}.*" for group in ("competitors", "grid.values") for name in names]
        return self(*SIZE, *by, *mine)

    def numbers(self, cfg: ClassificationConfig, protocol: str) -> dict[str, Any]:
        """Precision and number of runs under a protocol, ours and that of the profile ``paper``."""
        ours = cfg.protocols[protocol].runs
        _, paper = self.found.get(f"protocols.{protocol}.runs", (ours, ours))
        return {"precision": precision(cfg), "runs": ours, "paper_runs": paper or 0}


def table2(tables: Tables, cfg: ClassificationConfig) -> list[Estimate]:
    """All answers of section 4.5 that a data set gives."""
    known = Reduced(tables, cfg)
    pairs = list(product(cfg.protocols, cfg.competitors))
    law = cfg.competitors[method(cfg.competitors)].target
    found = []
    for key, name in pairs:
        if cfg.competitors[name].paper:
            found += _accuracies(tables, cfg, key, name, known)
    for (key, name), rival in product(pairs, baselines(cfg.competitors)):
        if cfg.competitors[name].target == law:
            found += _difference(tables, cfg, key, name, rival, known)
    return [*found, *_conservation(tables, cfg)]


def _accuracies(
    tables: Tables, cfg: ClassificationConfig, key: str, name: str, known: Reduced
) -> list[Estimate]:
    """Mean and median of a competitor's last test accuracy under a protocol, as in Table 2."""
    protocol, competitor = cfg.protocols[key], cfg.competitors[name]
    runs = trained(tables, protocol, name)
    values = runs["test_accuracy"].to_numpy()
    if not len(values):
        return []
    # The paper's protocol with the paper's own competitor is the variant that Table 2 is about.
    plain = key == PAPER and competitor.role != "other"
    words = "" if plain else f", {protocol.label} selection, {competitor.label}"
    numbers = {
        "setting": runs["setting"].iloc[0],
        "diverged": int((runs["status"] == "diverged").sum()),
        **known.numbers(cfg, key),
    }
    claim, size = f"{cfg.experiment}-{competitor.paper}", known.accuracies(name, protocol=key)
    return [
        Estimate(claim, value, *ends, len(values), numbers, variant=statistic + words, reduced=size)
        for statistic, value, ends in (
            ("mean", float(values.mean()), of_mean(values, seed=0)),
            ("median", float(np.median(values)), of_median(values)),
        )
    ]


def _difference(
    tables: Tables, cfg: ClassificationConfig, key: str, name: str, rival: str, known: Reduced
) -> list[Estimate]:
    """BBI minus a baseline, run by run, in test accuracy, and a baseline minus BBI in log10 of training loss.

    Both start from the same network and batches.
    """
    protocol, images = cfg.protocols[key], data_name(tables)
    mine, theirs = (trained(tables, protocol, one).set_index("run") for one in (name, rival))
    if mine.empty or theirs.empty:
        return []
    both = theirs.index.intersection(mine.index)
    loss = pd.concat([theirs["train_loss"], mine["train_loss"]], axis=1).loc[both]
    gaps = {
        "no-overfit": (mine["test_accuracy"] - theirs["test_accuracy"]).loc[both],
        "training-loss": -np.log10(loss.where(loss > 0)).diff(axis=1).iloc[:, 1],
    }
    numbers = {
        "images": images,
        "baseline": cfg.competitors[rival].label,
        "loss": float(mine["train_loss"].loc[both].mean()),
        "baseline_loss": float(theirs["train_loss"].loc[both].mean()),
        **known.numbers(cfg, key),
    }
    words = [images, f"{protocol.label} selection", cfg.competitors[name].label]
    if rival != baselines(cfg.competitors)[0]:
        words.append(f"against {cfg.competitors[rival].label}")
    size, found = known.accuracies(rival, name, protocol=key), []
    for claim, gap in gaps.items():
        one = Estimate(claim, gap.mean(skipna=False), *of_mean(gap, seed=0), len(gap), numbers)
        found.append(one._replace(variant=", ".join(words), reduced=size))
    return found


def _conservation(tables: Tables, cfg: ClassificationConfig) -> list[Estimate]:
    """The speed limit and the energy, at every step of a training on minibatches of its own, in float64."""
    found, checked = [], cfg.checked_steps
    epoch = math.ceil(_data(tables)["train_images"] / cfg.recipe.batch)
    for row in where(tables["runs"], stage="conservation").to_dict("records"):
        steps, above = int(row["steps"]), int(row["above"])
        variant = f"{data_name(tables)} minibatches, {cfg.competitors[row['competitor']].label}"
        numbers = {
            "checked": checked,
            "share": checked / (cfg.epochs * epoch),
            "above": above,
            "still": checked - steps,
            "speed": row["speed"],
        }
        changes = steps - above - 1  # of the batch, across which the energy can be compared
        stride = row["stride"] if steps > 0 else np.nan
        energy = row["energy"] if changes > 0 else np.nan
        for claim, value, n in (("speed-limit", stride, steps), ("batch-rescale", energy, max(changes, 0))):
            found.append(Estimate(claim, value, n=n, numbers=numbers, variant=variant))
    return found
