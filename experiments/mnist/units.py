"""Section 4.5, MNIST: a small CNN, settings from a grid, then long training runs (Table 2)."""

from itertools import product

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
    work = []
    for by, (name, points) in product(cfg.protocols.values(), cells.items()):
        plan = by.trial(cfg.grid.epochs, compute.seed("trials"))
        for number, point in enumerate(points):
            labels = {"competitor": name, "protocol": by.label, "trial": number, **point}
            optimizer = cfg.competitors[name].optimizer(point)
            work.append((labels, unit(study.trial, task=task, optimizer=optimizer, plan=plan)))
    done = compute([call for _, call in work], "grid")
    rows = [labelled(tables["trials"], **labels) for (labels, _), tables in zip(work, done, strict=True)]
    return train_chosen(cfg, compute, task, images, rows)
