"""The folder of a finished experiment: settings, tables, provenance. Written once, then only read."""

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NotRequired

import pandas as pd
import yaml
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from experiments.harness import provenance, usercode
from experiments.harness.errors import OtherVersion, UserError
from experiments.harness.settings import Experiment
from experiments.harness.tables import CORRUPT, FILES, Tables, dtypes, dump_yaml, encode, replace
from experiments.harness.units import Done

RECORD = "provenance.json"
FIGURE_TEXTS = "alt.json"
"""Captions and alternative texts of the figures, in their folder."""
FORMATS = ("pdf", "png")
"""In which each figure is there."""


class _Commit(TypedDict):
    commit: str | None


class _Machine(TypedDict):
    cpu: str | None


class _Record(TypedDict):
    """What a provenance must contain for its tables to be read; there is more in it, for readers."""

    fingerprint: str
    files: dict[str, str]
    columns: dict[Literal["trials", "runs", "curves"], dict[str, str]]
    stand_in: NotRequired[bool]
    command: str
    code: _Commit
    machine: _Machine
    units: list[_Commit]


_RECORD: TypeAdapter[_Record] = TypeAdapter(_Record)
_TEXTS: TypeAdapter[dict[str, dict[str, str]]] = TypeAdapter(dict[str, dict[str, str]])


def write(
    cfg: Experiment, joined: Tables, units: Sequence[Done], command: str, started: float, stand_in: bool
) -> None:
    """Write settings, tables and provenance of a run.

    The provenance is removed first and written last, so that a folder with a provenance is complete.

    Args:
        cfg: The settings.
        joined: All rows, by table.
        units: What the rows were made of, for the provenance.
        command: The command that was run.
        started: When it was started, in seconds since the epoch.
        stand_in: Whether other data were used than the settings ask for; such tables are never final.

    Raises:
        UserError: The folder cannot be written.
    """
    files = {"config.yaml": dump_yaml(cfg.portable()), **encode(joined)}
    record = {
        "fingerprint": provenance.fingerprint(cfg.portable()),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "columns": {name: dtypes(frame) for name, frame in joined.items()},
        "rows": {name: len(frame) for name, frame in joined.items()},
        "stand_in": stand_in,
        "own_code": usercode.digests(cfg.portable()),
        **provenance.describe(cfg, command, started, [(done.made, done.seconds) for done in units]),
    }
    files[RECORD] = (json.dumps(record, indent=2) + "\n").encode()
    try:
        for name in (RECORD, *(set(FILES.values()) - files.keys())):
            (cfg.folder / name).unlink(missing_ok=True)
        shutil.rmtree(cfg.folder / "figures", ignore_errors=True)  # they are of the old tables
        replace(cfg.folder, files)
    except OSError as error:
        raise UserError(f"cannot write to {cfg.folder}: {error}; choose paths.results=FOLDER") from error


def finished(cfg: Experiment) -> bool:
    """Whether the folder holds complete tables of these settings.

    Tables of a stand-in never count, as the data themselves may be there now.

    Raises:
        UserError: They belong to these settings but a file is corrupt.
    """
    record = read_record(cfg.folder)
    if record is None or record.get("stand_in", False):
        return False
    if any(not (cfg.folder / name).exists() for name in record["files"]):
        return False
    # Not the stored fingerprint: older versions counted colours and labels in.
    settings = cfg.portable()
    other = provenance.fingerprint(read_settings(cfg.folder)) != provenance.fingerprint(settings)
    if other or record.get("own_code", {}) != usercode.digests(settings):
        what = "other settings" if other else "an earlier version of your own classes"
        print(f"{cfg.folder}: tables of {what}, to be replaced", file=sys.stderr)
        return False
    verify(cfg.folder, record)
    return True


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings in ``folder``, as plain data.

    Raises:
        UserError: They cannot be read.
    """
    file = folder / "config.yaml"
    try:
        settings: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("not a mapping of settings")
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(CORRUPT.format(file=file, why=str(error).splitlines()[0])) from error
    return settings


def read_record(folder: Path) -> dict[str, Any] | None:
    """The provenance in ``folder``, or None if there is none.

    Raises:
        UserError: It cannot be read.
    """
    file = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(file.read_text())
        if not isinstance(record, dict):
            raise ValueError("not a mapping")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UserError(CORRUPT.format(file=file, why=error)) from error
    try:
        _RECORD.validate_python(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise OtherVersion(f"{file} is of another version ({why}); move it away") from error
    return record


def drawn(folder: Path) -> bool:
    """Whether a folder has all its figures, in all formats."""
    try:
        names = _TEXTS.validate_json((folder / FIGURE_TEXTS).read_bytes())
    except (OSError, ValueError):
        return False
    return all((folder / f"{name}.{kind}").exists() for name in names for kind in FORMATS)


def verify(folder: Path, record: dict[str, Any]) -> None:
    """Compare the files of ``folder`` with the checksums in its provenance.

    Raises:
        UserError: A file is missing, unreadable or other than it was written.
    """
    for name, expected in record["files"].items():
        file = folder / name
        try:
            found = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}; run the experiment again") from error
        if found != expected:
            raise UserError(
                f"{file} is not what the run wrote (truncated or edited); "
                "restore it (git checkout) or delete it, then run again"
            )


def read_tables(folder: Path) -> Tables:
    """The tables that a finished experiment left in ``folder``, by name.

    Raises:
        UserError: There are none, or a file is corrupt.
    """
    record = read_record(folder)
    if record is None:
        raise UserError(f"{folder} holds no results; run it: python -m experiments experiment={folder.name}")
    verify(folder, record)
    found = {}
    for name, columns in record["columns"].items():
        file = folder / FILES[name]
        if file.suffix == ".csv":
            # Empty means NaN in a number and the empty string in a text.
            missing = {column: [""] for column, dtype in columns.items() if dtype == "float64"}
            found[name] = pd.read_csv(file, dtype=columns, keep_default_na=False, na_values=missing)
        else:
            found[name] = pd.read_parquet(file)
    return found


def figure_texts(folder: Path) -> dict[str, dict[str, str]]:
    """The ``caption`` and the ``alt`` text of every figure of an experiment, by the figure's name.

    Returns:
        Nothing where the figures in ``folder`` were not drawn.

    Raises:
        UserError: The texts are damaged.
    """
    file = folder / "figures" / FIGURE_TEXTS
    try:
        return _TEXTS.validate_json(file.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{file} is damaged; delete it, and `make figures` writes it again") from error
