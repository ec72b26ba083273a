"""Table 2 from the tables: accuracies, the difference between the optimizers, and what BBI conserves."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pandas as pd

from experiments.harness.reduced import describe, reductions
from experiments.harness.statistics import Estimate, bootstrap
from experiments.harness.tables import Tables, table_of
from experiments.images.config import ClassificationConfig, Protocol

STATISTICS: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median}


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


def chosen(tables: Tables, protocol: Protocol, contender: str) -> pd.DataFrame:
    """The row of ``runs`` with the settings that a protocol chose for a contender, or none."""
    rows = table_of(tables, "runs", "protocol", "contender", "setting")
    mine = (rows["contender"] == contender) & (rows["protocol"] == protocol.label)
    return rows[(rows["stage"] == "selected") & mine]


def evolved(tables: Tables, protocol: Protocol, contender: str, table: str = "runs") -> pd.DataFrame:
    """Evolutions (rows of ``runs`` or ``curves``) with the settings that a protocol chose for a contender.

    As many as the protocol has: where another one chose the same settings, it may have run them more often.
    """
    columns = ("stage", "contender", "setting", "run", "epoch", "status", "train_loss", "test_accuracy")
    rows = table_of(tables, table, *columns)
    mine = rows["setting"].isin(chosen(tables, protocol, contender)["setting"]) & (
        rows["run"] < protocol.runs
    )
    found = rows[(rows["stage"] == "evolve") & (rows["contender"] == contender) & mine]
    return found.reset_index(drop=True)


def accuracy_claims(tables: Tables, cfg: ClassificationConfig) -> list[Estimate]:
    """Mean and median of the last test accuracy for every protocol and contender, as in Table 2."""
    found = []
    for key, protocol in cfg.protocols.items():
        for name, contender in cfg.contenders.items():
            runs = evolved(tables, protocol, name)
            values = runs["test_accuracy"].to_numpy()
            if not len(values):
                continue
            reduced = reduction(tables, cfg, (name,), key)
            made = _number_of_runs(cfg, key)
            # The published protocol with the paper's own contender is the reading that Table 2 is about.
            plain = protocol.label == "published" and name in ("sgd", "bbi")
            for statistic, compute in STATISTICS.items():
                words = [statistic] + ([] if plain else [f"{protocol.label} selection", contender.label])
                diverged = int((runs["status"] == "diverged").sum())
                note = f"{runs['setting'].iloc[0]}; {diverged} diverged; {precision(cfg)}{made}"
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
        sgd = evolved(tables, protocol, "sgd").set_index("run")
        for name, contender in cfg.contenders.items():
            bbi = evolved(tables, protocol, name).set_index("run")
            if contender.optimizer != "bbi" or sgd.empty or bbi.empty:
                continue
            both = sgd.index.intersection(bbi.index)
            gap = (bbi["test_accuracy"] - sgd["test_accuracy"]).loc[both].to_numpy()
            low, high = bootstrap(gap, np.mean, seed=0)
            seen = "BBI is ahead" if low > 0 else "SGD is ahead" if high < 0 else "no difference seen"
            few = f"{len(gap)} runs of each, too few for an interval"
            seen = few if np.isnan(low) else f"{seen} at 95 %"
            ends, theirs = (rows["train_loss"].loc[both].mean() for rows in (bbi, sgd))
            below = "below" if ends < theirs else "not below"
            loss = f"last training loss {ends:.2g}, {below} SGD's {theirs:.2g}"
            found.append(
                Estimate(
                    "no-overfit",
                    float(gap.mean()),
                    low,
                    high,
                    len(gap),
                    f"{images}: {seen}; {loss}; {precision(cfg)}{_number_of_runs(cfg, key)}",
                    variant=f"{images}, {protocol.label} selection, {contender.label}",
                    reduced=reduction(tables, cfg, ("sgd", name), key),
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
        speed = row.speed if row.steps > 0 else np.nan
        for claim, value, n, note in (
            ("speed-limit", speed, int(row.steps), f"{above}; {stride}"),
            ("batch-rescale", energy, max(changes, 0), f"{above}: left out"),
        ):
            found.append(Estimate(claim, value, np.nan, np.nan, n, note, variant=variant))
    return found


def precision(cfg: ClassificationConfig) -> str:
    """The arithmetic of forward and backward pass; the paper's was float32."""
    return "bfloat16" if cfg.engine.bf16 else "float32"


def reduction(
    tables: Tables, cfg: ClassificationConfig, contenders: Collection[str], protocol: str = "published"
) -> str:
    """Why the numbers of contenders under a protocol cannot be compared with Table 2; empty if they can.

    Fewer runs only widen intervals. Other protocols and contenders do not matter, nor if they are there.
    """
    images = "" if _data(tables)["comparable"] else f"data: {data_name(tables)}"
    found = reductions(cfg, ignore=("engine.*", "protocols.*.runs", "contenders.*.label", "checked_steps"))
    for group, mine in (
        ("protocols.", (protocol,)),
        ("contenders.", contenders),
        ("grid.values.", contenders),
    ):
        for key in [key for key in found if key.startswith(group)]:
            if key.removeprefix(group).partition(".")[0] not in mine:
                del found[key]
    return ", ".join(filter(None, [images, describe(found)]))


def _number_of_runs(cfg: ClassificationConfig, protocol: str) -> str:
    """What a note adds where a protocol has more or fewer runs than published."""
    ours, published = reductions(cfg).get(f"protocols.{protocol}.runs", (0, 0))
    return f"; {ours} runs (published: {published})" if ours != published else ""


def claims(tables: Tables, cfg: ClassificationConfig) -> list[Estimate]:
    """All answers of section 4.5 that a data set gives."""
    images = data_name(tables)
    return [
        *accuracy_claims(tables, cfg),
        *difference_claims(tables, cfg, images),
        *conservation_claims(tables, cfg, images),
    ]
