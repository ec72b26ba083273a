"""The finished runs of all profiles under one root, read back from their folders."""

import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from experiments.harness.errors import OtherVersion, UserError
from experiments.harness.looks import with_looks
from experiments.harness.results import read_record, read_tables
from experiments.harness.sections import Section, section_of
from experiments.harness.settings import CONF, Experiment, compose, load
from experiments.harness.statistics import Estimate

PROFILES = ("smoke", "quick", "cpu", "paper")
"""The profiles, from the smallest to the largest."""


@dataclass(frozen=True, eq=False)
class Run:
    """A finished experiment, read back from its folder.

    Attributes:
        name: Its folder, relative to the root of the results: ``paper/ackley``, ``normalised/cpu/mnist``.
        folder: Where it is.
        module: Its section.
        config: Its settings.
        provenance: What made it.
        answers: The estimates that its tables give.
    """

    name: str
    folder: Path
    module: Section
    config: Experiment
    provenance: dict[str, Any]
    answers: Sequence[Estimate]

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return self.folder.name

    @property
    def seconds(self) -> float:
        """Seconds of computing behind its tables, summed over processes."""
        return float(self.provenance["seconds"]["all_units"])

    @property
    def size(self) -> tuple[int, float]:
        """What runs of one experiment are ordered by: the profile, then the seconds of computing."""
        profile = self.config.profile
        return PROFILES.index(profile) if profile in PROFILES else -1, self.seconds

    def dressed(self) -> Experiment:
        """Its settings with the competitors' looks of today, for figures."""
        today: Any = OmegaConf.to_container(
            compose(f"experiment={self.experiment}", f"profile={self.config.profile}")
        )
        return load(with_looks(self.config.portable(), today), type(self.config))


def experiments() -> list[str]:
    """Names of the experiments that can be run: one file each in `conf/experiment`."""
    return sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def finished(root: Path, profile: str | None = None) -> list[Run]:
    """Read every finished experiment under a root of results.

    One whose settings are of another version is left out, which a line on stderr says.

    Args:
        root: Its folders are ``<profile>/<experiment>``, and ``<anything>/<profile>/<experiment>``.
        profile: Only runs of this profile directly under the root.

    Raises:
        UserError: There is no such folder, or none at all under the root, or one is damaged.
    """
    names = experiments()
    patterns = ["*/{}", "*/*/{}"] if profile is None else [f"{profile}/{{}}"]
    folders = {folder for name in names for pattern in patterns for folder in root.glob(pattern.format(name))}
    runs = [run for folder in sorted(folders) for run in _known(folder, root)]
    if not (root / (profile or "")).is_dir() or (profile is None and not runs):
        there = ", ".join(sorted(path.name for path in root.glob("*/") if path.is_dir())) or "none"
        of = f" of profile {profile!r}" if profile else ""
        raise UserError(
            f"no results{of} in {root} (folders there: {there}); "
            f"run `make reproduce{f' PROFILE={profile}' if profile else ''}` first"
        )
    return sorted(runs, key=lambda run: (names.index(run.experiment), [-part for part in run.size], run.name))


def _known(folder: Path, root: Path) -> list[Run]:
    """A finished experiment, or nothing if there is none or it is of another version."""
    try:
        return [read(folder, root)] if read_record(folder) else []
    except OtherVersion as error:
        print(f"left out: {error}", file=sys.stderr)
        return []


def read(folder: Path, root: Path) -> Run:
    """A finished experiment; read once in a process while its files are the same.

    Args:
        folder: Where it is, under ``root``.
        root: Root of the results.

    Raises:
        UserError: It is not finished, or damaged.
    """
    return _read(folder, folder.relative_to(root).as_posix(), _state(folder))


def _state(folder: Path) -> str:
    """A text that differs once the provenance does, or the size or time of a table."""
    record = read_record(folder) or {"files": {}}
    there = [file for name in record["files"] if (file := folder / name).exists()]
    seen = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in there]
    return repr((seen, record))


@functools.lru_cache(maxsize=64)
def _read(folder: Path, name: str, state: str) -> Run:
    tables = read_tables(folder)  # which checks config.yaml too
    record = read_record(folder)
    assert record is not None
    module = section_of({"experiment": folder.name})
    try:
        config = load(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")), module.Config)
    except UserError as error:
        raise OtherVersion(f"{folder}/config.yaml is of another version ({error}); run it again") from error
    return Run(name, folder, module, config, record, module.estimate(tables, config))
