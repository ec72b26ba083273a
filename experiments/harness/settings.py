"""Typed settings: the pydantic models that every experiment's YAML is validated against.

The YAML files in ``conf/`` contain the numbers; the models here and in the sections contain types and ranges.
:func:`load` joins the two once, so that the rest of the code uses plain Python objects.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from experiments.harness.devices import Device as Device
from experiments.harness.devices import guesses
from experiments.harness.errors import UserError, did_you_mean, unknown_key

CONF = Path(__file__).resolve().parents[2] / "conf"

Count = Annotated[int, Field(ge=1, le=10**9)]
"""A whole number, 1 or more."""
Whole = Annotated[int, Field(ge=0, le=10**9)]
"""A whole number, 0 or more."""
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Size = Annotated[int, Field(ge=1, le=10_000)]
"""A whole number from 1 on that memory is taken for."""
Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
"""Of a file or folder, without a path."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Point = Annotated[list[Finite], Field(min_length=1)]
"""Coordinates of a point."""
PlanePoint = Annotated[list[Finite], Field(min_length=2, max_length=2)]


def _for_fit(values: Sequence[float]) -> Sequence[float]:
    if len(set(values)) < 3:
        raise ValueError("must be three different values or more, as an exponent is fitted")
    return values


def _different(values: Sequence[float]) -> Sequence[float]:
    if len(set(values)) < len(values):
        raise ValueError("must be all different")
    return values


Different = AfterValidator(_different)
"""Of a list: no value is there twice."""
FitPoints = Annotated[list[Positive], AfterValidator(_for_fit)]
"""Values at which something is measured whose exponent is fitted."""
FitCounts = Annotated[list[Count], AfterValidator(_for_fit)]
"""The same for numbers of steps."""


class Settings(BaseModel):
    """A group of settings: unknown keys and wrong types are refused, values do not change."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, populate_by_name=True, ser_json_inf_nan="constants"
    )

    def check(self, key: str = "") -> None:
        """Check what only the classes and functions that the settings name can judge.

        This imports them, and torch, which takes seconds. Types and ranges have been checked before.

        Args:
            key: Dotted key of this group, for the message.

        Raises:
            UserError: One of them does not exist, or refuses its settings.
        """
        for name, value in self:
            _check(value, f"{key}.{name}" if key else name)


def _check(node: Any, key: str) -> None:
    """Check every group of settings in ``node``."""
    if isinstance(node, Settings):
        node.check(key)
    elif isinstance(node, Mapping):
        for name, child in node.items():
            _check(child, f"{key}.{name}")


def _home(path: str) -> str:
    try:
        Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError("there is no such user; give a folder") from error
    return path


class Paths(Settings):
    """Where files are.

    Attributes:
        results: Root of the results, written to.
        data: Folder of the data sets, only read; None for none.
        download: Whether data sets that are not in ``data`` may be fetched from the network.
    """

    results: Annotated[str, Field(min_length=1), AfterValidator(_home)] = "results"
    data: Annotated[str, AfterValidator(_home)] | None = None
    download: bool = True


class Executor(Settings):
    """Where units of work run; see :mod:`experiments.harness.executor`.

    Attributes:
        kind: ``local`` (one process a core), ``dask`` (workers of a scheduler) or ``serial`` (this process).
        workers: Processes of ``local``; 0 for one a core.
        address: Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    """

    kind: Literal["local", "dask", "serial"] = "local"
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    address: str = ""


class Experiment(Settings):
    """Settings of every experiment; each section adds its own.

    Attributes:
        experiment: Name of the experiment, its package and its YAML file.
        title: One line on what it shows.
        section: Section of the paper.
        profile: Name of the profile: ``smoke``, ``quick``, ``cpu`` or ``paper``.
        seed: All random numbers follow from it.
        paths: Folders; results do not depend on them.
        executor: Where units of work run; results do not depend on it.
    """

    experiment: Name
    title: str
    section: str
    profile: Name
    seed: Seed = 0
    paths: Paths = Paths()
    executor: Executor = Executor()

    @property
    def folder(self) -> Path:
        """Where the results of this experiment are: ``<results>/<profile>/<experiment>``."""
        return Path(self.paths.results).expanduser() / self.profile / self.experiment

    def portable(self) -> dict[str, Any]:
        """The settings as a plain dictionary, without those on which no result depends."""
        return self.model_dump(mode="python", by_alias=True, exclude={"paths", "executor"})


class Job(NamedTuple):
    """An experiment to run.

    Attributes:
        cfg: Its settings.
        section: Its package, with ``Config``, ``run``, ``estimate`` and ``draw``.
        command: The command line, for the provenance.
    """

    cfg: Experiment
    section: Any
    command: str


Schema = TypeVar("Schema", bound=Settings)


def compose(*overrides: str, conf_dir: Path = CONF) -> DictConfig:
    """The configuration that a command line with these overrides stands for."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(conf_dir), version_base="1.3"):
        return hydra.compose("config", list(overrides))


def load(cfg: DictConfig | Mapping[str, Any], schema: type[Schema]) -> Schema:
    """Turn a composed configuration into the section's own settings.

    Args:
        cfg: What Hydra composed, or what :meth:`Experiment.portable` gave.
        schema: The section's ``Config``, or another group of settings.

    Returns:
        An instance of ``schema`` made of plain Python objects, validated.

    Raises:
        UserError: An unknown key, a wrong type, a missing value or a value out of range.
    """
    if "torch" in sys.modules:
        return _validated(_plain(cfg), schema)
    guessed = list[str]()
    token = guesses.set(guessed)
    try:  # mistakes are reported before torch is imported, which takes seconds
        found = _validated(_plain(cfg), schema)
    finally:
        guesses.reset(token)
    return _validated(_plain(cfg), schema) if guessed else found


def _plain(cfg: DictConfig | Mapping[str, Any]) -> dict[Any, Any]:
    """A configuration as plain data, with all interpolations resolved."""
    try:
        plain = OmegaConf.to_container(OmegaConf.create(cfg), resolve=True, throw_on_missing=True)  # type: ignore[arg-type]
    except OmegaConfBaseException as error:
        key, text = error.full_key or "", str(error).splitlines()[0]
        if isinstance(error, MissingMandatoryValue):
            text = "must be given"
        raise UserError(f"{key}: {text}" if key else text) from error
    assert isinstance(plain, dict)
    return plain


def _validated(plain: dict[Any, Any], schema: type[Schema]) -> Schema:
    try:
        return schema.model_validate(plain)
    except ValidationError as error:
        raise UserError(_one_line(error.errors(include_url=False)[0], plain)) from error


def _one_line(error: ErrorDetails, plain: Mapping[Any, Any]) -> str:
    """The full key, what is wrong and what would be right."""
    kind, value, limits = error["type"], error["input"], error.get("ctx", {})
    key = ".".join(map(str, error["loc"]))
    if kind == "extra_forbidden":
        return unknown_key(key, [name for name in dotted(plain) if name != key])
    if kind == "missing":
        return f"{key}: must be given"
    if kind == "literal_error":
        words = limits["expected"].split("'")[1::2]  # of 'a', 'b' or 'c'
        return f"{key}={value}: not known{did_you_mean(str(value), words)}"
    if kind == "value_error":  # of one of our own validators, whose message may name the key
        text = str(limits["error"]).replace("KEY", key)
        if text.partition(" ")[0].startswith(key):
            return text
        return f"{key}: {text}" if isinstance(value, Mapping) else f"{key}={value}: {text}"
    return f"{key}={value}: must be {_allowed(kind, limits) or error['msg']}"


def _allowed(kind: str, limits: Mapping[str, Any]) -> str:
    """What a value may be, by pydantic's type of error."""
    return {
        "int_type": "a whole number such as 1000 (not 1e3)",
        "int_from_float": "a whole number such as 1000 (not 1e3)",
        "float_type": "a number",
        "finite_number": "a finite number",
        "bool_type": "true or false",
        "string_type": "text",
        "list_type": "a list",
        "dict_type": "a mapping of names to values",
        "model_type": "a mapping of settings",
        "greater_than": f"above {limits.get('gt', 0):g}",
        "greater_than_equal": f"{limits.get('ge', 0):g} or more",
        "less_than": f"below {limits.get('lt', 0):g}",
        "less_than_equal": f"{limits.get('le', 0):g} or less",
        "too_short": f"a list of {limits.get('min_length')} or more",
        "too_long": f"a list of {limits.get('max_length')} or fewer",
        "string_too_short": "given, not empty",
        "string_pattern_mismatch": "a name without special characters",
    }.get(kind, "")


def dotted(node: Any, name: str = "") -> Iterator[str]:
    """The dotted keys of every node of a nested mapping, branches included."""
    if name:
        yield name
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from dotted(child, f"{name}.{key}" if name else str(key))
