"""Give the stored units of section 4.4 their new keys and columns: migrate_pde.py OLD.sqlite NEW-FOLDER."""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from experiments.harness.store import Store
from experiments.harness.tables import Tables, unpack
from experiments.harness.units import Done, Unit, derived_seed, unit
from experiments.pde.config import Engine, Problem, Thresholds
from experiments.pde.units import shooting, training

CLASSES: dict[str, dict[str, Any]] = {
    "bbi": {"_target_": "bbi.BBI"},
    "gdm": {"_target_": "torch.optim.SGD", "fused": True},
    "adam": {"_target_": "torch.optim.Adam", "fused": True},
}
ORDER = ("lr", "momentum", "delta_v", "delta_e", "t0", "t1", "n_bounces")  # as in the experiment's file
WHOLE = ("t0", "t1", "n_bounces")
KNOWN = ("problem", "contender", "network", "run")  # labels that the section adds
UNKNOWN = json.dumps({"commit": None})  # units from before the commit was noted


def new_unit(old: dict[str, Any]) -> Unit:
    """The unit that an old key stands for."""
    if "shooting" in old:
        return unit(shooting, k=old["shooting"]["k"], dimension=old["shooting"]["dimension"])
    budget, seed, run = old["budget"], old["seed"], old["run"]
    given = {name: budget["fixed"][name] for name in ORDER if name in budget["fixed"]}
    assert len(given) == len(budget["fixed"])
    fixed = {name: int(value) if name in WHOLE else value for name, value in given.items()}
    seeds = {
        "network": derived_seed(seed, "network", old["network"]),
        "bounces": derived_seed(seed, "bounces", run),
        "points": derived_seed(seed, "points", run if budget["redraw"] else "fixed"),
        "judge": derived_seed(seed, "held out"),
    }
    return unit(
        training,
        problem=Problem(**old["training"]),
        optimizer={**CLASSES[budget["optimizer"]], **fixed},
        iterations=budget["iterations"],
        redraw=budget["redraw"],
        seeds=seeds,
        engine=Engine(variant=old["reading"], device=old["device"], compiled=old["compiled"]),
        thresholds=Thresholds(**old["judged"]),
    )


def new_tables(tables: Tables) -> Tables:
    """The rows under their new names, without the labels that the section adds."""
    return {
        name: rows.drop(columns=[label for label in KNOWN if label in rows]).rename(
            columns={"miss": "boundary_residual"}
        )
        for name, rows in tables.items()
    }


def main(old: Path, folder: Path) -> None:
    """Write the units of the database ``old`` to a new store in ``folder``."""
    database = sqlite3.connect(f"file:{old}?mode=ro&immutable=1", uri=True)
    rows = database.execute("SELECT key, seconds, payload, made FROM units ORDER BY rowid").fetchall()
    with Store(folder) as store:
        for key, seconds, payload, made in rows:
            done = Done(new_tables(unpack(payload, old)), seconds, made or UNKNOWN)
            store.put(new_unit(json.loads(key)), done)
    print(f"{len(rows)} units from {old} to {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
