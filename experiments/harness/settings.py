"""Typed settings: the schema that every experiment's YAML is checked against.

The YAML files under ``conf/`` hold the numbers; the dataclasses here and in the experiments hold the types
and the ranges. :func:`load` joins the two once, so that the rest of the code sees plain Python objects.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from experiments.harness.errors import UserError, did_you_mean

CONF = Path(__file__).resolve().parents[2] / "conf"
NATIVE_BF16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # names in torch.cpu.get_capabilities()


def native_bf16(device: str) -> bool:
    """Whether a device's arithmetic knows bfloat16: ``${native_bf16:DEVICE}`` in the YAML files.

    Elsewhere it is emulated, which takes two to three times as long as float32. The value, not the question,
    is stored with the results, so that they can be read on any machine.

    Args:
        device: ``cpu``, ``cuda``, or anything else for the GPU if there is one.

    Returns:
        False too where there is no GPU, or on a CPU that this version of torch cannot ask.
    """
    import torch  # a second, which mistakes in the settings need not wait for

    if device != "cpu" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return device != "cuda" and any(able.get(name, False) for name in NATIVE_BF16)


OmegaConf.register_new_resolver("native_bf16", native_bf16, replace=True)


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


@dataclass
class Paths:
    """Where files are: ``results`` is written to, ``data`` (may be absent) is read from.

    ``download`` says whether data sets that are not in ``data`` may be fetched from the network.
    """

    results: str = "results"
    data: str | None = None
    download: bool = True


@dataclass(kw_only=True)
class Base:
    """What every experiment is told; each adds its own fields.

    Attributes:
        experiment: Name of the experiment, its module and its YAML file.
        title: One line on what it shows.
        section: Section of the paper.
        profile: Name of the budget: ``smoke``, ``quick``, ``cpu`` or ``paper``.
        seed: All random numbers follow from it.
        workers: Processes that share the work, 0 for one a core; no part of the fingerprint.
        part: Which part of the units of each stage this command computes, of ``parts``: for several machines.
        parts: 1 for all of it; no part of the fingerprint either.
        paths: Folders; no part of the fingerprint either.
    """

    experiment: str
    title: str
    section: str
    profile: str
    seed: int = 0
    workers: int = 1
    part: int = 0
    parts: int = 1
    paths: Paths = field(default_factory=Paths)

    def validate(self) -> None:
        """Raise :class:`UserError` if a value is out of range; experiments extend it."""
        at_least("seed", self.seed, 0)
        at_least("workers", self.workers, 0)
        at_least("parts", self.parts, 1)
        between("part", self.part, 0, self.parts - 1)


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
    """The settings as a plain dictionary, less what no result depends on: folders, and who does the work."""
    unused = ("paths", "workers", "part", "parts")
    return {key: value for key, value in asdict(settings).items() if key not in unused}
