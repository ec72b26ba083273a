"""The store: nothing is computed twice, nothing is mixed, nothing is lost."""

import math
import sqlite3
import subprocess
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.harness import provenance, tables
from experiments.harness.errors import UserError
from experiments.harness.settings import Base, Paths
from experiments.harness.store import Lab, Tables, read_tables

ROOT = Path(__file__).resolve().parents[2]


def lab(root: Path, seed: int = 0, title: str = "t") -> Lab:
    return Lab(
        Base(experiment="hill", title=title, section="1", profile="quick", seed=seed, paths=Paths(str(root)))
    )


def square(i: int) -> Tables:
    return {"runs": pd.DataFrame({"i": [i], "square": [float(i * i)]})}


def run(root: Path, numbers: range, title: str = "t") -> Lab:
    with lab(root, title=title) as it:
        for i in numbers:
            it.unit({"i": i}, partial(square, i))
        it.finish()
    return it


text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
rows = st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), text)


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=5))
def test_every_bit_survives(data: list[tuple[int, float, bool, str]]) -> None:
    frame = pd.DataFrame(
        {name: list(values) for name, values in zip("abcd", zip(*data, strict=True), strict=True)}
    )
    frame = frame.astype({"a": "int64", "b": "float64", "c": "bool", "d": "str"})
    pd.testing.assert_frame_equal(
        tables.unpack(tables.pack({"x": frame}), Path("f"))["x"], frame, check_exact=True
    )


@settings(deadline=None, max_examples=30)
@given(st.lists(rows, min_size=1, max_size=20))
def test_every_bit_survives_in_the_files(
    tmp_path_factory: pytest.TempPathFactory, data: list[tuple[int, float, bool, str]]
) -> None:
    frame = pd.DataFrame(data, columns=list("abcd"))
    root = tmp_path_factory.mktemp("results")
    with lab(root) as it:
        result = it.unit({}, lambda: {name: frame for name in tables.FILES})
        it.finish()
    for name, read in read_tables(it.folder).items():
        pd.testing.assert_frame_equal(read, result[name], check_exact=True)


def test_a_unit_is_computed_once(tmp_path: Path) -> None:
    with lab(tmp_path) as first:
        fresh = first.unit({"i": 3}, lambda: square(3))
        fresh["runs"]["square"] = 0.0  # what a caller does to its copy stays there
        again = first.unit({"i": 3}, lambda: pytest.fail("computed again"))
    with lab(tmp_path) as second:
        stored = second.unit({"i": 3}, lambda: pytest.fail("computed again"))
    pd.testing.assert_frame_equal(again["runs"], square(3)["runs"])
    pd.testing.assert_frame_equal(stored["runs"], square(3)["runs"])


def test_another_seed_or_key_is_another_unit(tmp_path: Path) -> None:
    with lab(tmp_path) as first, lab(tmp_path, seed=1) as second:
        first.unit({"i": 3}, lambda: square(3))
        assert second.unit({"i": 3}, lambda: square(4))["runs"]["i"].item() == 4
        assert first.unit({"i": 3, "lr": 0.1}, lambda: square(5))["runs"]["i"].item() == 5


def test_a_failed_unit_stores_nothing(tmp_path: Path) -> None:
    with lab(tmp_path) as it, pytest.raises(ZeroDivisionError):
        it.unit({"i": 3}, lambda: {"runs": pd.DataFrame({"x": [1 / 0]})})
    with lab(tmp_path) as it:
        assert it.unit({"i": 3}, lambda: square(3))["runs"]["square"].item() == 9.0


def test_columns_of_other_types_are_refused(tmp_path: Path) -> None:
    with lab(tmp_path) as it, pytest.raises(TypeError, match="column x"):
        it.unit({}, lambda: {"runs": pd.DataFrame({"x": [[1, 2]]})})


def test_rows_that_lack_a_column(tmp_path: Path) -> None:
    parts = [{"i": [1], "ok": [True], "name": ["a"]}, {"i": [2], "n": [7]}]
    with lab(tmp_path) as it:
        for number, part in enumerate(parts):
            it.unit({"i": number}, lambda part=part: {"runs": pd.DataFrame(part)})  # type: ignore[misc]
        it.finish()
    got = read_tables(it.folder)["runs"]
    assert got["i"].tolist() == [1, 2] and got["name"].tolist() == ["a", ""]
    assert got["ok"].iloc[0] == 1.0 and math.isnan(got["ok"].iloc[1])
    assert math.isnan(got["n"].iloc[0]) and got["n"].iloc[1] == 7.0


def test_tables_hold_the_units_of_this_run_only(tmp_path: Path) -> None:
    run(tmp_path, range(5))
    folder = run(tmp_path, range(4, 2, -1)).folder
    assert read_tables(folder)["runs"]["i"].tolist() == [4, 3]
    assert (folder / "runs.csv").read_text() == "i,square\n4,16.0\n3,9.0\n"


def test_a_table_that_is_no_longer_made_goes_away(tmp_path: Path) -> None:
    with lab(tmp_path) as it:
        it.unit({}, lambda: {"curves": pd.DataFrame({"x": [1.0]}), "runs": pd.DataFrame({"i": list[int]()})})
        it.finish()
    assert sorted(read_tables(it.folder)) == ["curves"]
    assert sorted(read_tables(run(tmp_path, range(2), title="other").folder)) == ["runs"]


def test_same_settings_same_bytes(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a", range(3)).folder, run(tmp_path / "b", range(3)).folder
    for name in ("config.yaml", "runs.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert str(tmp_path) not in (first / "config.yaml").read_text()


def test_finished_is_known_and_damage_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not lab(tmp_path).finished()
    file = run(tmp_path, range(9)).folder / "runs.csv"
    assert lab(tmp_path).finished()
    assert not lab(tmp_path, title="other").finished()
    assert "other settings" in capsys.readouterr().err
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    for reader in (lab(tmp_path).finished, lambda: read_tables(file.parent)):
        with pytest.raises(UserError, match=r"runs\.csv.*delete it, then run again"):
            reader()
    file.unlink()
    assert not lab(tmp_path).finished()
    assert run(tmp_path, range(9)).finished() and file.read_bytes() == whole


def test_tables_of_a_stand_in_are_looked_at_again(tmp_path: Path) -> None:
    with lab(tmp_path) as it:
        it.unit({"i": 1}, partial(square, 1))
        it.stand_in = True
        it.finish()
        assert not it.finished()
    assert not lab(tmp_path).finished()
    assert run(tmp_path, range(2)).finished()  # with the data themselves


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    file = run(tmp_path, range(2)).folder / "provenance.json"
    for damage in (file.read_text()[:40], "[]", "\x00"):
        file.write_text(damage)
        with pytest.raises(UserError, match=r"provenance\.json is corrupt"):
            lab(tmp_path).finished()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "overwritten", "payload"])
def test_a_corrupt_store_is_told_and_kept(tmp_path: Path, damage: str) -> None:
    file = run(tmp_path, range(400)).folder / "units.sqlite"
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
    with (
        lab(tmp_path, title="other") as it,
        pytest.raises(UserError, match=r"units\.sqlite is corrupt") as caught,
    ):
        it.unit({"i": 1}, lambda: square(1))
    assert "\n" not in str(caught.value) and file.read_bytes() == before


@pytest.mark.parametrize("root", ["{file}", "{file}/below", "/proc/none"])
def test_unwritable_results(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").touch()
    with (
        lab(Path(root.format(file=tmp_path / "file"))) as it,
        pytest.raises(UserError, match=r"paths\.results"),
    ):
        it.unit({}, lambda: square(1))


def test_seeds(tmp_path: Path) -> None:
    it = lab(tmp_path)
    seeds = {it.seed(*labels) for labels in [(), ("a",), ("a", "bc"), ("ab", "c"), ("a", 1)]}
    seeds.add(lab(tmp_path, seed=1).seed("a"))
    assert len(seeds) == 6 and all(0 <= seed < 2**63 for seed in seeds)
    assert it.seed("a", 1) == lab(tmp_path / "elsewhere").seed("a", 1)


def test_provenance_without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    record = tables.read_record(run(tmp_path, range(1)).folder)
    assert (
        record is not None
        and record["code"]["commit"] is None
        and record["versions"]["pandas"] == pd.__version__
    )


def test_provenance_in_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@x"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "m"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new").touch()
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    clean = provenance.describe(lab(tmp_path).cfg, "c", 0.0, [])["code"]
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert clean["commit"] == head and clean["dirty"] is False
    (tmp_path / "changed.py").touch()
    assert provenance.describe(lab(tmp_path).cfg, "c", 0.0, [])["code"]["dirty"] is True


def test_progress_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lab(tmp_path).progress(4, "search") as progress:
        for _ in range(4):
            progress.advance()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("hill: search: 4/4 in 00:00")


def test_every_unit_says_what_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "maker", lambda: {"commit": "a" * 40})
    run(tmp_path, range(2))
    monkeypatch.setattr(provenance, "maker", lambda: {"commit": "b" * 40})
    record = tables.read_record(run(tmp_path, range(5), title="other").folder)
    assert record is not None
    assert [(made["commit"][0], made["units"]) for made in record["units"]] == [("a", 2), ("b", 3)]
    assert sum(made["seconds"] for made in record["units"]) == pytest.approx(
        record["seconds"]["all_units"], abs=0.01
    )


def test_a_store_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    file = run(tmp_path, range(2)).folder / "units.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("ALTER TABLE units DROP COLUMN made")
    database.close()
    with lab(tmp_path, title="other") as first, lab(tmp_path, title="other") as second:
        for it in (first, second):
            for i in range(3):
                it.unit({"i": i}, partial(square, i))
        second.finish()
    record = tables.read_record(first.folder)
    assert record is not None and [(made["commit"] is None, made["units"]) for made in record["units"]] == [
        (True, 2),
        (False, 1),
    ]
