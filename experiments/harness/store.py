"""The units of work that were computed for an experiment: a database with one row a unit.

Each unit is stored in one transaction, so that the process may be killed at any moment. Only the main process
opens the store, and only one at a time.
"""

import fcntl
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Self

from experiments.harness import tables
from experiments.harness.errors import UserError
from experiments.harness.units import Done, Unit

SCHEMA = """\
CREATE TABLE IF NOT EXISTS units (hash TEXT PRIMARY KEY, key TEXT, seconds REAL, payload BLOB, made TEXT)"""


class Store:
    """The store in a folder of results, made when it is entered.

    Args:
        folder: ``<results>/<profile>/<experiment>``.

    Raises:
        UserError: On entering, when the folder cannot be written, the store is corrupt, or another process
            computes in this folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "units.sqlite"
        self._lock = threading.Lock()
        self._database: sqlite3.Connection

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            resources.enter_context(self._lock_folder())
            with self._errors():
                # Threads of this process take turns, by the lock.
                database = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
                self._database = resources.enter_context(closing(database))
                database.execute("PRAGMA journal_mode = WAL")  # a commit is one append
                database.execute("PRAGMA synchronous = NORMAL")
                database.execute(SCHEMA)
                [verdict] = database.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict)
            self._inode = self._file.stat().st_ino
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._resources.close()

    def _lock_folder(self) -> IO[bytes]:
        """A file that keeps other processes from computing in the folder until it is closed."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / ".lock").open("ab")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise UserError(
                f"another process computes in {self.folder}; wait for it, or choose another paths.results"
            ) from error
        except OSError as error:
            why = error.strerror or error
            raise UserError(f"cannot write to {self.folder}: {why}; choose paths.results=FOLDER") from error
        return file

    def get(self, unit: Unit) -> Done | None:
        """The stored result of a unit, the same to the last bit; None if it was not computed.

        Raises:
            UserError: The store is corrupt.
        """
        query = "SELECT payload, seconds, made FROM units WHERE hash = ?"
        with self._lock, self._errors():
            row = self._database.execute(query, (unit.digest,)).fetchone()
        if row is None:
            return None
        self.checkpoint(unit).unlink(missing_ok=True)  # of a process that was killed just after storing
        payload, seconds, made = row
        if not (isinstance(seconds, float) and isinstance(made, str) and _is_object(made)):
            why = f"a unit took {seconds} seconds on {made}"
            raise UserError(tables.CORRUPT.format(file=self._file, why=why))
        return Done(tables.unpack(payload, self._file), seconds, made)

    def put(self, unit: Unit, done: Done) -> None:
        """Store the result of a unit.

        Raises:
            UserError: The store cannot be written.
        """
        row = (unit.digest, unit.key, done.seconds, tables.pack(done.tables), done.made)
        with self._lock, self._errors():
            self._still_there()
            self._database.execute("INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?, ?)", row)
        self.checkpoint(unit).unlink(missing_ok=True)

    def checkpoint(self, unit: Unit) -> Path:
        """The file for the state of a unit while it is computed; deleted once the unit is stored."""
        return (self.folder / ".checkpoints" / f"{unit.digest}.pt").absolute()

    def _still_there(self) -> None:
        """Raise :class:`UserError` if the file was deleted, since SQLite would go on writing to it."""
        if not self._file.exists() or self._file.stat().st_ino != self._inode:
            raise UserError(
                f"{self._file} was deleted while it was in use; run the same command again: "
                "it computes anew what was in it"
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of the database become user errors."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UserError(f"cannot use {self._file}: {error}; choose paths.results=FOLDER") from error
        except sqlite3.DatabaseError as error:
            raise UserError(tables.CORRUPT.format(file=self._file, why=error)) from error


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
