"""Trials, evolutions and choices on drawn pictures, some of them against loops by hand."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from experiments.competitors import Contender
from experiments.harness import checkpoint
from experiments.harness.errors import UserError
from experiments.harness.store import Lab, read_tables
from experiments.images.batches import Batches, Split, normalised
from experiments.images.config import ClassificationConfig, Protocol, Recipe
from experiments.images.selection import evolve
from experiments.images.study import Study, setting
from experiments.images.training import Engine, Trainer
from tests.images.small_trainings import (
    CONTENDERS,
    MEAN,
    PLAIN,
    STD,
    TEST,
    TRAIN,
    deep,
    images,
    opened,
    seeded,
    study,
    tiny,
)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Protocol("accuracy", 0, 1, "x"), "here.criterion=accuracy: not known"),
        (Protocol("held_accuracy", 0, 1, "x"), "here.held_out=0: must be 1 or more"),
        (Protocol("train_loss", -1, 1, "x"), "here.held_out=-1: must be 0 or more"),
        (Protocol("train_loss", 0, 0, "x"), "here.runs=0: must be 1 or more"),
        (Recipe(0, 1, 1), "here.train=0: must be 1 or more"),
        (Recipe(1, 0, 1), "here.test=0: must be 1 or more"),
        (Recipe(1, 1, 0), "here.batch=0: must be 1 or more"),
        (Recipe(1, 1, 1, crop_padding=-1), "here.crop_padding=-1: must be 0 or more"),
        (replace(PLAIN, device="gpu"), "here.device=gpu: not known"),
    ],
)
def test_what_cannot_be(part: Protocol | Recipe | Engine, message: str) -> None:
    with pytest.raises(UserError) as caught:
        part.check("here")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "part",
    [Protocol("held_accuracy", 1, 1, "x"), Protocol("train_loss", 0, 1, "x"), Recipe(1, 1, 1), PLAIN],
)
def test_what_can_be(part: Protocol | Recipe | Engine) -> None:
    part.check("here")


PUBLISHED, HONEST = Protocol("test_accuracy", 0, 2, "published"), Protocol("held_accuracy", 8, 1, "honest")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with opened(tmp_path) as it:
        yield it


def test_a_trial(lab: Lab) -> None:
    """The same numbers from a loop by hand, with the images held out at the end of the training set."""
    found = study(lab).attempt(CONTENDERS["sgd"], {"lr": 0.05}, 2, HONEST)
    seed, shown = lab.seed("trials"), Split(TRAIN.images[:-8], TRAIN.labels[:-8])
    network = seeded(seed, tiny)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.5)
    for epoch in range(2):
        losses = []
        for pictures, labels in Batches(shown, MEAN, STD, 16, seed).epoch(epoch):
            optimizer.zero_grad()
            losses.append(cross_entropy(network(pictures), labels))
            torch.autograd.backward(losses[-1])
            optimizer.step()
    network.eval()

    def accuracy(split: Split) -> float:
        answers = network(normalised(split.images, MEAN, STD)).argmax(1)
        return 100 * int((answers == split.labels).sum()) / len(answers)

    held = accuracy(Split(TRAIN.images[-8:], TRAIN.labels[-8:]))
    assert found == {
        "lr": 0.05,
        "loss": pytest.approx(-held),
        "status": "done",
        "test_accuracy": pytest.approx(accuracy(TEST)),
        "held_accuracy": pytest.approx(held),
        "train_loss": pytest.approx(sum(loss.item() for loss in losses) / 2),
    }
    for criterion, sign in (("test_accuracy", -1), ("train_loss", 1)):
        again = study(lab).attempt(CONTENDERS["sgd"], {"lr": 0.05}, 2, replace(HONEST, criterion=criterion))
        assert again["loss"] == sign * found[criterion]


def test_images_held_out_are_not_trained_on(lab: Lab) -> None:
    changed = TRAIN.images.clone()
    changed[-8:] = 255 - changed[-8:]
    by = [
        study(lab, images(Split(pictures, TRAIN.labels))).attempt(CONTENDERS["bbi"], {"lr": 0.05}, 2, HONEST)
        for pictures in (TRAIN.images, changed)
    ]
    assert by[0]["train_loss"] == by[1]["train_loss"] and by[0]["test_accuracy"] == by[1]["test_accuracy"]
    assert math.isnan(study(lab).attempt(CONTENDERS["sgd"], {"lr": 0.05}, 1, PUBLISHED)["held_accuracy"])


def test_trials_are_rows(lab: Lab) -> None:
    choices = [{"lr": 0.001}, {"lr": 1e6}]
    units = study(lab, build=deep).trials("sgd", CONTENDERS["sgd"], choices, 1, PUBLISHED)
    found = pd.concat(tables["trials"] for tables in lab.units(units, "x"))
    assert found["trial"].tolist() == [0, 1] and found["lr"].tolist() == [0.001, 1e6]
    assert set(found["contender"]) == {"sgd"} and set(found["protocol"]) == {"published"}
    assert found["status"].tolist() == ["done", "diverged"]
    assert found["train_loss"].isna().tolist() == [False, True]


def test_runs_start_alike_whoever_competes(lab: Lab) -> None:
    it, still = study(lab), {"lr": 0.0, "momentum": 0.0}
    loss = [
        lab.unit(*it.evolution(name, CONTENDERS["sgd"], still, run, 1))["runs"]["train_loss"].item()
        for name, run in (("sgd", 0), ("other", 0), ("sgd", 1))
    ]
    assert loss[0] == loss[1] != loss[2]


def test_an_evolution_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"lr": 0.05, **CONTENDERS["bbi"].fixed}
    found, save = [], checkpoint.save

    def dying(path: Path, state: dict[str, Any]) -> None:
        save(path, state)
        raise KeyboardInterrupt

    for name in ("whole", "broken"):
        with opened(tmp_path / name) as it:
            unit = study(it).evolution("bbi", CONTENDERS["bbi"], settings, 0, 3)
            if name == "broken":
                for _ in range(2):
                    monkeypatch.setattr(checkpoint, "save", dying)
                    with pytest.raises(KeyboardInterrupt):
                        it.unit(*unit)
                monkeypatch.setattr(checkpoint, "save", save)
                file = it.checkpoint(unit[0])
                assert (checkpoint.load(file) or {})["trainer"]["epochs"] == 2
                monkeypatch.setattr(Trainer, "load_state_dict", loaded := Loaded(Trainer.load_state_dict))
            found.append(it.unit(*unit))
    assert loaded.epochs == [2] and not file.exists()
    for name in ("runs", "curves"):
        pd.testing.assert_frame_equal(found[0][name], found[1][name], check_exact=True)
    assert found[0]["curves"]["epoch"].tolist() == [1, 2, 3]


class Loaded:
    """Stands in for ``Trainer.load_state_dict`` and notes what was loaded."""

    def __init__(self, load: Callable[..., None]) -> None:
        self.load, self.epochs = load, list[int]()

    def __get__(self, owner: Trainer, kind: type) -> Callable[[dict[str, Any]], None]:
        def load(state: dict[str, Any]) -> None:
            self.epochs.append(state["epochs"])
            self.load(owner, state)

        return load


def test_divergence_is_a_result(lab: Lab) -> None:
    wild = {"lr": 1e6, "momentum": 0.9}
    tables = lab.unit(*study(lab, build=deep).evolution("sgd", CONTENDERS["sgd"], wild, 0, 5))
    [row] = tables["runs"].to_dict("records")
    assert row["status"] == "diverged" and math.isnan(row["train_loss"]) and row["epoch"] < 5
    assert 0 <= row["test_accuracy"] <= 100
    assert tables["curves"]["epoch"].tolist() == list(range(1, int(row["epoch"]) + 1))


def trials(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["protocol", "contender", "lr", "loss"])
    return frame.assign(status="done")


def test_protocols_that_agree_share_their_runs(lab: Lab) -> None:
    table = trials(
        ("published", "sgd", 0.01, -20.0),
        ("published", "sgd", 0.05, -30.0),
        ("honest", "sgd", 0.05, -30.0),
        ("honest", "sgd", 0.09, -10.0),
        ("published", "bbi", 0.05, -30.0),
        ("honest", "bbi", 0.1, -30.0),
        ("published", "lost", 0.1, math.nan),
        ("honest", "lost", 0.1, math.nan),
    )
    contenders = {**CONTENDERS, "lost": Contender("sgd", "lost", {"momentum": 0.5})}
    cfg = ClassificationConfig(
        **{key: getattr(lab.cfg, key) for key in ("experiment", "title", "section", "profile", "paths")},
        recipe=Recipe(40, 30, 16),
        engine=PLAIN,
        contenders=contenders,
        protocols={"published": PUBLISHED, "honest": HONEST},
        epochs=2,
        checked_steps=2,
    )
    cfg.validate()
    assert cfg.evolved_epochs == (PUBLISHED.runs + HONEST.runs) * len(contenders) * 2
    evolve(study(lab), cfg, table)
    lab.finish()
    tables = read_tables(lab.folder)
    runs = tables["runs"]
    chosen = runs[runs["stage"] == "selected"]
    assert list(zip(chosen["protocol"], chosen["contender"], chosen["lr"], strict=True)) == [
        ("published", "sgd", 0.05),
        ("published", "bbi", 0.05),
        ("honest", "sgd", 0.05),
        ("honest", "bbi", 0.1),
    ]
    assert not chosen["comparable"].any() and set(chosen["data"]) == {"drawn"}
    evolved = runs[runs["stage"] == "evolve"]
    sgd, first, second = (
        setting({"lr": lr, **CONTENDERS[name].fixed})
        for name, lr in (("sgd", 0.05), ("bbi", 0.05), ("bbi", 0.1))
    )
    keys = zip(evolved["contender"], evolved["run"], evolved["setting"].map(words), strict=True)
    assert sorted(keys) == sorted([
        ("sgd", 0, words(sgd)), ("sgd", 1, words(sgd)),  # once for both protocols
        ("bbi", 0, words(first)), ("bbi", 1, words(first)), ("bbi", 0, words(second)),
    ])  # fmt: skip
    assert set(evolved["setting"]) == set(chosen["setting"])
    checked = runs[runs["stage"] == "conservation"]
    assert checked["contender"].tolist() == ["bbi"] and checked["steps"].tolist() == [2]
    assert checked["setting"].map(words).tolist() == [words(first)]  # that of the first protocol
    assert len(tables["curves"]) == 2 * len(evolved)


def words(setting: str) -> tuple[str, ...]:
    """The parts of a setting, whatever their order."""
    return tuple(sorted(setting.split()))


def test_pixels_are_normalised_or_left_as_they_are(lab: Lab) -> None:
    data = images()
    plain = Study(lab, data, Recipe(40, 30, 16, normalise=False), tiny, "tiny", PLAIN)
    usual = Study(lab, data, Recipe(40, 30, 16), tiny, "tiny", PLAIN)
    pixels, shifted = (next(one._batches(one._train, 0).epoch(0))[0] for one in (plain, usual))
    assert pixels.min() >= 0 and pixels.max() <= 1
    mean, std = (torch.tensor(values)[:, None, None] for values in (data.mean, data.std))
    torch.testing.assert_close(shifted, (pixels - mean) / std)
    recipes = [one.key["recipe"].get("normalise") for one in (plain, usual)]
    assert recipes == [False, None]  # stores from before the setting hold normalised trainings
