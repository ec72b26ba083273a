"""Work spread over machines: parts of it in stores of their own, which are merged."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from experiments.harness.errors import PartDone, UserError
from experiments.harness.settings import Base, Paths
from experiments.harness.store import Lab, read_tables

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("merge", ROOT / "scripts" / "merge.py")
assert spec is not None and spec.loader is not None
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)


def settings(root: Path, part: int = 0, parts: int = 1) -> Base:
    said = {"experiment": "hill", "title": "a hill", "section": "1", "profile": "quick"}
    return replace(Base(**said, paths=Paths(str(root))), part=part, parts=parts)


def work(cfg: Base, done: list[int]) -> Lab:
    def unit(number: int) -> pd.DataFrame:
        done.append(number)
        return pd.DataFrame({"number": [number], "square": [number**2]})

    with Lab(cfg) as lab:
        lab.units([({"i": i}, lambda i=i: {"runs": unit(i)}) for i in range(7)], "squares")  # type: ignore[misc]
        lab.finish()
    return lab


def test_parts_are_computed_apart_and_make_the_same_tables(tmp_path: Path) -> None:
    alone = work(settings(tmp_path / "alone"), []).folder
    counts = []
    for part in range(3):
        done: list[int] = []
        with pytest.raises(PartDone, match=f"part {part} of 3 of squares is stored"):
            work(settings(tmp_path / f"{part}", part, 3), done)
        counts.append(done)
    assert counts == [[0, 3, 6], [1, 4], [2, 5]]
    first, *others = [tmp_path / f"{part}" / "quick" / "hill" for part in range(3)]
    assert [script.merge(other, first) for other in others] == [2, 2]
    assert script.merge(others[0], first / "units.sqlite") == 0  # what is there stays
    assert script.merge(others[1], tmp_path / "new" / "quick" / "hill") == 2  # a folder is made
    again: list[int] = []
    assert work(settings(tmp_path / "0", 0, 3), again).folder == first and again == []
    assert (first / "runs.csv").read_bytes() == (alone / "runs.csv").read_bytes()
    assert read_tables(first)["runs"]["number"].tolist() == list(range(7))


def test_a_part_is_no_part_of_what_the_result_depends_on(tmp_path: Path) -> None:
    folder = work(settings(tmp_path), []).folder
    with Lab(settings(tmp_path, 1, 3)) as lab:
        assert lab.folder == folder and lab.finished()


@pytest.mark.parametrize(
    ("part", "parts", "words"), [(3, 3, "part=3: must lie between 0 and 2"), (0, 0, "parts=0")]
)
def test_parts_that_do_not_exist(tmp_path: Path, part: int, parts: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        settings(tmp_path, part, parts).validate()


def test_merging_what_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main([str(tmp_path / "nowhere"), str(tmp_path)]) == 2
    (tmp_path / "units.sqlite").write_text(
        "no database at all, but long enough to be read as a page of one" * 99
    )
    assert script.main([str(tmp_path), str(tmp_path / "other.sqlite")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 2 and "no such store" in said and "cannot merge" in said
