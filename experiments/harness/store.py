"""Where results live: units of work in a database, and the tables, configuration and provenance made of them.

A unit of work is computed once. It is stored in one transaction, so that a process may be killed at any
moment. Several processes may run the same experiment at once: each takes units that no other one works on.
The tables of an experiment are the rows of the units that its run touched, in that order, and nothing else.
"""

import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from experiments.harness import provenance, tables
from experiments.harness.errors import PartDone, UserError
from experiments.harness.locks import Locks, alone
from experiments.harness.progress import Progress
from experiments.harness.settings import Base, portable
from experiments.harness.tables import Tables, read_tables

__all__ = ["Lab", "Tables", "read_tables"]

Item = TypeVar("Item")
Unit = tuple[Mapping[str, Any], Callable[[], Tables]]  # a key, and what computes the result

BUSY_SECONDS = 60.0
SCHEMA = """\
CREATE TABLE IF NOT EXISTS units (hash TEXT PRIMARY KEY, key TEXT, seconds REAL, payload BLOB, made TEXT)"""


class Lab:
    """What an experiment's ``run`` is given: its store, its seeds and its progress bar.

    Args:
        cfg: The experiment's settings; ``cfg.paths.results`` is the root of all results.
        command: The command that started the run, for the provenance.
        share: Where this process, one of several at the same work, begins in it: 0 at the start, ½ midway.

    Attributes:
        cfg: The settings.
        folder: ``<results>/<profile>/<experiment>``, made when it is first needed.
        stand_in: Set by a run that had to take other data than it asks for; its tables are never finished.
    """

    def __init__(self, cfg: Base, command: str = "", share: float = 0.0) -> None:
        self.cfg = cfg
        self._share, self.stand_in = share, False
        self.folder = Path(cfg.paths.results).expanduser() / cfg.profile / cfg.experiment
        self._command = command
        self._database: sqlite3.Connection | None = None
        self._locks = Locks(self.folder / ".units.lock")
        self._touched: dict[str, Tables] = {}
        self._made: dict[str, tuple[str | None, float]] = {}  # what made a unit touched, how long it took
        self._started = time.time()

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *error: object) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        self._locks.close()

    def seed(self, *labels: object) -> int:
        """A seed below 2⁶³ that follows from the configuration's seed and ``labels``.

        Contenders that should meet the same points use the same labels.
        """
        text = json.dumps([self.cfg.seed, *map(str, labels)])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

    def progress(self, total: int, what: str) -> Progress:
        """A display for ``total`` pieces of work: a context manager with ``advance(k=1)``."""
        return Progress(total, f"{self.cfg.experiment}: {what}")

    def unit(self, table_key: Mapping[str, Any], compute: Callable[[], Tables]) -> Tables:
        """The result of one unit of work: computed, or taken from the store if it was computed before.

        Args:
            table_key: What the result depends on, besides the seed, as data that JSON can hold.
            compute: Makes the tables, by name: ``trials``, ``runs``, ``curves``. Columns are int64, float64,
                bool or str; one whose name begins with an underscore stays in the unit and out of the tables.

        Returns:
            The tables, the same to the last bit whether computed or stored.

        Raises:
            UserError: The store is corrupt or cannot be written.
        """
        return self._take([(table_key, compute)], lambda: None)[0]

    def units(self, items: Sequence[Unit], what: str) -> list[Tables]:
        """The results of many units, in the order of ``items``: :meth:`unit` with the work shared.

        Every process that runs the same command takes units that are neither stored nor being computed by
        another one, then waits for the rest. Of several ``parts`` only the one asked for is computed here.

        Args:
            items: Pairs of a key and a function as for :meth:`unit`.
            what: The name of the stage on the progress display.

        Raises:
            PartDone: Units of other parts are not stored.
        """
        part, parts = self.cfg.part, self.cfg.parts
        if parts > 1:
            others = [item for number, item in enumerate(items) if number % parts != part]
            missing = sum(self._read(self._digest(key)[1]) is None for key, _ in others)
            if missing:
                mine = items[part::parts]
                with self.progress(len(mine), f"{what}, part {part} of {parts}") as progress:
                    self._take(mine, progress.advance)
                raise PartDone(
                    f"part {part} of {parts} of {what} is stored in {self._file}; {missing} units of other "
                    "parts are not: compute them, merge the stores (scripts/merge.py), and run this again"
                )
        new = {self._digest(key)[1] for key, _ in items} - self._touched.keys()
        with self.progress(len(new), what) as progress:
            return self._take(items, progress.advance)

    def in_turn(self, items: Sequence[Item]) -> list[Item]:
        """Independent chains of units in the order in which this process should go through them.

        Several processes begin at different ones, so that each finds the others' work done.
        """
        first = int(self._share * len(items))
        return [*items[first:], *items[:first]]

    def checkpoint(self, table_key: Mapping[str, Any]) -> Path:
        """The file where a long unit may keep its state while it is computed; gone once it is stored."""
        return self._checkpoint(self._digest(table_key)[1])

    def _checkpoint(self, digest: str) -> Path:
        return self.folder / ".checkpoints" / f"{digest}.pt"

    def _digest(self, table_key: Mapping[str, Any]) -> tuple[str, str]:
        key = json.dumps({"seed": self.cfg.seed, **table_key}, sort_keys=True)
        return key, hashlib.sha256(key.encode()).hexdigest()

    def _take(self, items: Sequence[Unit], advance: Callable[[], None]) -> list[Tables]:
        work = [(*self._digest(table_key), compute) for table_key, compute in items]
        found: dict[str, Tables] = {}
        for wait in (False, True):  # first what no other process is at, then what others were at
            for key, digest, compute in work:
                if digest not in found and digest not in self._touched:
                    result = self._read(digest)
                    if result is None:
                        result = self._compute(key, digest, compute, wait)
                    if result is not None:
                        found[digest] = result
                        advance()
        # Rows are in the order of the items, whichever process computed them.
        self._touched |= {digest: found[digest] for _, digest, _ in work if digest in found}
        return [
            {name: frame.copy(deep=False) for name, frame in self._touched[digest].items()}
            for _, digest, _ in work
        ]

    def _read(self, digest: str) -> Tables | None:
        with self._store() as database:
            query = "SELECT made, seconds, payload FROM units WHERE hash = ?"
            row = database.execute(query, (digest,)).fetchone()
        if row is None:
            return None
        self._checkpoint(digest).unlink(missing_ok=True)  # of a process that was killed just after storing
        self._made[digest] = row[:2]
        return tables.unpack(row[2], self._file)

    def _compute(self, key: str, digest: str, compute: Callable[[], Tables], wait: bool) -> Tables | None:
        """Compute and store a unit; None if another process does and ``wait`` is false."""
        with self._store():
            if not self._locks.take(digest, wait):
                return None
        try:
            if (stored := self._read(digest)) is not None:
                return stored  # another process was done in the meantime
            start = time.perf_counter()
            result = {name: tables.plain(frame) for name, frame in compute().items()}
            if strange := result.keys() - tables.FILES.keys():
                raise ValueError(f"tables are called {', '.join(tables.FILES)}, not {', '.join(strange)}")
            seconds = time.perf_counter() - start
            with self._store() as database:
                row = (digest, key, seconds, tables.pack(result), self._maker)
                database.execute("INSERT OR IGNORE INTO units VALUES (?, ?, ?, ?, ?)", row)
            self._checkpoint(digest).unlink(missing_ok=True)
            self._made[digest] = self._maker, seconds
            return result
        finally:
            self._locks.release(digest)

    def finished(self) -> bool:
        """Whether the tables are complete, of these settings, and of no stand-in, whose data may be here now.

        Raises:
            UserError: They belong to these settings but a file is corrupt.
        """
        record = tables.read_record(self.folder) or {}
        return self._complete(record) and not record.get("stand_in", False)

    def _complete(self, record: dict[str, Any]) -> bool:
        if not record:
            return False
        if record["fingerprint"] != provenance.fingerprint(self.cfg):
            print(f"{self.folder}: tables of other settings, to be replaced", file=sys.stderr)
            return False
        if any(not (self.folder / name).exists() for name in record["files"]):
            return False
        tables.verify(self.folder, record)
        return True

    def finish(self) -> None:
        """Write the configuration, the tables and the provenance of the units touched.

        The provenance is removed first and written last, so that a folder with a provenance is complete.

        Raises:
            UserError: The folder cannot be written.
        """
        joined = tables.join(list(self._touched.values()))
        files = {"config.yaml": tables.dump_yaml(portable(self.cfg)), **tables.encode(joined)}
        record = {
            "fingerprint": provenance.fingerprint(self.cfg),
            "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
            "columns": {name: tables.dtypes(frame) for name, frame in joined.items()},
            "rows": {name: len(frame) for name, frame in joined.items()},
            "stand_in": self.stand_in,
            **provenance.describe(self.cfg, self._command, self._started, list(self._made.values())),
        }
        files[tables.RECORD] = (json.dumps(record, indent=2) + "\n").encode()
        with self._store() as database, database:
            # The write lock keeps two processes that finish at once from mixing their files.
            database.execute("BEGIN IMMEDIATE")
            old = tables.read_record(self.folder) or {}
            # Another process at the same work may have written, and be reading, the same tables by now.
            if old.get("files") != record["files"] or not self._complete(old):
                tables.replace(self.folder, files)

    @cached_property
    def _maker(self) -> str:
        """What computes units here, as it is when the first one is computed."""
        return json.dumps(provenance.maker(), sort_keys=True)

    @property
    def _file(self) -> Path:
        return self.folder / "units.sqlite"

    @contextmanager
    def _store(self) -> Iterator[sqlite3.Connection]:
        """The open database; its errors, and those of the file system, become user errors."""
        try:
            if self._database is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._database = open_store(self._file)
            yield self._database
        except OSError as error:
            why = error.strerror or error
            raise UserError(f"cannot write to {self.folder}: {why}; choose paths.results=FOLDER") from error
        except sqlite3.OperationalError as error:
            raise UserError(f"cannot use {self._file}: {error}; choose paths.results=FOLDER") from error
        except sqlite3.DatabaseError as error:
            raise UserError(tables.CORRUPT.format(file=self._file, why=error)) from error


def open_store(file: Path) -> sqlite3.Connection:
    """Open a store, or make one.

    Write-ahead logging makes a commit one append and lets readers and a writer work side by side. Each
    statement is a transaction by itself, unless one is begun.

    Args:
        file: The database; its folder is there by then.

    Raises:
        OSError: The lock's file beside ``file`` cannot be written.
        sqlite3.DatabaseError: ``file`` is damaged, no database, cannot be written, or stays locked.
    """
    database = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        # The switch to write-ahead logging does not wait for another process that is at it, but fails.
        with alone(file):
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(SCHEMA)
            made = "SELECT 1 FROM pragma_table_info('units') WHERE name = 'made'"
            if not database.execute(made).fetchone():
                # A store of an earlier version: what made the units in it is unknown.
                database.execute("ALTER TABLE units ADD COLUMN made TEXT")
        [verdict] = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    except BaseException:
        database.close()
        raise
    return database
