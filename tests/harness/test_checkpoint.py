"""Long units that keep their state in a file, which is gone once they are stored."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from experiments.harness import checkpoint
from experiments.harness.settings import Base, Paths
from experiments.harness.store import Lab, Tables


def lab(root: Path) -> Lab:
    paths = Paths(str(root))
    return Lab(Base(experiment="hill", title="t", section="1", profile="quick", paths=paths))


class Long:
    """A unit of five pieces that keeps its state; it breaks down before one of them."""

    def __init__(self, it: Lab, broken_at: int = 5) -> None:
        self.it, self.broken_at, self.done = it, broken_at, list[int]()

    def __call__(self) -> Tables:
        file = self.it.checkpoint({"long": 1})
        state = checkpoint.load(file) or {"done": [], "sum": torch.zeros((), dtype=torch.float64)}
        for piece in range(len(state["done"]), 5):
            if piece == self.broken_at:
                raise KeyboardInterrupt
            self.done.append(piece)
            state = {"done": [*state["done"], piece], "sum": state["sum"] + 0.1 * piece}
            checkpoint.save(file, state)
        return {"runs": pd.DataFrame({"sum": [state["sum"].item()], "pieces": [len(state["done"])]})}


def interrupted(root: Path) -> Path:
    """Leaves a long unit after three pieces; where its state is kept."""
    with lab(root) as it, pytest.raises(KeyboardInterrupt):
        it.unit({"long": 1}, Long(it, broken_at=3))
    return it.checkpoint({"long": 1})


def test_a_long_unit_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    with lab(tmp_path / "whole") as it:
        expected = it.unit({"long": 1}, Long(it))["runs"]
    file = interrupted(tmp_path)
    assert file.exists() and file != lab(tmp_path).checkpoint({"long": 2})
    with lab(tmp_path) as it:
        rest = Long(it)
        pd.testing.assert_frame_equal(it.unit({"long": 1}, rest)["runs"], expected, check_exact=True)
    assert rest.done == [3, 4]
    assert list(file.parent.iterdir()) == []  # gone, once the unit is stored


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_corrupt_checkpoint_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    file = interrupted(tmp_path)
    file.write_bytes(damage or file.read_bytes()[:-100])
    capsys.readouterr()
    with lab(tmp_path) as it:
        again = Long(it)
        assert it.unit({"long": 1}, again)["runs"]["pieces"].item() == 5
    assert again.done == [0, 1, 2, 3, 4] and not file.exists()
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and str(file) in err and "starts again" in err


class Trojan:
    """What a pickle can do to those who read it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_a_checkpoint_runs_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.pt"
    checkpoint.save(file, {"done": Trojan(tmp_path / "ran")})
    assert checkpoint.load(file) is None and not (tmp_path / "ran").exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_a_checkpoint_is_whole_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new" / "x.pt"
    assert checkpoint.load(file) is None
    checkpoint.save(file, {"step": 1})

    def halfway(state: object, path: Path) -> None:
        path.write_bytes(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", halfway)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(file, {"step": 2})
    assert checkpoint.load(file) == {"step": 1}
