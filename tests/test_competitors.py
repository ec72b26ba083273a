"""Optimizers by their files: every one can be made, checked and stepped without code of its own."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from experiments.competitors import Competitor, check, create, method, numbers, step
from experiments.harness.errors import UserError
from experiments.harness.settings import CONF

FILES = sorted((CONF / "optimizer").glob("*.yaml"))


def sgd(**changes: Any) -> Competitor:
    plain = {"_target_": "torch.optim.SGD", "label": "S", "color": "red", "fixed": {"lr": 0.1}}
    return Competitor.model_validate(plain | changes)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_is_an_optimizer_that_descends(file: Path) -> None:
    """Five steps in a bowl, at the middle of its search space, through the one function that steps.

    A step of some is a whole search, after which there is nothing left to descend.
    """
    it = Competitor.model_validate(OmegaConf.to_container(OmegaConf.load(file)))
    check("competitors.it", it)
    middle = {name: axis.value(sum(axis.coordinates()) / 2) for name, axis in it.space.items()}
    theta = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = create(it.optimizer(middle), [theta], seed=3)
    losses = []

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = theta.square().sum()
        loss.backward()
        return loss.detach()

    for _ in range(5):
        losses.append(closure())
        if losses[-1] < 1e-8:
            break
        step(optimizer, losses[-1], closure)
    assert torch.stack(losses).isfinite().all() and closure() < losses[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"_target_": "torch.optim.SDG"}, "it._target_=torch.optim.SDG: no such optimizer"),
        ({"_target_": "nowhere.Optimizer"}, "no such optimizer"),
        ({"_target_": "builtins.dict", "fixed": {}}, "it._target_=builtins.dict: no such optimizer"),
        (
            {"fixed": {"momentun": 0.5}},
            "it.fixed.momentun: torch.optim.SGD has no such setting (did you mean 'momentum'?)",
        ),
        ({"fixed": {"lr": -0.1}}, "it.fixed: torch.optim.SGD refuses lr=-0.1: Invalid learning rate: -0.1"),
        ({"fixed": {"lr": "fast"}}, "refuses lr=fast"),
        (
            {"fixed": {}, "space": {"lr": {"low": -1.0, "high": 1.0}}},
            "it.space.lr: torch.optim.SGD refuses lr=-1.0",
        ),
        ({"_target_": "bbi.ECD"}, "it: bbi.ECD needs law; give it in it.fixed"),
        ({"_target_": "bbi.BBI", "fixed": {"lr": 0.1, "t0": 1.5}}, "t0"),
        ({"_target_": "bbi.BBI", "space": {"t0": {"low": 5.0, "high": 50.0}}}, "whole number"),
        ({"_target_": "bbi.BBI", "fixed": {"lr": 0.1, "delta_v": [1.0]}}, "delta_v"),
    ],
)
def test_what_an_optimizer_refuses_is_told_in_one_line(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        check("it", sgd(**change))
    assert "\n" not in str(caught.value)


def test_the_method_is_found_by_its_role() -> None:
    assert method({"a": sgd(), "b": sgd(role="method"), "c": sgd(role="baseline")}) == "b"


def test_numbers_for_tables() -> None:
    assert numbers({"_target_": "x", "t0": 20, "lr": 0.1, "nesterov": True, "law": {"_target_": "y"}}) == {
        "t0": 20.0,
        "lr": 0.1,
    }


def test_a_class_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\n\n\nclass SignDescent(torch.optim.Optimizer):\n"
        "    def __init__(self, params, rate):\n        super().__init__(params, {'rate': rate})\n\n"
        "    @torch.no_grad()\n    def step(self):\n        for group in self.param_groups:\n"
        "            for p in group['params']:\n                p -= group['rate'] * p.grad.sign()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    theta = torch.tensor([1.0], requires_grad=True)
    optimizer = create({"_target_": "mine.SignDescent", "rate": 0.25}, [theta])
    theta.square().sum().backward()
    step(optimizer, theta.detach().square().sum(), lambda: theta)
    assert theta.item() == 0.75
