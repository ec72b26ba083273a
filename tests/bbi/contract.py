"""The family as PyTorch's generic optimizer suite describes optimizers: one ``OptimizerInfo`` a class.

The suite (``TestOptimRenewed`` in PyTorch's ``test/test_optim.py``) runs over a list of such
descriptions; :data:`INFOS` is that list for :mod:`bbi`. The suite's own checks, and more, are run
over the same inputs by the tests named ``test_contract*``, through :data:`CASES`.

All inputs set ``delta_v`` to -10, since losses of the suite fall below 0 and V must stay positive.
"""

import math
import unittest
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch.optim.lr_scheduler import (
    ExponentialLR,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.testing._internal.common_methods_invocations import DecorateInfo
from torch.testing._internal.common_optimizers import (
    ErrorOptimizerInput,
    OptimizerErrorEnum,
    OptimizerInfo,
    OptimizerInput,
    get_error_inputs_for_all_optims,
)

from bbi import BBI, ECD, ECDq1, ECDSep, Frictionless, InverseMass, Logarithmic, Power

Settings = dict[str, Any]

SCHEDULERS: list[list[Callable[[torch.optim.Optimizer], Any]]] = [
    [lambda opt: StepLR(opt, gamma=0.9, step_size=10)],
    [lambda opt: ExponentialLR(opt, gamma=0.95), ReduceLROnPlateau],
    [lambda opt: SequentialLR(opt, [LinearLR(opt, 0.1, total_iters=5), ExponentialLR(opt, 0.9)], [5])],
    [lambda opt: OneCycleLR(opt, max_lr=0.001, total_steps=25, cycle_momentum=False)],
]


def _bbi() -> dict[str, Settings]:
    return {
        "lr": {"lr": 0.01},
        "tensor lr": {"lr": torch.tensor(0.001)},
        "weight_decay": {"lr": 0.01, "weight_decay": 0.5},
        "delta_e and weight_decay": {"lr": 0.01, "delta_e": 2.0, "weight_decay": 0.1},
        "bounces": {"lr": 0.01, "t0": 5, "t1": 7, "n_bounces": 2, "seed": 3},
        "tune_delta_v": {"lr": 0.01, "tune_delta_v": True},
        "released variant": {"lr": 0.01, "variant": "released", "t0": 5},
    }


def _ecd_sep() -> dict[str, Settings]:
    return {
        "lr": {"lr": 0.1},
        "tensor lr": {"lr": torch.tensor(0.1)},
        "all": {"lr": 0.1, "eta": 1.4, "nu": 1e-4, "s": 0.5, "weight_decay": 0.1, "delta_e": 1.0},
    }


def _ecd_q1() -> dict[str, Settings]:
    return {
        "lr": {"lr": 0.05},
        "tensor lr": {"lr": torch.tensor(0.05)},
        "all": {"lr": 0.05, "eta": 1.4, "nu": 1e-2, "weight_decay": 0.1},
    }


def _ecd() -> dict[str, Settings]:
    return {
        "inverse mass": {"lr": 0.001, "law": InverseMass()},
        "logarithmic": {"lr": 0.001, "law": Logarithmic()},
        "frictionless": {"lr": 0.01, "law": Frictionless()},
        "power": {"lr": 0.0003, "law": Power(exponent=1.5)},
    }


def _bad_settings(name: str) -> dict[str, Settings]:
    """Refused values by the words of the error."""
    bad: dict[str, Settings] = {
        "Invalid learning rate: -0.5": {"lr": -0.5},
        "Invalid learning rate: nan": {"lr": math.nan},
        "Invalid weight_decay: -1": {"weight_decay": -1},
    }
    if name == "ECDq1":
        return bad | {"Invalid eta: inf": {"eta": math.inf}, "Invalid nu: -1": {"nu": -1}}
    bad |= {"Invalid delta_e: -2": {"delta_e": -2}}
    if name == "ECDSep":
        return bad | {"Invalid eta: 0": {"eta": 0}, "Invalid s: -1": {"s": -1}}
    return bad | {"Invalid t0: 0": {"t0": 0}, "Invalid n_bounces: -1": {"n_bounces": -1}}


def _skip(test: str, why: str) -> DecorateInfo:
    return DecorateInfo(unittest.skip(why), "TestOptimRenewed", test)


GROUPS = "steps without a closure, and puts settings of the whole system into a group"
SKIPS = (
    _skip("test_param_groups_lr", GROUPS),
    _skip("test_param_groups_weight_decay", GROUPS),
    _skip("test_forloop_goes_right_direction_multigpu", "one system lives on one device"),
    _skip("test_second_order_optims_return_consistent_types", "is about tolerance_grad of LBFGS"),
)
LAW = "gives no law, which has no default"
DRAWS = "random vectors are addressed by a parameter's place, which splitting it in two changes"
AT_REST = "laws that are not at rest for delta_e = 0 start along a random vector where the gradient is 0"


def describe(
    cls: type[torch.optim.Optimizer],
    inputs: Callable[[], dict[str, Settings]],
    always: Settings,
    skips: tuple[DecorateInfo, ...] = (),
) -> OptimizerInfo:
    """The description of one class.

    Args:
        cls: The class.
        inputs: Makes its settings anew, since schedulers change a tensor ``lr``; keys are their descriptions.
        always: Settings that are added to each of them.
        skips: The tests of the suite that cannot apply, besides those for all classes.
    """

    def optim_inputs(device: Any, dtype: Any = None) -> list[OptimizerInput]:
        return [OptimizerInput(None, {**always, **new}, desc) for desc, new in inputs().items()]

    def errors(device: Any, dtype: Any) -> Iterator[ErrorOptimizerInput]:
        base = optim_inputs(device)[0].kwargs
        for error in get_error_inputs_for_all_optims(device, dtype):
            error.optimizer_error_input.kwargs = {**base, **error.optimizer_error_input.kwargs}
            yield error
        parameter = torch.nn.Parameter(torch.zeros(2, device=device, dtype=dtype))
        for words, bad in _bad_settings(cls.__name__).items():
            wrong = OptimizerInput([parameter], {**base, **bad}, words)
            yield ErrorOptimizerInput(wrong, error_type=ValueError, error_regex=words)
        yield ErrorOptimizerInput(
            OptimizerInput([parameter], base, "no loss"),
            error_on=OptimizerErrorEnum.STEP_ERROR,
            error_type=RuntimeError,
            error_regex=r"opt\.step\(loss=loss\)",
        )

    return OptimizerInfo(
        cls,
        optim_inputs_func=optim_inputs,
        optim_error_inputs_func=lambda device, dtype: list(errors(device, dtype)),
        scheduler_inputs=SCHEDULERS,
        supported_impls=(),
        step_requires_closure=True,
        supports_multiple_devices=False,
        skips=(*SKIPS, *skips),
    )


INFOS = [
    describe(BBI, _bbi, {"delta_v": -10.0}),
    describe(ECDSep, _ecd_sep, {"f0": -10.0}, (_skip("test_complex_2d", DRAWS),)),
    describe(
        ECDq1,
        _ecd_q1,
        {"f0": -10.0},
        (_skip("test_complex_2d", DRAWS), _skip("test_step_is_noop_for_zero_grads", AT_REST)),
    ),
    describe(
        ECD,
        _ecd,
        {"delta_v": -10.0},
        (
            _skip("test_step_is_noop_for_zero_grads", AT_REST),
            _skip("test_param_group_with_lrscheduler_goes_right_direction", LAW),
        ),
    ),
]
"""Pass it to PyTorch's suite in the place of ``optim_db``."""


class Case(NamedTuple):
    """One input of a description."""

    info: OptimizerInfo
    desc: str

    @property
    def kwargs(self) -> Settings:
        """Its settings, made anew."""
        (found,) = (x.kwargs for x in self.info.optim_inputs_func("cpu") if x.desc == self.desc)
        return dict(found)

    def new(self, params: Any, **changes: Any) -> Any:
        """An optimizer with these settings."""
        return self.info.optim_cls(params, **{**self.kwargs, **changes})

    def skips(self, test: str) -> bool:
        """Whether the description exempts the class from a test of the suite."""
        return bool(self.info.get_decorators("TestOptimRenewed", test, "cpu", torch.float32, {}))

    def __str__(self) -> str:
        return f"{self.info.name}: {self.desc}"


CASES = [Case(info, x.desc) for info in INFOS for x in info.optim_inputs_func("cpu")]
"""Every input of every description."""


def problem(
    opt: Any, weight: torch.Tensor, bias: torch.Tensor, x: torch.Tensor
) -> Callable[[], torch.Tensor]:
    """The closure of a least-squares fit."""

    def closure() -> torch.Tensor:
        opt.zero_grad()
        loss = (weight.mv(x) + bias).square().sum()
        loss.backward()
        return loss

    return closure
