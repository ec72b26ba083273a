"""The folder of a finished experiment: complete or not there, read back to the last bit."""

import itertools
import json
import math
import os
import re
import signal
import subprocess
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.harness import provenance, results, tables, usercode
from experiments.harness.errors import UserError
from experiments.harness.settings import Experiment, Paths
from experiments.harness.units import Done
from tests.harness.test_store import rows


def config(root: Path, title: str = "t") -> Experiment:
    paths = Paths(results=str(root))
    return Experiment(experiment="hill", title=title, section="1", profile="quick", paths=paths)


def done(commit: str = "a", seconds: float = 1.0) -> Done:
    return Done({}, seconds, f'{{"commit": "{commit}"}}')


def write(root: Path, title: str = "t", stand_in: bool = False, **joined: pd.DataFrame) -> Path:
    cfg = config(root, title)
    cfg.folder.mkdir(parents=True, exist_ok=True)
    units = [done("a", 1.0), done("b", 2.0), done("b", 3.0)]
    results.write(cfg, joined or {"runs": pd.DataFrame({"i": [1, 2]})}, units, "command", 0.0, stand_in)
    return cfg.folder


@settings(max_examples=30)
@given(st.lists(rows, min_size=1, max_size=20))
def test_every_bit_survives_in_the_files(
    tmp_path_factory: pytest.TempPathFactory, data: list[tuple[int, float, bool, str]]
) -> None:
    frame = tables.plain(pd.DataFrame(data, columns=list("abcd")).astype({"d": "str"}))
    folder = write(tmp_path_factory.mktemp("results"), **dict.fromkeys(tables.FILES, frame))
    for read in results.read_tables(folder).values():
        pd.testing.assert_frame_equal(read, frame, check_exact=True)


def test_rows_that_lack_a_column(tmp_path: Path) -> None:
    parts = [{"i": [1], "ok": [True], "name": ["a"]}, {"i": [2], "n": [7]}]
    joined = tables.join([{"runs": tables.plain(pd.DataFrame(part))} for part in parts])
    got = results.read_tables(write(tmp_path, **joined))["runs"]
    assert got["i"].tolist() == [1, 2] and got["name"].tolist() == ["a", ""]
    assert got["ok"].iloc[0] == 1.0 and math.isnan(got["ok"].iloc[1])
    assert math.isnan(got["n"].iloc[0]) and got["n"].iloc[1] == 7.0


def test_what_is_no_longer_made_goes_away(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0]})
    (write(tmp_path, curves=frame) / "figures").mkdir()
    folder = write(tmp_path, runs=frame)
    assert sorted(results.read_tables(folder)) == ["runs"] and not (folder / "figures").exists()


def test_same_settings_same_bytes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    for name in ("config.yaml", "runs.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert str(tmp_path) not in (first / "config.yaml").read_text()


def test_finished_is_known_and_damage_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not results.finished(config(tmp_path))
    file = write(tmp_path) / "runs.csv"
    assert results.finished(config(tmp_path)) and not results.finished(config(tmp_path, "other"))
    assert "other settings" in capsys.readouterr().err
    file.write_bytes(file.read_bytes()[:-1])
    for reader in (lambda: results.finished(config(tmp_path)), lambda: results.read_tables(file.parent)):
        with pytest.raises(UserError, match=r"runs\.csv.*delete it, then run again"):
            reader()
    file.unlink()
    assert not results.finished(config(tmp_path))
    with pytest.raises(UserError, match=r"runs\.csv cannot be read"):
        results.read_tables(file.parent)


class Own(Experiment):
    optimizer: dict[str, Any]


def test_tables_of_a_users_class_are_those_of_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ownresults.py").write_text("class Mine: ...")
    cfg = Own(**config(tmp_path).model_dump(), optimizer={"_target_": "ownresults.Mine"})
    cfg.folder.mkdir(parents=True)
    results.write(cfg, {"runs": pd.DataFrame({"i": [1]})}, [done()], "command", 0.0, False)
    assert results.finished(cfg)
    (tmp_path / "ownresults.py").write_text("class Mine: pass")
    assert results.finished(cfg)  # this process has imported it
    usercode._digest.cache_clear()  # as in another one
    assert not results.finished(cfg) and "an earlier version of your own classes" in capsys.readouterr().err


def test_tables_of_a_stand_in_are_not_final(tmp_path: Path) -> None:
    write(tmp_path, stand_in=True)
    assert not results.finished(config(tmp_path))


SHAPE = {"fingerprint": "", "files": {}, "columns": {}, "command": "", "code": {"commit": None},
         "machine": {"cpu": None}, "units": []}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"files": []}, {"columns": {"nothing": {}}}, {"columns": {"runs": []}}, {"code": {}}, {"units": [1]}],
)
def test_a_record_of_a_wrong_shape_is_told(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = write(tmp_path)
    (folder / "provenance.json").write_text(json.dumps(SHAPE))
    assert results.read_record(folder) == SHAPE
    (folder / "provenance.json").write_text(json.dumps(SHAPE | change))
    with pytest.raises(UserError, match=rf"provenance\.json is of another version \({next(iter(change))}"):
        results.read_record(folder)


def test_a_file_that_is_the_same_is_left_alone(tmp_path: Path) -> None:
    tables.replace(tmp_path, {"a": b"1", "b": b"2"})
    before = (tmp_path / "a").stat().st_ino
    tables.replace(tmp_path, {"a": b"1", "b": b"3"})
    assert (tmp_path / "a").stat().st_ino == before and (tmp_path / "b").read_bytes() == b"3"


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(("provenance.json", damage) for damage in ['{"fingerprint": ', "[]", "\x00"]),
        *(("config.yaml", damage) for damage in ["", "- a", "a: b: c", "1"]),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, name: str, damage: str) -> None:
    (write(tmp_path) / name).write_text(damage)
    with pytest.raises(UserError, match=rf"{re.escape(name)} is corrupt"):
        results.finished(config(tmp_path))


def test_the_record_says_what_made_the_units(tmp_path: Path) -> None:
    record = results.read_record(write(tmp_path))
    assert record is not None and record["seconds"]["all_units"] == 6.0
    assert [(made["commit"], made["units"], made["seconds"]) for made in record["units"]] == [
        ("a", 1, 1.0),
        ("b", 2, 5.0),
    ]


def test_provenance_without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    record = results.read_record(write(tmp_path))
    assert record is not None and record["code"]["commit"] is None
    assert record["versions"]["pandas"] == pd.__version__


def test_provenance_in_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@x"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "m"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new").touch()
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    clean = provenance.describe(config(tmp_path), "c", 0.0, [])["code"]
    head = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    assert clean["commit"] == head and clean["dirty"] is False
    (tmp_path / "changed.py").touch()
    assert provenance.describe(config(tmp_path), "c", 0.0, [])["code"]["dirty"] is True


def finish(root: Path, title: str, last: int) -> None:
    """Write tables if they are not there, killed before a number of files is in place."""
    replace, calls = os.replace, itertools.count(1)

    def fatal(source: Path, target: Path) -> None:
        if next(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = fatal  # type: ignore[assignment]
    if not results.finished(config(root, title)):
        frame = pd.DataFrame({"title": [title]})
        write(root, title, runs=frame, trials=frame)


@pytest.mark.parametrize("last", [1, 2, 4])
def test_killed_between_two_files(processes: ForkServerContext, tmp_path: Path, last: int) -> None:
    """Killed before a file is in place, over the tables of other settings: either can be run again."""

    def code(title: str, last: int = 0) -> int | None:
        process = processes.Process(target=finish, args=(tmp_path, title, last))
        process.start()
        process.join()
        return process.exitcode

    assert code("old") == 0
    for title in ("old", "new"):
        assert code("new", last) == -signal.SIGKILL
        assert code(title) == 0
        found = results.read_tables(tmp_path / "quick" / "hill")
        assert {name: frame["title"].tolist() for name, frame in found.items()} == {
            "runs": [title],
            "trials": [title],
        }
