"""Figures for tests that do not look at them."""

import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from experiments.harness import plotting, results


def coarse(patch: pytest.MonkeyPatch) -> None:
    """Let figures be coarse pictures of one kind, whose parts may overlap, which take little time."""
    patch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: None)
    patch.setattr(plotting, "_METADATA", {"png": {}})
    patch.setattr(results, "FORMATS", ("png",))
    patch.setitem(plotting.STYLE, "savefig.dpi", 20)
