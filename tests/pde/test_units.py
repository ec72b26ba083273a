"""Section 4.4 from the command line: what is refused, and who can take part."""

import pandas as pd
import pytest

from experiments.__main__ import main
from experiments.harness.errors import UserError
from tests.composed import composed

pytestmark = pytest.mark.usefixtures("coarse_figures")
MINE = "problems.k2.competitors.mine"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("problems.k5.k=0", "problems.k5.k=0: must be above 0"),
        ("problems.k5.interior=0", "problems.k5.interior=0: must be 1 or more"),
        ("thresholds.l2=0", "thresholds.l2=0: must be above 0"),
        ("engine.device=tpu", "engine.device=tpu: not known"),
        ("train=[k3]", "train=k3: no such problem (allowed: k20, k5, k8)"),
        ("train=[] shoot=[]", "shoot=[]: nothing to do"),
        ("problems.k20.k=5 train=[k5] shoot=[k20]", "problems: two of them are k=5"),
        (
            "~problems.k5.competitors.bbi",
            "problems.k5.competitors: must have one competitor with role=method",
        ),
        ("~problems.k5.competitors.gdm.fixed.lr", "problems.k5.competitors.gdm: fixed.lr must be given"),
    ],
)
def test_bad_settings_are_one_line(settings, message):
    with pytest.raises(UserError) as refused:
        composed("pde", *settings.split())
    assert str(refused.value).startswith(message)


def test_any_optimizer_takes_part_and_divergence_is_a_status(tmp_path):
    small = [f"problems.k2.competitors.{name}.runs=0" for name in ("bbi_fixed", "adam")]
    wild = ["problems.k2.competitors.gdm.fixed.lr=1e20", "problems.k2.networks=1", "engine.variant=released"]
    budget = [f"+{MINE}.fixed.lr=0.1", f"+{MINE}.iterations=35", f"+{MINE}.redraw=10", f"+{MINE}.runs=2"]
    given = [
        f"paths.results={tmp_path}",
        "executor=serial",
        *small,
        *wild,
        f"+optimizer@{MINE}=lbfgs",
        *budget,
    ]
    assert main(["experiment=pde", "profile=smoke", *given]) == 0
    runs = pd.read_csv(tmp_path / "smoke/pde/runs.csv")
    assert list(zip(runs["competitor"], runs["run"], strict=True)) == [
        ("bbi", 0), ("gdm", 0), ("mine", 0), ("bbi", 1), ("mine", 1),
    ]  # fmt: skip
    ends = runs.set_index(["competitor", "run"])
    assert ends.loc[("gdm", 0), ["status", "label"]].tolist() == ["diverged", "neither"]
    assert ends.loc[("bbi", 0), "bounces"] == 1 and ends.loc[("mine", 0), "bounces"] == 0
    curves = pd.read_parquet(tmp_path / "smoke/pde/curves.parquet")
    mine = curves[(curves["competitor"] == "mine") & (curves["stage"] == "train")]
    assert mine["iteration"].tolist() == list(range(0, 36, 5)) * 2
    first, again = (rows["loss"].tolist() for _, rows in mine.groupby("run"))
    assert first != again and first[-1] < first[0] and again[-1] < again[0]
    assert set(curves["stage"]) == {"shooting_scan", "radial", "network", "train"}
