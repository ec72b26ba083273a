"""Section 4.4 from the command line: who can take part."""

import pytest

from tests.landscapes.commands import finished

pytestmark = pytest.mark.usefixtures("coarse_figures")
MINE = "problems.k2.competitors.mine"


def test_any_optimizer_takes_part_and_divergence_is_a_status(tmp_path):
    words = (
        "problems.k2.competitors.bbi_fixed.runs=0 problems.k2.competitors.adam.runs=0 problems.k2.networks=1 "
        f"problems.k2.competitors.gdm.fixed.lr=1e20 engine.variant=released +optimizer@{MINE}=lbfgs "
        f"+{MINE}.fixed.lr=0.1 +{MINE}.iterations=35 +{MINE}.redraw=10 +{MINE}.runs=2"
    )
    tables, _ = finished("pde", words, tmp_path)
    runs, curves = tables["runs"], tables["curves"]
    assert list(zip(runs["competitor"], runs["run"], strict=True)) == [
        ("bbi", 0), ("gdm", 0), ("mine", 0), ("bbi", 1), ("mine", 1),
    ]  # fmt: skip
    ends = runs.set_index(["competitor", "run"])
    assert ends.loc[("gdm", 0), ["status", "label"]].tolist() == ["diverged", "neither"]
    assert ends.loc[("bbi", 0), "bounces"] == 1 and ends.loc[("mine", 0), "bounces"] == 0
    mine = curves[(curves["competitor"] == "mine") & (curves["stage"] == "train")]
    assert mine["iteration"].tolist() == list(range(0, 36, 5)) * 2
    first, again = (rows["loss"].tolist() for _, rows in mine.groupby("run"))
    assert first != again and first[-1] < first[0] and again[-1] < again[0]
    assert set(curves["stage"]) == {"shooting_scan", "radial", "network", "train"}
