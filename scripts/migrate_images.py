"""Move stored units of MNIST and CIFAR-10 to the keys, columns and values of function calls; used once.

python scripts/migrate_images.py OLD.sqlite NEWFOLDER
"""

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from experiments import cifar, mnist
from experiments.harness import tables
from experiments.harness.settings import compose, load
from experiments.harness.store import Store
from experiments.harness.units import Done, Unit, derived_seed, unit
from experiments.images import study
from experiments.images.config import Recipe, Task, Trial
from experiments.images.training import Engine

Key = dict[str, Any]
NETWORKS = {"paper_cnn": ("mnist", mnist, "outputs"), "small_resnet18": ("cifar10", cifar, "width")}
PROTOCOLS = {"published": "paper", "honest": "validation"}
CRITERIA = {"held_accuracy": "validation_accuracy"}
LABELS = ["contender", "protocol", "stage", "setting"]
OF_NO_COMMIT = '{"commit": null}'


def settings(key: Key) -> Any:
    """The settings of the experiment that a key belongs to."""
    _, section, _ = NETWORKS[key["network"].partition("(")[0]]
    return load(compose(f"experiment={section.__name__.rpartition('.')[2]}", "profile=cpu"), section.Config)


def task(key: Key) -> Task:
    name, size = re.match(r"(\w+)\((\d+)\)", key["network"]).groups()  # type: ignore[union-attr]
    dataset, _, argument = NETWORKS[name]
    return Task(
        dataset=dataset,
        checksum=key["data"],
        recipe=Recipe(**{"normalise": True, **key["recipe"]}),
        network={"_target_": f"experiments.images.networks.{name}", argument: int(size)},
        engine=Engine(**key["engine"]),
    )


def optimizer(key: Key, name: str, given: dict[str, float], searched: bool = True) -> dict[str, Any]:
    """Class and settings, in the order of the experiment's file and equal to those of the key."""
    cfg = settings(key)
    competitor, axes = cfg.competitors[name], cfg.searched(name) if searched else []
    made = competitor.optimizer({axis: given[axis] for axis in axes})
    assert given == {k: v for k, v in made.items() if k not in ("_target_", "fused")}, (given, made)
    return made


def plan(key: Key) -> Trial:
    by = key["by"]
    return Trial(
        epochs=key["epochs"],
        criterion=CRITERIA.get(by["criterion"], by["criterion"]),
        validation_images=by["held_out"],
        seed=derived_seed(key["seed"], "trials"),
    )


def without(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    hidden = [name for name in frame if name.startswith("_")]
    frame = frame.drop(columns=[*LABELS, *columns, *hidden], errors="ignore")
    return frame.rename(columns=CRITERIA)


def single(key: Key, found: tables.Tables) -> tuple[Unit, tables.Tables]:
    """A unit that stays one."""
    seed = key["seed"]
    if "trial" in key:
        name = key["trial"]["contender"]
        made = optimizer(key, name, {**key["fixed"], **key["searched"]})
        call = unit(study.trial, task=task(key), optimizer=made, plan=plan(key))
        return call, {"trials": without(found["trials"], "trial", *key["searched"])}
    if "evolve" in key:
        call = unit(
            study.training_run, task=task(key), optimizer=optimizer(key, key["contender"], key["settings"]),
            epochs=key["epochs"], seed=derived_seed(seed, "run", key["evolve"]),
        )  # fmt: skip
        return call, {name: without(frame, "run") for name, frame in found.items()}
    call = unit(
        study.conservation, task=task(key), optimizer=optimizer(key, key["conservation"], key["settings"]),
        steps=key["steps"], seed=derived_seed(seed, "conservation"),
    )  # fmt: skip
    return call, {"runs": without(found["runs"])}


def search(key: Key, parts: list[pd.DataFrame]) -> tuple[Unit, tables.Tables]:
    """A search, of which each trial was a unit."""
    depends, who = {**key["depends"], "seed": key["seed"]}, key["tpe"]
    name, cfg = who["contender"], settings(depends)
    space = {axis: cfg.competitors[name].space[axis] for axis in cfg.searched(name)}
    assert {axis: bounds.model_dump() for axis, bounds in space.items()} == key["space"]
    trials = without(pd.concat(parts, ignore_index=True))
    by = cfg.protocols[PROTOCOLS[who["protocol"]]]
    assert (plan(depends).criterion, by.stream) == (by.criterion, who["protocol"])
    call = unit(
        study.search, task=task(depends), optimizer=optimizer(depends, name, depends["fixed"], False),
        space=space, trials=len(trials), batch=key["batch"], plan=plan(depends),
        stream=[key["seed"], "tpe", name, by.stream],
    )  # fmt: skip
    return call, {"trials": trials}


def converted(old: Path) -> Iterator[tuple[Unit, Done]]:
    searches: dict[str, list[tuple[Key, pd.DataFrame, float, str]]] = {}
    with sqlite3.connect(f"file:{old}?mode=ro&immutable=1", uri=True) as database:
        rows = database.execute("SELECT key, seconds, payload, made FROM units ORDER BY rowid").fetchall()
    for text, seconds, payload, made in rows:
        key, found = json.loads(text), tables.unpack(payload, old)
        if "selected" in key:
            continue  # a choice is no unit any more
        if "tpe" in key:
            group = searches.setdefault(json.dumps(key["tpe"]), [])
            group.append((key, found["trials"], seconds, made))
        else:
            call, result = single(key, found)
            yield call, Done(result, seconds, made or OF_NO_COMMIT)
    for group in searches.values():
        group.sort(key=lambda part: part[0]["first"])
        [made] = {part[3] for part in group}
        call, result = search(group[0][0], [part[1] for part in group])
        yield call, Done(result, sum(part[2] for part in group), made)


def main(old: Path, folder: Path) -> None:
    with Store(folder) as store:
        count = 0
        for call, done in converted(old):
            store.put(call, done)
            count += 1
    print(f"{old}: {count} units in {folder}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
