"""Typed settings: the schema that every experiment's YAML is checked against.

The YAML files under ``conf/`` hold the numbers; the dataclasses here and in the experiments hold the types
and the ranges. :func:`load` joins the two once, so that the rest of the code sees plain Python objects.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from experiments.harness.errors import UserError, did_you_mean

SCALES = ("linear", "log", "one_minus_log", "neglog")
PARAMETERS = {
    "bbi": ("lr", "delta_v", "delta_e", "t0", "t1", "n_bounces"),
    "gdm": ("lr", "momentum"),
}
# Lowest and highest value of each parameter, both allowed; infinities are not, except in WHOLE.
LIMITS: dict[str, tuple[float, float]] = {
    "lr": (0.0, math.inf),
    "momentum": (0.0, 1.0),
    "delta_v": (-math.inf, math.inf),
    "delta_e": (0.0, math.inf),
    "t0": (1, math.inf),
    "t1": (1, math.inf),
    "n_bounces": (0, math.inf),
}
WHOLE = ("t0", "t1", "n_bounces")  # whole numbers, or .inf for "never" and "no limit"


def at_least(name: str, value: float, low: float) -> None:
    """Raise :class:`UserError` unless ``value`` is a finite number that is ``low`` or more."""
    if not (math.isfinite(value) and value >= low):
        raise UserError(f"{name}={value}: must be {low} or more")


def positive(name: str, value: float) -> None:
    """Raise :class:`UserError` unless ``value`` is a finite number above zero."""
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"{name}={value}: must be above 0")


def between(name: str, value: float, low: float, high: float) -> None:
    """Raise :class:`UserError` unless ``low`` ≤ ``value`` ≤ ``high``."""
    if not low <= value <= high:
        raise UserError(f"{name}={value}: must lie between {low} and {high}")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise :class:`UserError` unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise UserError(f"{name}={value}: not known{did_you_mean(value, allowed)}")


def check_parameter(name: str, parameter: str, value: float) -> None:
    """Raise :class:`UserError` unless ``value`` suits an optimizer's ``parameter`` (see ``LIMITS``).

    Args:
        name: The dotted key that the message names.
        parameter: ``lr``, ``momentum``, …
        value: The value to check.
    """
    low, high = LIMITS[parameter]
    if parameter in WHOLE and value == math.inf:
        return
    if not (math.isfinite(value) and low <= value <= high):
        limits = f"between {low} and {high}" if math.isfinite(high) else f"finite and {low} or more"
        raise UserError(f"{name}={value}: {parameter} must be {limits if math.isfinite(low) else 'finite'}")
    if parameter in WHOLE and value != int(value):
        raise UserError(f"{name}={value}: {parameter} must be a whole number")


@dataclass
class Range:
    """One axis of a search space.

    Attributes:
        low: Lower bound of the value; with ``neglog`` of γ = −log(value).
        high: Upper bound, likewise.
        scale: ``linear`` draws the value uniformly, ``log`` its logarithm, ``one_minus_log`` the logarithm of
            1 − value, and ``neglog`` γ (the paper's footnote 9).
    """

    low: float
    high: float
    scale: str = "linear"

    def check(self, name: str) -> None:
        """Raise :class:`UserError` if the bounds do not suit the scale."""
        one_of(f"{name}.scale", self.scale, SCALES)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UserError(
                f"{name}.low={self.low}, {name}.high={self.high}: low must be finite and below high"
            )
        if self.scale == "log" and self.low <= 0:
            raise UserError(f"{name}.low={self.low}: a log scale needs a bound above 0")
        if self.scale == "one_minus_log" and self.high >= 1:
            raise UserError(f"{name}.high={self.high}: a one_minus_log scale needs a bound below 1")

    def coordinates(self) -> tuple[float, float]:
        """Bounds (low, high) of the coordinate that is drawn uniformly."""
        if self.scale == "log":
            return math.log(self.low), math.log(self.high)
        if self.scale == "one_minus_log":
            return math.log1p(-self.high), math.log1p(-self.low)
        return self.low, self.high

    def bounds(self) -> tuple[float, float]:
        """Bounds (low, high) of the value."""
        if self.scale == "neglog":
            return math.exp(-self.high), math.exp(-self.low)
        return self.low, self.high

    def value(self, coordinate: float) -> float:
        """The value that belongs to a uniform coordinate; rounding never carries it out of the bounds."""
        value = coordinate
        if self.scale == "log":
            value = math.exp(coordinate)
        elif self.scale == "one_minus_log":
            value = -math.expm1(coordinate)
        elif self.scale == "neglog":
            value = math.exp(-coordinate)
        low, high = self.bounds()
        return min(max(value, low), high)


@dataclass
class Contender:
    """An optimizer and what is searched for it.

    Attributes:
        optimizer: ``bbi`` or ``gdm``.
        label: How tables and figures name it.
        fixed: Parameters that are given, by name.
        space: Parameters that are searched, by name.
    """

    optimizer: str
    label: str
    fixed: dict[str, float] = field(default_factory=dict)
    space: dict[str, Range] = field(default_factory=dict)

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for an unknown optimizer, an unknown parameter or a value out of range."""
        one_of(f"{name}.optimizer", self.optimizer, tuple(PARAMETERS))
        known = PARAMETERS[self.optimizer]
        for group, given in (("fixed", list(self.fixed)), ("space", list(self.space))):
            for parameter in given:
                if parameter not in known:
                    raise UserError(
                        f"{name}.{group}.{parameter}: {self.optimizer} has no such parameter"
                        + did_you_mean(parameter, known)
                    )
        for parameter, value in self.fixed.items():
            check_parameter(f"{name}.fixed.{parameter}", parameter, value)
        for parameter, axis in self.space.items():
            if parameter in self.fixed:
                raise UserError(f"{name}: {parameter} is both fixed and searched; keep one of the two")
            for bound in axis.bounds():
                check_parameter(f"{name}.space.{parameter}", parameter, bound)


@dataclass
class Search:
    """The budget of a search: ``trials`` of ``steps`` steps each, ``batch`` of them suggested at a time."""

    trials: int
    steps: int
    batch: int = 1

    def check(self, name: str) -> None:
        """Raise :class:`UserError` unless all three are 1 or more."""
        for key in ("trials", "steps", "batch"):
            at_least(f"{name}.{key}", getattr(self, key), 1)


@dataclass
class Paths:
    """Where files are: ``results`` is written to, ``data`` (may be absent) is read from."""

    results: str = "results"
    data: str | None = None


@dataclass(kw_only=True)
class Base:
    """What every experiment is told; each adds its own fields.

    Attributes:
        experiment: Name of the experiment, its module and its YAML file.
        title: One line on what it shows.
        section: Section of the paper.
        profile: Name of the budget: ``smoke``, ``quick`` or ``paper``.
        seed: All random numbers follow from it.
        paths: Folders; they are no part of the fingerprint.
    """

    experiment: str
    title: str
    section: str
    profile: str
    seed: int = 0
    paths: Paths = field(default_factory=Paths)

    def validate(self) -> None:
        """Raise :class:`UserError` if a value is out of range; experiments extend it."""
        at_least("seed", self.seed, 0)


Settings = TypeVar("Settings", bound=Base)


def load(cfg: DictConfig | Mapping[str, Any], schema: type[Settings]) -> Settings:
    """Turn a composed configuration into the experiment's own dataclass.

    Args:
        cfg: What Hydra composed; its ``profile`` group is reduced to the profile's name.
        schema: The experiment's ``Config``.

    Returns:
        An instance of ``schema`` made of plain Python objects, checked.

    Raises:
        UserError: An unknown key, a wrong type, a missing value or a value out of range.
    """
    try:
        plain = OmegaConf.to_container(OmegaConf.create(cfg), resolve=True)  # type: ignore[arg-type]
        assert isinstance(plain, dict)
        if isinstance(plain.get("profile"), dict):
            plain["profile"] = plain["profile"].get("name")
        settings = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), plain))
    except OmegaConfBaseException as error:
        raise UserError(explain(error)) from error
    assert isinstance(settings, schema)
    for name, part in _parts(settings):
        part.check(name)
    settings.validate()
    return settings


def explain(error: OmegaConfBaseException) -> str:
    """One line for an OmegaConf error: the full key, what is wrong and what would be right."""
    key, text = error.full_key or "", str(error).splitlines()[0]
    if isinstance(error, ConfigKeyError) and error.parent_node is not None:
        return unknown_key(key, dotted(error.parent_node._get_root()))
    expected = {
        "Integer": "a whole number such as 1000 (not 1e3)",
        "Float": "a number",
        "Boolean": "true or false",
    }
    if match := re.match(r"Value '(.*)' of type '.*' could not be converted to (\w+)", text):
        return f"{key}={match[1]}: must be {expected.get(match[2], match[2])}"
    return f"{key}: {text}" if key else text


def unknown_key(key: str, keys: list[str]) -> str:
    """One line for a ``key`` that is none of ``keys``, with the nearest of them or those beside it."""
    parent, _, leaf = key.rpartition(".")
    same_leaf = [name for name in keys if name.rpartition(".")[2] == leaf]
    beside = [name for name in keys if name.rpartition(".")[0] == parent]
    pool = same_leaf or get_close_matches(key, keys, n=1, cutoff=0.7) or beside or keys
    return f"{key}: no such setting{did_you_mean(key, pool)}"


def dotted(node: Any, name: str = "") -> list[str]:
    """The dotted keys of every node of a configuration, branches included."""
    keys = [name] if name else []
    if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing():
        for key in node:
            keys += dotted(node._get_node(key), f"{name}.{key!s}" if name else str(key))
    return keys


def _parts(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every dataclass below ``node`` that has a ``check``, with its dotted name."""
    if is_dataclass(node):
        if hasattr(node, "check"):
            yield name, node
        children = [(f.name, getattr(node, f.name)) for f in fields(node)]
    elif isinstance(node, dict):
        children = list(node.items())
    elif isinstance(node, list):
        children = [(str(index), child) for index, child in enumerate(node)]
    else:
        return
    for key, child in children:
        yield from _parts(child, f"{name}.{key}" if name else str(key))


def portable(settings: Base) -> dict[str, Any]:
    """The settings as a plain dictionary without ``paths``: what a result depends on."""
    plain = asdict(settings)
    del plain["paths"]
    return plain
