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
from torture.children import Ended, child, judge, start, wait
from torture.outcome import Deadline, Row
from torture.runs import PATIENCE, SERIAL, TINY, changed, digests, job, run

NAME = "zakharov"
PLACE = Path("smoke") / NAME
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
    ended = child(_command(whole, whole / "log"), whole, PATIENCE)
    row = Row("files", "damage to the files of a finished run: the run again, its report and its figures")
    with row.timed():
        if ended.code:
            row.fail(f"undisturbed, exit code {ended.code}: {ended.err[-300:]}")
        for name, what, damage in _damages(draw):
            if not deadline:
                break
            _damaged(row, name, what, damage, whole, folder / "damaged")
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


def _command(root: Path, log: Path) -> Callable[[], int]:
    """The run, with its results below a folder."""
    return functools.partial(run, job(NAME, root, SERIAL), log)


Damage = Callable[[Path], object]


def _damages(draw: random.Random) -> Iterator[tuple[str, str, Damage]]:
    """The name of a file, a description of a damage to it, and the function that does it."""
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
            yield name, what, functools.partial(_rewrite, change)
        yield name, "deleted", _delete
        yield name, "a folder", _folder
    for name in ("provenance.json", "config.yaml", "figures/alt.json"):
        for text in SHAPES:
            yield name, repr(text), functools.partial(Path.write_text, data=text)
    for lost in ("figures", ".lock"):
        yield lost, "deleted", _delete


def _flipped(draw: random.Random, data: bytes) -> bytes:
    """One bit in the middle of a file is another."""
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]


def _rewrite(change: Callable[[bytes], bytes], file: Path) -> None:
    file.write_bytes(change(file.read_bytes()))


def _delete(file: Path) -> None:
    if file.is_dir():
        shutil.rmtree(file)
    else:
        file.unlink(missing_ok=True)


def _folder(file: Path) -> None:
    _delete(file)
    file.mkdir()


def _copied(whole: Path, root: Path) -> Path:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(whole / "smoke", root / "smoke")
    return root


def _damaged(row: Row, name: str, what: str, damage: Damage, whole: Path, root: Path) -> None:
    commands: dict[str, Callable[[], int]] = {
        "run": _command(root, root / "log"),
        "report": lambda: write.write(root) and 0,
        "figures": lambda: write.draw(root, "smoke") and 0,
    }
    for action, command in commands.items():
        if action == "figures" and row.runs % 8:
            continue  # drawing takes seconds, and reads the same files as the report
        damage(_copied(whole, root) / PLACE / name)
        ended = child(command, root, PATIENCE)
        if judge(row, f"{name} {what}, {action}", ended) and action == "run" and ended.code == 0:
            row.changed += changed(root / PLACE, digests(whole / PLACE))


def _unit(row: Row, payload: str, whole: Path, root: Path) -> None:
    """A unit of the store is another; the tables are gone, so that the store is read."""
    place = _copied(whole, root) / PLACE
    (place / "provenance.json").unlink()
    with closing(sqlite3.connect(place / "units.sqlite")) as database, database:
        database.execute("UPDATE units SET payload = ?", (zlib.compress(payload.encode()),))
    judge(row, payload, child(_command(root, root / "log"), root, PATIENCE))


def _full(row: Row, folder: Path, deadline: Deadline) -> None:
    """No file may grow beyond so many bytes: what a full disk does to a write, at other moments."""
    for number, size in enumerate((4096, 9000, 13_000, 20_000, 33_000, 50_000, 80_000)):
        if not deadline:
            break
        root, what = folder / str(number), f"files of {size} bytes at most"
        again = _command(root, Path(os.devnull))

        def command(again: Callable[[], int] = again, size: int = size) -> int:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            return again()

        judge(row, what, child(command, root, PATIENCE))
        after = child(again, root, PATIENCE)
        if after.code:
            row.fail(f"after {what}, exit code {after.code}: {after.err[-300:]}")


def _deleted(row: Row, folder: Path, deadline: Deadline) -> None:
    """The store's file, or the whole folder, is deleted while units are computed."""
    for what in ("units.sqlite", "."):
        root, log = folder / what.strip(".") / "x", folder / f"log{what}"
        pid = start(_command(root, log), root)
        while wait(pid, 0.01) is None and not log.exists():
            pass
        target = root / PLACE / what
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        code = wait(pid, PATIENCE)
        ended = Ended(-9 if code is None else code, (root / "stderr").read_text(), False)
        judge(row, f"{what} deleted", ended)
        if "was deleted" not in ended.err:
            row.fail(f"{what} deleted, and nothing said: {ended.err[-300:]}")


def _read_only(row: Row, whole: Path, folder: Path) -> None:
    """In a mount namespace of its own, where this user may have one."""
    for finished in (True, False):
        root = _copied(whole, folder / str(finished)).resolve()
        if not finished:
            (root / PLACE / "provenance.json").unlink()
        script = (
            f"mount --bind {root} {root} && mount -o remount,bind,ro {root} && exec {sys.executable} "
            f"-m experiments experiment={NAME} profile=smoke {TINY[NAME]} executor=serial "
            f"paths.download=false paths.results={root}"
        )
        command = ["unshare", "-m", "sh", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode == 1 and "unshare" in done.stderr:
            row.note = "not tried: this user may not mount"
            return
        what = f"read-only, {'finished' if finished else 'unfinished'}"
        judge(row, what, Ended(done.returncode, done.stderr, False))
        if finished and done.returncode:
            row.fail(f"{what}, exit code {done.returncode}: {done.stderr[-300:]}")
