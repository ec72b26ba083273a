"""The examples run as they stand, and train."""

import importlib
import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.distributed as dist

FOLDER = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)  # spawned processes import the module by its name
    name = request.function.__name__.removeprefix("test_")
    yield importlib.import_module(name)
    del sys.modules[name]


def test_classifier(example: ModuleType) -> None:
    assert example.main(6) > 0.9


def test_pinn(example: ModuleType) -> None:
    assert example.main(600) < 3e-3


def test_ensemble(example: ModuleType) -> None:
    losses = example.main(steps=250)
    assert losses.shape == (20,)
    assert losses.median() < 0.03


@pytest.mark.filterwarnings("ignore:.*`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:The '?train_dataloader'? does not have many workers")
def test_lightning_module(request: pytest.FixtureRequest) -> None:
    pytest.importorskip("lightning", reason="pip install lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    example = request.getfixturevalue("example")
    optimizer = example.main(20)
    assert optimizer.energy > 0.3  # the mean of x₁²x₂² is 1; a quarter of one loss is less
    assert optimizer.potential < 0.3 * optimizer.energy


@pytest.mark.skipif(not dist.is_gloo_available(), reason="torch was built without gloo")
def test_data_parallel(example: ModuleType) -> None:
    first, second = example.main(120)
    for name, p in first["network"].items():
        assert torch.equal(p, second["network"][name])
    system = first["optimizer"]["param_groups"][0]["system"]
    assert system["draws"] == 1
    assert system["potential"] < 0.1 * system["energy"]


def test_every_example_is_tested_and_short() -> None:
    for file in FOLDER.glob("*.py"):
        assert f"test_{file.stem}" in globals()
        assert len(file.read_text(encoding="utf-8").splitlines()) < 80
