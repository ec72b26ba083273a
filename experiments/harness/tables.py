"""Tables as bytes: in the store, and in the files that an experiment leaves behind.

A table is a tidy DataFrame whose columns are int64, float64, bool or str. Every way in and out of a file
keeps the values to the last bit, NaN and infinities included, and the same rows make the same bytes.
"""

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from experiments.harness.errors import UserError

Tables = dict[str, pd.DataFrame]

FILES = {"trials": "trials.csv", "runs": "runs.csv", "curves": "curves.parquet"}
SIMPLE = ("int64", "float64", "bool")
CORRUPT = "{file} is corrupt ({why}); move it away or restore a copy, then run again"


def table_of(tables: Tables, name: str, *columns: str) -> pd.DataFrame:
    """A table that has ``columns`` even if no run filled them, as when no search found settings."""
    found = tables.get(name, pd.DataFrame())
    return found.reindex(columns=[*found.columns, *(c for c in columns if c not in found.columns)])


def where(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows whose columns have these values."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with the four column types only and a fresh index.

    Where rows lack a value that others have, numbers and booleans become float64 with NaN, text empty.

    Raises:
        TypeError: A column holds something else.
    """
    frame = frame.reset_index(drop=True)
    if not any(str(column.dtype) not in (*SIMPLE, "str") or column.hasnans for _, column in frame.items()):
        return frame  # the usual case; many units are small, and the next line is slow
    return pd.DataFrame({str(name): _plain_column(str(name), frame[name]) for name in frame})


def _plain_column(name: str, column: "pd.Series[Any]") -> "pd.Series[Any]":
    if str(column.dtype) in SIMPLE:
        return column
    if column.dtype == object and column.dropna().map(lambda value: isinstance(value, bool)).all():
        column = column.astype("boolean").astype("Float64")
    elif column.dtype == object and column.dropna().map(lambda value: isinstance(value, str)).all():
        column = column.astype("str")
    if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
        return column.astype(bool)
    if pd.api.types.is_integer_dtype(column.dtype) and not column.hasnans:
        return column.astype("int64")
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        return column.astype("float64")
    if isinstance(column.dtype, pd.StringDtype):
        return column.fillna("").astype("str")
    raise TypeError(f"column {name}: {column.dtype} is not one of int64, float64, bool, str")


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    """Column types by column name."""
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def pack(result: Tables) -> bytes:
    """Plain tables as compressed JSON, column by column; floats keep every bit that matters."""
    columns = {
        name: [[column, str(values.dtype), values.tolist()] for column, values in frame.items()]
        for name, frame in result.items()
    }
    return zlib.compress(json.dumps(columns).encode(), level=1)


def unpack(payload: bytes, file: Path) -> Tables:
    """Undo :func:`pack`; ``file`` is named when the payload is damaged.

    Raises:
        UserError: The payload is damaged.
    """
    try:
        stored = json.loads(zlib.decompress(payload))
        if not stored:
            raise ValueError("a unit without tables")
        if strange := stored.keys() - FILES.keys():
            raise ValueError(f"tables called {', '.join(sorted(strange))}")
        return {
            name: pd.DataFrame({column: _array(values, dtype) for column, dtype, values in columns})
            for name, columns in stored.items()
        }
    except (zlib.error, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(CORRUPT.format(file=file, why=error)) from error


def _array(values: list[Any], dtype: str) -> Any:
    return pd.array(values, dtype="str") if dtype == "str" else np.array(values, dtype=dtype)


def join(results: list[Tables]) -> Tables:
    """All rows of many units under their tables' names, in order; tables without rows are left out.

    Columns whose names begin with an underscore, which are for the unit alone, are left out too.
    """
    joined = {}
    for name in FILES:
        frames = [result[name] for result in results if len(result.get(name, ()))]
        if frames:
            rows = pd.concat(frames, ignore_index=True)
            joined[name] = plain(rows[[column for column in rows if not str(column).startswith("_")]])
    return joined


def encode(joined: Tables) -> dict[str, bytes]:
    """The tables as files, by file name."""
    files = {}
    for name, frame in joined.items():
        if FILES[name].endswith(".csv"):
            files[FILES[name]] = frame.to_csv(index=False, lineterminator="\n").encode()
        else:
            files[FILES[name]] = frame.to_parquet(index=False)
    return files


def dump_yaml(plain_data: dict[str, Any]) -> bytes:
    """Plain data as YAML, keys in their own order."""
    return yaml.safe_dump(plain_data, sort_keys=False, allow_unicode=True).encode()


def replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files one after the other, each of which is the old one or the new one at any moment.

    A file that is the same already is left alone, so that nothing needs to be writable then.
    """
    for name, data in files.items():
        if (folder / name).is_file() and (folder / name).read_bytes() == data:
            continue
        partial = folder / f".{name}.part"
        partial.write_bytes(data)
        os.replace(partial, folder / name)


def labelled(table: pd.DataFrame, **labels: object) -> pd.DataFrame:
    """The table with labels, scalars or one value a row, as its first columns."""
    return pd.DataFrame({**labels, **dict(table.items())}, index=table.index)
