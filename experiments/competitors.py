"""The definition of an optimizer in an experiment: what a file of ``conf/optimizer`` contains.

Every other module treats optimizers alike, through what is defined here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

import hydra.utils
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from experiments.harness.errors import UserError, did_you_mean
from experiments.harness.ranges import Range
from experiments.harness.settings import Settings

if TYPE_CHECKING:
    # For the types alone: torch takes seconds to import, which not all commands need.
    import torch
    from torch import Tensor

Optimizer = Mapping[str, Any]
"""An optimizer with all its settings, as plain data: ``_target_`` and the keyword arguments."""


def _without_nulls(space: Any) -> Any:
    if not isinstance(space, Mapping):
        return {} if space is None else space
    return {name: axis for name, axis in space.items() if axis is not None}


def _ensemble(given: str) -> str:
    if "." not in given and given not in (known := ("elementwise", "single")):
        raise ValueError(f"not known{did_you_mean(given, known)}, nor the dotted path of a function")
    return given


class Competitor(Settings):
    """An optimizer with its settings, and how it takes part in experiments.

    Attributes:
        target: Class of the optimizer, as a dotted path. It is called with parameters and settings.
        label: How tables and figures name it.
        color: Of its lines in all figures.
        marker: Of its points in all figures.
        stochastic: Whether it draws random numbers: runs from one start then differ, and are repeated.
        ensemble: How many runs on a landscape are computed: dotted path of a function that maps settings to
            a compiled ensemble (:mod:`bbi.rules`); ``elementwise`` for an optimizer whose step treats each
            number by itself, so that all runs are rows of one parameter; ``single`` for one after the other.
        role: In the claims of the paper: its ``method``, its ``baseline``, or ``other``.
        paper: Ending of the ids in ``results/paper.yaml`` that this competitor's numbers answer.
        fixed: Settings that are given, by name.
        space: Settings that are searched, by name. Null takes the place of an axis, or of all of them, that
            the optimizer's file has and that is not searched.
    """

    target: str = Field(alias="_target_")
    label: Annotated[str, Field(pattern=r"^[^$]*$")]  # between two $ is a formula of matplotlib
    color: str
    marker: str = "o"
    stochastic: bool = False
    ensemble: Annotated[str, AfterValidator(_ensemble)] = "single"
    role: Literal["method", "baseline", "other"] = "other"
    paper: str = ""
    fixed: dict[str, Any] = Field(default_factory=dict)
    space: Annotated[dict[str, Range], BeforeValidator(_without_nulls)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fixed_or_searched(self) -> Self:
        for name in self.space.keys() & self.fixed.keys():
            raise ValueError(f"{name} is both fixed and searched; keep one of the two")
        return self

    def optimizer(self, found: Mapping[str, float] | None = None) -> dict[str, Any]:
        """The optimizer with its fixed settings and those that a search ``found``, as plain data."""
        return {"_target_": self.target, **self.fixed, **(found or {})}

    def check(self, key: str = "") -> None:
        """Check that the optimizer can be made with its settings, and drawn; see :func:`check`."""
        check(key, self)
        from matplotlib.colors import is_color_like
        from matplotlib.markers import MarkerStyle

        if not is_color_like(self.color):
            raise UserError(f"{key}.color={self.color}: no colour of matplotlib; take a name or #RRGGBB")
        if self.marker not in MarkerStyle.markers:
            raise UserError(f"{key}.marker={self.marker}: no marker of matplotlib; take one such as o")

    @property
    def first_axis(self) -> str:
        """The searched setting that is drawn, and tells trials apart: the step size if it is searched."""
        return "lr" if "lr" in self.space else next(iter(self.space))


def numbers(settings: Mapping[str, Any]) -> dict[str, float]:
    """The settings that are numbers, for the columns of a table."""
    return {
        name: float(value)
        for name, value in settings.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def create(optimizer: Optimizer, parameters: Iterable[Tensor], seed: int = 0) -> torch.optim.Optimizer:
    """An optimizer of ``parameters``.

    Args:
        optimizer: Class and settings.
        parameters: What it optimizes.
        seed: Given to those that take one and are not given one.
    """
    extra = {"seed": seed} if "seed" in arguments(optimizer["_target_"]) else {}
    config = {**extra, **optimizer}
    made: torch.optim.Optimizer = hydra.utils.instantiate(config, list(parameters), _convert_="all")
    return made


def rule(ensemble: str, optimizer: Optimizer) -> tuple[Any, dict[str, Any]]:
    """The rule of a compiled ensemble, and its settings; see :mod:`bbi.rules`.

    Args:
        ensemble: Dotted path of the function that makes it.
        optimizer: Class and settings; those with a ``_target_``, such as laws, become objects.
    """
    settings = {
        name: hydra.utils.instantiate(value) if isinstance(value, Mapping) else value
        for name, value in optimizer.items()
        if name != "_target_"
    }
    made, values = hydra.utils.get_method(ensemble)(**settings)
    return made, values


def step(optimizer: torch.optim.Optimizer, loss: Tensor, closure: Callable[[], Tensor]) -> None:
    """One step of any optimizer, from the gradients that are there.

    Args:
        optimizer: From :func:`create`. It is given what its ``step`` takes: ``loss`` if there is such an
            argument (the laws of ``bbi``), the closure if that has no default (L-BFGS).
        loss: The loss () whose gradients they are.
        closure: Computes gradients at the parameters as they are then; returns the loss.
    """
    accepted = _parameters(type(optimizer).step)
    take: Callable[..., Any] = optimizer.step
    if "loss" in accepted:
        take(loss=loss)
    elif "closure" in accepted and accepted["closure"].default is inspect.Parameter.empty:
        take(closure)
    else:
        take()


@functools.cache
def _parameters(method: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(method).parameters


@functools.cache
def arguments(target: str) -> Mapping[str, inspect.Parameter]:
    """The settings of an optimizer's class by name, those passed on to its parent classes included."""
    found: dict[str, inspect.Parameter] = {}
    for kind in hydra.utils.get_class(target).__mro__:
        own = inspect.signature(vars(kind)["__init__"]).parameters if "__init__" in vars(kind) else {}
        found = {**own, **found}
        if not any(argument.kind is argument.VAR_KEYWORD for argument in own.values()) and own:
            break
    named = {name: a for name, a in found.items() if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY)}
    return {name: a for name, a in named.items() if name not in ("self", "params")}


def check(name: str, competitor: Competitor) -> None:
    """Check that an optimizer can be made with the settings given, and with those of its search space.

    The optimizer itself is asked, with one number as its parameter.

    Args:
        name: Dotted key of the competitor, for the message.
        competitor: What is checked.

    Raises:
        UserError: The class does not exist, an argument is unknown or missing, or a value is refused.
    """
    try:
        known = arguments(competitor.target)
        taken = inspect.signature(hydra.utils.get_class(competitor.target)).parameters
    except Exception as error:  # importing runs a module, which may raise anything
        raise UserError(f"{name}._target_={competitor.target}: no such optimizer ({error})") from error
    for group in ("fixed", "space"):
        for key in getattr(competitor, group):
            if key not in known:
                hint = did_you_mean(key, known)
                raise UserError(f"{name}.{group}.{key}: {competitor.target} has no such setting{hint}")
    for key, argument in taken.items():
        given = key in ("self", "params") or key in competitor.fixed or key in competitor.space
        variadic = argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
        if argument.default is argument.empty and not given and not variadic:
            raise UserError(f"{name}: {competitor.target} needs {key}; give it in {name}.fixed")
    # Values inside the axes that are no round numbers.
    ends = {key: axis.coordinates() for key, axis in competitor.space.items()}
    middle = {
        key: competitor.space[key].value(low + 0.6180339887 * (high - low))
        for key, (low, high) in ends.items()
    }
    refuse_bad(f"{name}.fixed", competitor, middle)
    for key, axis in competitor.space.items():
        for bound in axis.bounds():
            refuse_bad(f"{name}.space.{key}", competitor, {**middle, key: bound})


def refuse_bad(name: str, competitor: Competitor, found: Mapping[str, float]) -> None:
    """Raise :class:`UserError`, with this key, if an optimizer cannot be made with the settings found."""
    import torch

    try:
        create(competitor.optimizer(found), [torch.zeros(1, requires_grad=True)])
        if competitor.ensemble not in ("elementwise", "single"):
            rule(competitor.ensemble, competitor.optimizer(found))
    except Exception as error:  # every optimizer has its own way to refuse a value
        cause = error.__cause__ or error
        values = ", ".join(f"{key}={value}" for key, value in {**competitor.fixed, **found}.items())
        raise UserError(f"{name}: {competitor.target} refuses {values}: {cause}") from error


Kind = TypeVar("Kind", bound=Competitor)


def one_method(competitors: dict[str, Kind]) -> dict[str, Kind]:
    """The competitors, of which one is the method of the paper.

    Raises:
        ValueError: None of them is, or several are.
    """
    names = [name for name, competitor in competitors.items() if competitor.role == "method"]
    if len(names) != 1:
        raise ValueError(
            f"must have one competitor with role=method, as the claims are about it; there are {len(names)}"
        )
    return competitors


def all_fixed(competitors: dict[str, Kind]) -> dict[str, Kind]:
    """The competitors, of which none has anything to be searched.

    Raises:
        ValueError: One of them has. In the message KEY stands for the key of the competitors.
    """
    for name, competitor in competitors.items():
        if competitor.space:
            values = " ".join(f"+KEY.{name}.fixed.{setting}=VALUE" for setting in competitor.space)
            raise ValueError(f"nothing is searched here; add KEY.{name}.space=null {values}")
    return competitors


Competitors = Annotated[dict[str, Competitor], AfterValidator(one_method)]
"""Competitors by name, one of them the method of the paper."""


def method(competitors: Mapping[str, Competitor]) -> str:
    """The name of the paper's method."""
    return next(name for name, competitor in competitors.items() if competitor.role == "method")


def baselines(competitors: Mapping[str, Competitor]) -> list[str]:
    """The names of the paper's baselines."""
    return [name for name, competitor in competitors.items() if competitor.role == "baseline"]
