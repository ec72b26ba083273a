"""Section 4.5, MNIST: a small CNN, settings from a grid, then long training runs (Table 2)."""

from experiments.harness.session import Compute
from experiments.harness.tables import Tables, labelled
from experiments.harness.units import unit
from experiments.images import study
from experiments.images.selection import prepare, train_chosen
from experiments.mnist.config import Config


def run(cfg: Config, compute: Compute) -> Tables:
    """Try the grid under each protocol, then train with what each chose."""
    cells = {name: cfg.cells(name) for name in cfg.competitors}
    tried = sum(map(len, cells.values())) * len(cfg.protocols) * cfg.grid.epochs
    task, images = prepare(cfg, compute, tried)
    plan = [
        (by, name, number, point)
        for by in cfg.protocols.values()
        for name, points in cells.items()
        for number, point in enumerate(points)
    ]
    units = [
        unit(
            study.trial, task=task, optimizer=cfg.competitors[name].optimizer(point),
            plan=by.trial(cfg.grid.epochs, compute.seed("trials")),
        )
        for by, name, _, point in plan
    ]  # fmt: skip
    rows = [
        labelled(tables["trials"], competitor=name, protocol=by.label, trial=number, **point)
        for (by, name, number, point), tables in zip(plan, compute(units, "grid"), strict=True)
    ]
    return train_chosen(cfg, compute, task, images, rows)
