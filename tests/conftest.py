"""Settings of all tests: one thread, repeatable examples, and where the recorded trajectories lie."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

LONGEST = {f"test_{name}.py" for name in ("smoke", "trainings", "browser", "executor", "interruptions")}

os.environ["OMP_NUM_THREADS"] = (
    "1"  # read by torch, which the process that hands out the tests need not import
)
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("repeatable")
# A shell starts a background job with Ctrl-C ignored, and what the tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, as many tests wait for another process."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first: at the end of a run all cores would wait for the last of them."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def golden() -> Callable[[str], Any]:
    """Reader of the released code's trajectories: by file stem, indexed by step, columns loss, x1 … xn."""
    import pandas as pd

    data = os.environ.get("BBI_DATA")
    if not data:
        pytest.skip("BBI_DATA is not set: the recorded trajectories lie in the folder golden beside it")
    folder = Path(data).resolve().parent / "golden"
    if not folder.is_dir():
        pytest.skip(f"no recorded trajectories: there is no folder {folder}")
    return lambda stem: pd.read_csv(folder / f"{stem}.csv", index_col="step")


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    """No test leaves figures open: matplotlib warns, in any later test, when there are more than twenty."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def coarse_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are coarse pictures of one kind, drawn in little time."""
    from tests.coarse import coarse

    coarse(monkeypatch)
