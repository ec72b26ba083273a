"""Damaged, lost and misshapen files of a finished run; full and read-only disks; a store deleted on the way.

Each command then ends with exit code 0, or with 2 and one line, and no table is changed without a word.
"""

import functools
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from experiments.report import write
from torture.children import Ended, child, start, wait
from torture.outcome import Deadline, Row
from torture.runs import PATIENCE, SERIAL, TABLES, TINY, job, run

NAME = "zakharov"
SHAPES = (
    "[]", "null", "1", '"x"', "{}", '{"fingerprint": 1}', "- a", "a: b: c", "\x00", "",
    '{"fingerprint": "", "files": [], "columns": {}}',
    '{"fingerprint": "", "files": {}, "columns": {"nothing": {}}}',
)  # fmt: skip
"""Texts that are valid JSON or YAML of another shape, or neither."""
UNITS = (
    "{}", "[]", "1", '{"runs": 1}', '{"runs": [[1]]}', '{"nothing": []}',
    '{"runs": [["a", "int64", ["x"]]]}', '{"runs": [["a", "nosuch", [1]]]}',
    '{"runs": [["a", "int64", [1, 2]], ["b", "int64", [1]]]}',
)  # fmt: skip
"""Payloads of a stored unit, compressed as they should be."""


def attack(seed: int, deadline: Deadline, folder: Path) -> Iterator[Row]:
    """Every kind of damage to every file of a run."""
    draw, whole = random.Random(seed), folder / "whole"
    made = job(NAME, whole, SERIAL)
    ended = child(functools.partial(run, made, whole / "log"), whole, PATIENCE)
    place = Path("smoke") / NAME
    row = Row("files", "damage to the files of a finished run: the run again, its report and its figures")
    with row.timed():
        if ended.code:
            row.fail(f"undisturbed, exit code {ended.code}: {ended.err[-300:]}")
        for what, damage in _damages(draw, place):
            if not deadline:
                break
            _damaged(row, what, damage, whole, folder / "damaged")
    yield row
    row = Row("files", "units of a wrong shape in the store")
    with row.timed():
        for payload in UNITS:
            _unit(row, payload, whole, folder / "unit")
    yield row
    for what, attempt in (
        ("a full disk, at every size of a file", _full),
        ("a store deleted during the run", _deleted),
    ):
        row = Row("files", what)
        with row.timed():
            attempt(row, folder / attempt.__name__, deadline)
        yield row
    row = Row("files", "a finished run on a read-only disk, and an unfinished one")
    with row.timed():
        _read_only(row, whole, folder / "read-only")
    yield row


Damage = Callable[[Path], None]


def _damages(draw: random.Random, place: Path) -> Iterator[tuple[str, Damage]]:
    """A description of each damage, and a function that does it to a folder of results."""
    names = ["provenance.json", "config.yaml", "trials.csv", "runs.csv", "curves.parquet", "figures/alt.json"]
    for name in [*names, "units.sqlite"]:
        for what, change in (
            ("empty", lambda data: b""),
            ("cut", lambda data: data[: len(data) // 2]),
            ("cut by one", lambda data: data[:-1]),
            ("longer", lambda data: data + b"\n1"),
            ("flipped", functools.partial(_flipped, draw)),
            ("noise", lambda data: draw.randbytes(len(data))),
        ):
            yield f"{name} {what}", functools.partial(_rewrite, place / name, change)
        yield f"{name} deleted", functools.partial(_delete, place / name)
        yield f"{name} a folder", functools.partial(_folder, place / name)
    for name in ("provenance.json", "config.yaml", "figures/alt.json"):
        for text in SHAPES:
            yield (
                f"{name} {text!r}",
                functools.partial(_rewrite, place / name, lambda data, text=text: text.encode()),
            )
    for lost in ("figures", ".lock"):
        yield f"{lost} deleted", functools.partial(_delete, place / lost)


def _flipped(draw: random.Random, data: bytes) -> bytes:
    """One bit in the middle of a file is another."""
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]


def _rewrite(file: Path, change: Callable[[bytes], bytes], root: Path) -> None:
    (root / file).write_bytes(change((root / file).read_bytes()))


def _delete(file: Path, root: Path) -> None:
    if (root / file).is_dir():
        shutil.rmtree(root / file)
    else:
        (root / file).unlink(missing_ok=True)


def _folder(file: Path, root: Path) -> None:
    _delete(file, root)
    (root / file).mkdir()


def _copied(whole: Path, root: Path) -> Path:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(whole / "smoke", root / "smoke")
    return root


def _damaged(row: Row, what: str, damage: Damage, whole: Path, root: Path) -> None:
    for name in ("run", "report", "figures"):
        if name == "figures" and row.runs % 8:
            continue  # drawing takes seconds, and reads the same files as the report
        damage(_copied(whole, root))
        made = job(NAME, root, SERIAL)
        command: Callable[[], int] = {
            "run": functools.partial(run, made, root / "log"),
            "report": lambda: write.write(root) and 0,
            "figures": lambda: write.draw(root, "smoke") and 0,
        }[name]
        _judge(row, f"{what}, {name}", child(command, root, PATIENCE))
        if name == "run" and row.found and what in row.found[-1]:
            continue
        if name == "run":
            row.changed += _silently_changed(whole, root)


def _silently_changed(whole: Path, root: Path) -> int:
    """Tables of a run that calls itself finished and are not those of the undisturbed run."""
    place = Path("smoke") / NAME
    err = (root / "stderr").read_text(errors="replace")
    if "error: " in err:
        return 0
    names = [name for name in TABLES if (whole / place / name).exists()]
    return sum((root / place / n).read_bytes() != (whole / place / n).read_bytes() for n in names)


def _judge(row: Row, what: str, ended: Ended) -> None:
    """A command ends with 0, or with 2 and one line of error."""
    row.runs += 1
    row.refused += ended.code == 2
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    if ended.code not in (0, 2) or "Traceback" in ended.err or (ended.code == 2) != (len(errors) == 1):
        row.fail(f"{what}: exit code {ended.code}: {ended.err[-300:]}")


def _unit(row: Row, payload: str, whole: Path, root: Path) -> None:
    """A unit of the store is another; the tables are gone, so that the store is read."""
    place = _copied(whole, root) / "smoke" / NAME
    (place / "provenance.json").unlink()
    with closing(sqlite3.connect(place / "units.sqlite")) as database, database:
        database.execute("UPDATE units SET payload = ?", (zlib.compress(payload.encode()),))
    _judge(row, payload, child(functools.partial(run, job(NAME, root, SERIAL), root / "log"), root, PATIENCE))


def _full(row: Row, folder: Path, deadline: Deadline) -> None:
    """No file may grow beyond so many bytes: what a full disk does to a write, at other moments."""
    for number, size in enumerate((4096, 9000, 13_000, 20_000, 33_000, 50_000, 80_000)):
        if not deadline:
            break
        root = folder / str(number)

        def command(root: Path = root, size: int = size) -> int:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            return run(job(NAME, root, SERIAL), Path(os.devnull))

        ended = child(command, root, PATIENCE)
        _judge(row, f"files of {size} bytes at most", ended)
        after = child(functools.partial(run, job(NAME, root, SERIAL), Path(os.devnull)), root, PATIENCE)
        if after.code:
            row.fail(f"after files of {size} bytes at most, exit code {after.code}: {after.err[-300:]}")


def _deleted(row: Row, folder: Path, deadline: Deadline) -> None:
    """The store's file, or the whole folder, is deleted while units are computed."""
    for what in ("units.sqlite", "."):
        root = folder / what.strip(".") / "x"
        pid = start(functools.partial(run, job(NAME, root, SERIAL), folder / f"log{what}"), root)
        while wait(pid, 0.01) is None and not (folder / f"log{what}").exists():
            pass
        target = root / "smoke" / NAME / what
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        code = wait(pid, PATIENCE)
        ended = Ended(-9 if code is None else code, (root / "stderr").read_text(), False)
        _judge(row, f"{what} deleted", ended)
        if "was deleted" not in ended.err:
            row.fail(f"{what} deleted, and nothing said: {ended.err[-300:]}")


READ_ONLY = """\
mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && exec {python} -m experiments \
experiment=NAME profile=smoke TINY executor=serial paths.download=false paths.results={folder}"""


def _read_only(row: Row, whole: Path, folder: Path) -> None:
    """In a mount namespace of its own, where this user may have one."""
    for finished in (True, False):
        root = _copied(whole, folder / str(finished))
        if not finished:
            (root / "smoke" / NAME / "provenance.json").unlink()
        script = (
            READ_ONLY.replace("NAME", NAME)
            .replace("TINY", TINY[NAME])
            .format(folder=root.resolve(), python=sys.executable)
        )
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=PATIENCE
        )
        if done.returncode == 1 and "unshare" in done.stderr:
            row.note = "not tried: this user may not mount"
            return
        _judge(
            row,
            f"read-only, {'finished' if finished else 'unfinished'}",
            Ended(done.returncode, done.stderr, False),
        )
        if finished and done.returncode:
            row.fail(f"read-only and finished, exit code {done.returncode}: {done.stderr[-300:]}")
