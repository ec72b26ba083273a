"""The store: nothing is computed twice, nothing is mixed, nothing is lost."""

import random
import re
import shutil
import signal
import sqlite3
import time
import zlib
from contextlib import closing
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.harness import tables
from experiments.harness.errors import UserError
from experiments.harness.store import Store
from experiments.harness.units import Done, Unit, unit
from tests.harness.conftest import until
from tests.toys.hill import trial

text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
rows = st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), text)


def numbered(i: int) -> Unit:
    return unit(trial, number=i, lr=0.1, seed=0)


def square(i: int) -> Done:
    return Done({"runs": pd.DataFrame({"i": [i], "square": [float(i * i)]})}, 0.1, '{"commit": null}')


@given(st.lists(rows, min_size=1, max_size=5))
def test_every_bit_survives(data: list[tuple[int, float, bool, str]]) -> None:
    columns = zip("abcd", zip(*data, strict=True), strict=True)
    frame = pd.DataFrame({name: list(values) for name, values in columns})
    frame = frame.astype({"a": "int64", "b": "float64", "c": "bool", "d": "str"})
    stored = tables.unpack(tables.pack({"runs": frame}), Path("f"))["runs"]
    pd.testing.assert_frame_equal(stored, frame, check_exact=True)


def test_what_was_put_is_there(tmp_path: Path) -> None:
    with Store(tmp_path / "a" / "b") as store:
        assert store.get(numbered(3)) is None
        store.put(numbered(3), square(3))
    with Store(tmp_path / "a" / "b") as store:
        found = store.get(numbered(3))
        assert found is not None and found[1:] == square(3)[1:]
        pd.testing.assert_frame_equal(found.tables["runs"], square(3).tables["runs"])
        assert store.get(numbered(4)) is None


def test_the_checkpoint_goes_with_the_unit(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        file = store.checkpoint(numbered(1))
        assert file != store.checkpoint(numbered(2))
        for store_again in (False, True):  # left by a process that was killed just after storing
            file.parent.mkdir(exist_ok=True)
            file.touch()
            store.get(numbered(1)) if store_again else store.put(numbered(1), square(1))
            assert not file.exists()


def test_a_second_store_is_told(tmp_path: Path) -> None:
    told = re.escape(f"another process computes in {tmp_path}; wait for it")
    with Store(tmp_path), pytest.raises(UserError, match=told), Store(tmp_path):
        pass
    with Store(tmp_path):
        pass  # the lock ends with the context


@pytest.mark.parametrize("damage", ["garbage", "truncated", "overwritten", "payload"])
def test_a_corrupt_store_is_told_and_kept(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "units.sqlite"
    with Store(tmp_path) as store:
        for i in range(400):
            store.put(numbered(i), square(i))
    whole = file.read_bytes()
    if damage == "payload":
        with sqlite3.connect(file) as database:
            database.execute("UPDATE units SET payload = substr(payload, 1, 20)")
        database.close()
    else:
        file.write_bytes({
            "garbage": b"not a database" * 1000,
            "truncated": whole[: len(whole) // 2],
            "overwritten": whole[:4096] + bytes(len(whole) - 4096),
        }[damage])  # fmt: skip
    before = file.read_bytes()
    with pytest.raises(UserError, match=r"units\.sqlite is corrupt") as caught, Store(tmp_path) as store:
        store.get(numbered(1))
    assert "\n" not in str(caught.value) and file.read_bytes() == before


@pytest.mark.parametrize(
    "payload",
    ["{}", "[]", "1", '{"runs": 1}', '{"runs": [[1]]}', '{"runs": [["a", "int64", ["x"]]]}', '{"other": []}'],
)
def test_a_unit_of_a_wrong_shape_is_told(tmp_path: Path, payload: str) -> None:
    with Store(tmp_path) as store:
        store.put(numbered(1), square(1))
    with closing(sqlite3.connect(tmp_path / "units.sqlite")) as database, database:
        database.execute("UPDATE units SET payload = ?", (zlib.compress(payload.encode()),))
    with pytest.raises(UserError, match=r"units\.sqlite is corrupt"), Store(tmp_path) as store:
        store.get(numbered(1))


@pytest.mark.parametrize("made", ["", "[]", "1", "{"])
def test_a_unit_without_a_maker_is_told(tmp_path: Path, made: str) -> None:
    with Store(tmp_path) as store:
        store.put(numbered(1), Done(square(1).tables, 0.5, made))
        with pytest.raises(UserError, match=r"units\.sqlite is corrupt"):
            store.get(numbered(1))


@pytest.mark.parametrize("whole", [False, True])
def test_a_store_deleted_on_the_way_is_told(tmp_path: Path, whole: bool) -> None:
    folder = tmp_path / "run"
    with Store(folder) as store:
        store.put(numbered(1), square(1))
        shutil.rmtree(folder) if whole else (folder / "units.sqlite").unlink()
        with pytest.raises(UserError, match=r"units\.sqlite was deleted.*run the same"):
            store.put(numbered(2), square(2))


@pytest.mark.parametrize("root", ["{file}", "{file}/below", "/proc/none"])
def test_an_unwritable_folder_is_told(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match=r"cannot write.*paths\.results"),
        Store(Path(root.format(file=tmp_path / "file"))),
    ):
        pass


def write(folder: Path) -> None:
    """Store 60 units, but for those that are there; each one begun is a line of the file ``log``."""
    with Store(folder) as store, (folder / "log").open("a", buffering=1) as log:
        for i in range(60):
            if store.get(numbered(i)) is None:
                log.write(f"{i}\n")
                noise = pd.DataFrame({"x": np.random.default_rng(i).normal(size=20_000)})
                store.put(numbered(i), Done({"curves": noise}, 0.0, "{}"))


def test_killed_five_times_while_it_writes(processes: ForkServerContext, tmp_path: Path) -> None:
    def begun() -> int:
        log = tmp_path / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    moments = random.Random(1)
    for _ in range(5):
        writer, enough = processes.Process(target=write, args=(tmp_path,)), begun() + moments.randint(1, 8)
        writer.start()
        until(lambda enough=enough: begun() >= enough)
        time.sleep(moments.uniform(0.0, 0.03))  # somewhere in computing, packing or writing
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
    before = begun()
    writer = processes.Process(target=write, args=(tmp_path,))
    writer.start()
    writer.join()
    assert writer.exitcode == 0 and before < begun() <= 60 + 5  # a kill loses one
    with Store(tmp_path) as store:
        for i in range(60):
            found = store.get(numbered(i))
            assert found is not None
            np.testing.assert_array_equal(
                found.tables["curves"]["x"], np.random.default_rng(i).normal(size=20_000)
            )
