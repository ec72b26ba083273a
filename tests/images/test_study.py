"""Trials, training runs and choices on synthetic pictures, some of them against loops by hand."""

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from experiments.harness import checkpoint
from experiments.harness.claims import published
from experiments.harness.executor import SerialExecutor
from experiments.harness.plotting import style
from experiments.harness.sections import section_of
from experiments.harness.session import Compute
from experiments.harness.store import Store
from experiments.images import study
from experiments.images.batches import Batches, Split, normalised
from experiments.images.config import Task
from experiments.images.selection import train_chosen
from tests.composed import composed
from tests.images.small_trainings import (
    ADAM,
    BBI,
    CHANNELS_LAST,
    HERE,
    LBFGS,
    MEAN,
    SGD,
    STD,
    TEST,
    TRAIN,
    computed,
    deep,
    images,
    seeded,
    task,
    tiny,
)

PLAN = {"epochs": 2, "criterion": "validation_accuracy", "validation_images": 8, "seed": 5}
SMALL = (
    f"dataset={HERE}", f"network._target_={HERE}.tiny", "recipe={train:40,test:30,batch:16}",
    "protocols.validation.validation_images=8", "engine.bf16=false", "paths={data:null,download:false}",
)  # fmt: skip


def tried(optimizer: dict[str, Any] = SGD, on: Task | None = None, **plan: Any) -> dict[str, Any]:
    given = {"task": on or task(), "optimizer": optimizer, "plan": {**PLAN, **plan}}
    found: dict[str, Any] = computed(study.trial, **given)["trials"].to_dict("records")[0]
    return found


def test_a_trial_is_a_plain_loop() -> None:
    """The same numbers from a loop by hand, with the validation images at the end of the training set."""
    found = tried()
    shown = Split(TRAIN.images[:-8], TRAIN.labels[:-8])
    network = seeded(5, tiny)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(2):
        losses = []
        for pictures, labels in Batches(shown, MEAN, STD, 16, 5).epoch(epoch):
            optimizer.zero_grad()
            losses.append(cross_entropy(network(pictures), labels))
            torch.autograd.backward(losses[-1])
            optimizer.step()
    network.eval()

    def accuracy(split: Split) -> float:
        answers = network(normalised(split.images, MEAN, STD)).argmax(1)
        return 100 * int((answers == split.labels).sum()) / len(answers)

    validation = accuracy(Split(TRAIN.images[-8:], TRAIN.labels[-8:]))
    assert found == {
        "loss": pytest.approx(-validation),
        "status": "done",
        "test_accuracy": pytest.approx(accuracy(TEST)),
        "validation_accuracy": pytest.approx(validation),
        "train_loss": pytest.approx(sum(loss.item() for loss in losses) / 2),
    }
    for criterion, sign in (("test_accuracy", -1), ("train_loss", 1)):
        assert tried(criterion=criterion)["loss"] == sign * found[criterion]


@pytest.mark.parametrize("optimizer", [SGD, BBI])
def test_a_training_never_sees_the_validation_images(optimizer: dict[str, Any]) -> None:
    """It is the same where the recipe leaves them out altogether."""
    without = {"on": task(train=32), "validation_images": 0, "criterion": "train_loss"}
    found, plain = tried(optimizer=optimizer), tried(optimizer=optimizer, **without)
    assert [found[key] for key in ("train_loss", "test_accuracy")] == [
        plain[key] for key in ("train_loss", "test_accuracy")
    ]
    assert math.isnan(plain["validation_accuracy"])


def test_a_search_is_made_of_trials() -> None:
    space = {"lr": {"low": 0.01, "high": 0.1}}
    given = {"space": space, "trials": 2, "batch": 1, "stream": [0, "x"], "plan": PLAN}
    found = computed(study.search, task=task(), optimizer={**SGD, "lr": 0.0}, **given)["trials"]
    assert found["trial"].tolist() == [0, 1] and found["lr"].between(0.01, 0.1).all()
    for row in found.to_dict("records"):
        again = tried(optimizer={**SGD, "lr": row["lr"]})
        assert again == {key: row[key] for key in again}


def test_runs_with_one_seed_start_alike_whoever_competes() -> None:
    runs = [
        computed(study.training_run, task=task(), optimizer={**one, "lr": 0.0}, epochs=1, seed=seed)["runs"]
        for one, seed in ((SGD, 1), (ADAM, 1), (BBI, 1), (SGD, 2))
    ]
    loss = [run["train_loss"].item() for run in runs]
    assert loss[0] == loss[1] == loss[2] != loss[3]


@pytest.mark.parametrize("optimizer", [SGD, BBI, ADAM, LBFGS])
def test_a_run_goes_on_from_its_checkpoint_to_the_same_bits(
    optimizer: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"task": task(), "optimizer": optimizer, "epochs": 3, "seed": 1}
    whole, save, file = computed(study.training_run, **given), checkpoint.save, tmp_path / "x.pt"

    def dying(state: dict[str, Any]) -> None:
        save(state)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "save", dying)
    for epochs in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            computed(study.training_run, file, **given)
        assert torch.load(file)["work"]["epochs"] == epochs
    resumed = computed(study.training_run, file, **given)
    for name in ("runs", "curves"):
        pd.testing.assert_frame_equal(resumed[name], whole[name], check_exact=True)
    assert whole["curves"]["epoch"].tolist() == [1, 2, 3]


def test_divergence_is_a_result() -> None:
    wild = {"task": task(deep), "optimizer": {**SGD, "lr": 1e6}, "epochs": 5, "seed": 1}
    tables = computed(study.training_run, **wild)
    [row] = tables["runs"].to_dict("records")
    assert row["status"] == "diverged" and math.isnan(row["train_loss"]) and row["epoch"] < 5
    assert 0 <= row["test_accuracy"] <= 100
    assert tables["curves"]["epoch"].tolist() == list(range(1, int(row["epoch"]) + 1))
    assert tried(wild["optimizer"], wild["task"])["status"] == "diverged"


def test_pixels_are_normalised_or_left_as_they_are() -> None:
    plain, usual = (study.Data(task(normalise=normalise), images()) for normalise in (False, True))
    pixels, shifted = (next(data.batches(data.train, 0).epoch(0))[0] for data in (plain, usual))
    assert pixels.min() >= 0 and pixels.max() <= 1
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    torch.testing.assert_close(shifted, (pixels - mean) / std)


@pytest.fixture
def compute(tmp_path: Path) -> Iterator[Callable[[Any], Compute]]:
    """What computes the units of an experiment with given settings, in this process."""
    with Store(tmp_path) as store:
        yield lambda cfg: Compute(cfg, store, SerialExecutor(), threading.Event())


def test_protocols_that_agree_share_their_runs(compute: Callable[[Any], Compute]) -> None:
    rows = [
        ("paper", "sgd", 0.01, -20.0),
        ("paper", "sgd", 0.05, -30.0),
        ("validation", "sgd", 0.05, -30.0),
        ("validation", "sgd", 0.09, -10.0),
        ("paper", "bbi", 0.05, -30.0),
        ("validation", "bbi", 0.1, -30.0),
        ("paper", "bbi_2000", 0.1, math.nan),
        ("validation", "bbi_2000", 0.1, math.nan),
    ]
    trials = pd.DataFrame(rows, columns=["protocol", "competitor", "lr", "loss"])
    cfg = composed("cifar", *SMALL, "protocols.paper.runs=2", profile="smoke")
    tables = train_chosen(cfg, compute(cfg), task(), images(), [trials.assign(status="done", momentum=0.5)])
    runs = tables["runs"].fillna({"run": -1})
    setting = {lr: f"delta_v=0 delta_e=0 t0=100 n_bounces=100 t1=200 lr={lr}" for lr in (0.05, 0.1)}  # of BBI
    same = "lr=0.05 momentum=0.5"
    columns = ["stage", "protocol", "competitor", "setting", "run"]
    assert list(runs[columns].itertuples(index=False, name=None)) == [
        ("data", "", "", "", -1),
        ("selected", "paper", "sgd", same, -1),
        ("selected", "paper", "bbi", setting[0.05], -1),
        ("selected", "validation", "sgd", same, -1),
        ("selected", "validation", "bbi", setting[0.1], -1),
        ("train", "", "sgd", same, 0),  # once for both protocols
        ("train", "", "bbi", setting[0.05], 0),
        ("train", "", "bbi", setting[0.1], 0),
        ("train", "", "sgd", same, 1),
        ("train", "", "bbi", setting[0.05], 1),
        ("conservation", "", "bbi", setting[0.05], -1),  # with the first protocol's choice
    ]
    assert len(tables["curves"]) == 5 * cfg.epochs


@pytest.mark.parametrize("name", ["mnist", "cifar"])
def test_any_optimizer_takes_part_without_new_code(name: str, compute: Callable[[Any], Compute]) -> None:
    """Those with one searched setting or a closure too: in the trials, the training runs and the figures."""
    added = {"one": "adam", "two": "lbfgs", "three": "ecdsep"}
    words = [f"+optimizer@competitors.{key}={kind}" for key, kind in added.items()]
    words += ["protocols.paper.runs=1", {"mnist": "~network.outputs", "cifar": "~network.width"}[name]]
    cfg = composed(name, *SMALL, *words, profile="smoke")
    cfg.check()
    section = section_of({"experiment": name})
    tables = section.run(cfg, compute(cfg))
    runs = tables["runs"]
    assert set(tables["trials"]["competitor"]) == set(cfg.competitors)
    assert set(runs.loc[runs["stage"] == "train", "competitor"]) == set(cfg.competitors)
    with style():
        figures = section.draw(tables, cfg, published())
    labels = [text.get_text() for text in figures["training_curves"].figure.legends[0].get_texts()]
    assert {"Adam", "L-BFGS", "ECDSep"} < set(labels)
    assert {answer.claim for answer in section.estimate(tables, cfg)} >= {f"{name}-sgd", f"{name}-bbi"}


@pytest.mark.parametrize(("width", "refused"), [(8, True), (16, False)])
def test_a_layout_in_which_a_library_writes_past_its_memory_is_refused(width: int, refused: bool) -> None:
    """oneDNN issue 6035; with fewer than 8 channels this process would end here on a processor with AVX2."""
    network = {"_target_": "experiments.images.networks.small_resnet18", "width": width}
    ours = task(engine=CHANNELS_LAST).model_copy(update={"network": network})
    data = study.Data(ours, images())
    if refused:
        with pytest.raises(ValueError, match=r"needs 16 channels .* set engine\.channels_last=false"):
            data.trainer(SGD, 0)
    else:
        assert math.isfinite(
            float(data.trainer(SGD, 0).step(torch.rand(16, 3, 32, 32), torch.arange(16) % 10))
        )
