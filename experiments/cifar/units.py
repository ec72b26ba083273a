"""Section 4.5, CIFAR-10: ResNet-18, settings by TPE, then long training runs (Table 2)."""

from experiments.cifar.config import Config
from experiments.harness.session import Compute
from experiments.harness.tables import Tables, labelled
from experiments.harness.units import unit
from experiments.images import study
from experiments.images.selection import prepare, train_chosen


def run(cfg: Config, compute: Compute) -> Tables:
    """Search under each protocol, then train with what each chose."""
    plan = [(by, name) for by in cfg.protocols.values() for name, c in cfg.competitors.items() if c.space]
    task, images = prepare(cfg, compute, len(plan) * cfg.search.trials * cfg.search.epochs)
    units = [
        unit(
            study.search, task=task, optimizer=cfg.competitors[name].optimizer(),
            space=cfg.competitors[name].space, trials=cfg.search.trials, batch=cfg.search.batch,
            plan=by.trial(cfg.search.epochs, compute.seed("trials")),
            stream=[cfg.seed, "tpe", name, by.stream],
        )
        for by, name in plan
    ]  # fmt: skip
    rows = [
        labelled(tables["trials"], competitor=name, protocol=by.label)
        for (by, name), tables in zip(plan, compute(units, "searches"), strict=True)
    ]
    return train_chosen(cfg, compute, task, images, rows)
