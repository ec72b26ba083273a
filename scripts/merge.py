"""Copy the units of work of one store into another: of a run on another machine, of a part of the work.

    python scripts/merge.py FROM INTO        two files units.sqlite, or the folders that hold them

Units are known by what they depend on; one that is in both stays as it is.
"""

import argparse
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.harness.errors import UserError, strict
from experiments.harness.store import open_store


def merge(source: Path, target: Path) -> int:
    """Copy units from ``source`` to ``target``; the number that were new there.

    Raises:
        UserError: ``source`` does not exist, or one of the two is no store.
    """
    files = [path if path.suffix == ".sqlite" else path / "units.sqlite" for path in (source, target)]
    if not files[0].exists():
        raise UserError(f"{files[0]}: no such store; name a units.sqlite or the folder that holds it")
    try:
        files[1].parent.mkdir(parents=True, exist_ok=True)
        for file in files:
            open_store(file).close()
        with sqlite3.connect(files[1], isolation_level=None) as database:
            database.execute("ATTACH DATABASE ? AS other", (str(files[0]),))
            before = database.total_changes
            database.execute("INSERT OR IGNORE INTO units SELECT * FROM other.units")
            return database.total_changes - before
    except (OSError, sqlite3.DatabaseError) as error:
        raise UserError(f"cannot merge {files[0]} into {files[1]}: {error}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Merge two stores; the exit code."""
    parser = argparse.ArgumentParser(description="Copy the units of one store into another.")
    parser.add_argument("source", metavar="FROM", type=Path)
    parser.add_argument("target", metavar="INTO", type=Path)
    try:
        given = strict(parser).parse_args(argv)
        print(f"{merge(given.source, given.target)} new units in {given.target}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
