"""Long units that save their state: they go on from it to the same bits."""

from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.harness import checkpoint
from experiments.harness.units import Surroundings, within
from tests.toys.hill import Walk


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The checkpoint file of a unit in which the test runs; the state is saved after every piece."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    path = tmp_path / "new" / "unit.pt"
    with within(Surroundings(checkpoint=path)):
        yield path


class Broken(Walk):
    """A walk that breaks down before its fourth step."""

    def advance(self) -> list[dict[str, Any]]:
        if self.done == 3:
            raise KeyboardInterrupt
        return super().advance()


def steps(log: Path) -> list[int]:
    return [int(line.split()[1]) for line in log.read_text().splitlines()]


def test_interrupted_work_goes_on_to_the_same_rows(tmp_path: Path, file: Path) -> None:
    with within(Surroundings()):
        expected = checkpoint.run(Walk(6, 5, str(tmp_path / "whole")))
    log = tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        checkpoint.run(Broken(6, 5, str(log)))
    assert file.exists()
    assert checkpoint.run(Walk(6, 5, str(log))) == expected
    assert steps(log) == [0, 1, 2, 3, 4, 5]


def test_no_file_where_none_is_wanted_or_nothing_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 1e9)
    checkpoint.run(Walk(3, 1, str(tmp_path / "log")))
    assert not file.exists()


def test_a_checkpoint_of_another_version_is_told(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save({"work": {"done": 2, "place": 7}, "rows": []})
    assert len(checkpoint.run(Walk(3, 1, str(tmp_path / "log")))) == 3
    assert capsys.readouterr().err == f"{file} is of another version; this unit of work starts again\n"


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_corrupt_checkpoint_is_told(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    log = tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        checkpoint.run(Broken(6, 5, str(log)))
    file.write_bytes(damage or file.read_bytes()[:-100])
    assert len(checkpoint.run(Walk(6, 5, str(log)))) == 6
    assert steps(log)[3:] == [0, 1, 2, 3, 4, 5]
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and str(file) in err and "starts again" in err


class Trojan:
    """What a pickle can do to those who read it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_a_checkpoint_runs_no_code(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint.save({"done": Trojan(tmp_path / "ran")})
    assert checkpoint.load() is None and not (tmp_path / "ran").exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_a_checkpoint_is_whole_at_any_moment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checkpoint.load() is None
    checkpoint.save({"step": 1})

    def halfway(state: object, path: Path) -> None:
        path.write_bytes(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", halfway)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"step": 2})
    assert checkpoint.load() == {"step": 1}
