"""Move the stored units of Zakharov's runs to keys with seeds of noise; none of these runs draws random numbers."""

import json
import sqlite3
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from experiments.harness.executor import SerialExecutor
from experiments.harness.session import Compute
from experiments.harness.settings import compose, load
from experiments.harness.store import Store
from experiments.harness.tables import Tables
from experiments.harness.units import Unit
from experiments.zakharov import units
from experiments.zakharov.config import Config


def before(unit: Unit) -> Unit:
    """The unit with the key that it had: the seed of the noise was 0."""
    call = json.loads(unit.key)
    arguments = call["arguments"]
    optimizer = arguments["optimizer"]
    if optimizer["_target_"] == "bbi.BBI":
        assert optimizer["n_bounces"] == 0 and optimizer["t1"] == float("inf") and "nu" not in optimizer
    else:
        assert optimizer["_target_"] == "torch.optim.SGD"
    for plan in arguments.get("plans", ()):
        for later in plan.values():
            later["seed"] = 0
    if "plans" not in arguments:
        arguments["seed"] = 0
    return Unit(json.dumps(call))


class Moving(Compute):
    """Stores each unit under its key of today before it asks for it."""

    def __call__(self, units: Sequence[Unit], what: str) -> list[Tables]:
        for unit in units:
            done = self.store.get(before(unit))
            assert done is not None, unit.key
            self.store.put(unit, done)
            MOVED.append((before(unit).digest,))
        return super().__call__(units, what)


MOVED: list[tuple[str]] = []
folder = Path(sys.argv[1])
cfg = load(compose("experiment=zakharov", "profile=paper"), Config)
with Store(folder) as store:
    units.run(cfg, Moving(cfg, store, SerialExecutor(), threading.Event()))
with sqlite3.connect(folder / "units.sqlite") as database:
    database.executemany("DELETE FROM units WHERE hash = ?", MOVED)
database.execute("VACUUM")
print(len(MOVED), "units moved,", database.execute("SELECT count(*) FROM units").fetchone()[0], "in the store")
