"""Section 4.3: what it computes, and what its tables say of the claims."""

import pandas as pd
import pytest
import torch

from experiments.landscapes import basins
from experiments.two_basin.estimates import estimate
from tests.answers import judged
from tests.composed import composed
from tests.landscapes.commands import finished

pytestmark = pytest.mark.usefixtures("coarse_figures")
TINY = (
    "steps=40 cloud.runs=2 occupation.runs=2 occupation.steps=40 occupation.burn_in=0 trajectories=2 "
    "counts.paper.runs=1 counts.released.runs=2 counts.bounces_5.runs=2 ~counts.bounces_20 "
    "~counts.bounces_100 ~counts.bounces_1000"
)


def test_any_optimizer_is_counted_whatever_the_blocks(tmp_path):
    """From beside the second basin, where it is steep: a descent enters that one at once."""
    mine = "+optimizer@competitors.mine=adam competitors.mine.space=null +competitors.mine.fixed.lr=0.1"
    counted = "+counts.mine={competitor:mine,label:Adam,runs:5} counts.bounces_5.runs=5 ~counts.released"
    words = f"{TINY} {mine} {counted} steps=300 start=[3,3]"
    one, two = (
        finished("two_basin", f"{words} block={block}", tmp_path / str(block))[0]["runs"] for block in (2, 9)
    )
    assert one.equals(two) and one.query("variant == 'bounces_5'")["basin"].isin([1, 2]).any()
    rows = one.query("variant == 'mine'")
    assert rows["run"].tolist() == [0, 1, 2, 3, 4] and rows["basin"].tolist() == [2.0] * 5


@pytest.mark.parametrize("basin", [1, 2])
def test_a_basin_is_a_disc_around_its_minimum_where_the_curvature_is(basin):
    center = torch.tensor(basins.center(basin), dtype=torch.float64)
    curvature = torch.autograd.functional.hessian(lambda x: basins.LANDSCAPE(x)[0], center)
    torch.testing.assert_close(
        torch.linalg.eigvalsh(curvature), torch.tensor(basins.hessian(basin)).double(), rtol=1e-4, atol=0.0
    )
    angles = torch.linspace(0, 6, 7, dtype=torch.float64)
    ring = torch.stack((angles.cos(), angles.sin()), -1) * basins.radius(basin)
    assert basins.inside(center + 0.999 * ring, basin).all()
    assert not basins.inside(center + 1.001 * ring, basin).any()
    assert basins.Entered()(center[None], torch.zeros(1)).tolist() == [True]


@pytest.mark.parametrize("without", [[1] * 12, [0] * 500])
def test_few_runs_in_a_basin_are_inconclusive(without):
    parts = [
        pd.DataFrame({"stage": "cloud", "variant": variant, "run": range(len(basin)), "basin": basin})
        for variant, basin in (("no bounces", without), ("bounces", [1] * 300 + [2] * 200))
    ]
    found = estimate({"runs": pd.concat(parts)}, composed("two_basin"))
    [answer] = [answer for answer in found if answer.claim == "basin-no-bounce"]
    assert judged(answer) == "inconclusive"


@pytest.mark.parametrize(
    ("wild", "gone"),
    [
        # Some runs diverge before the steps that count.
        ("competitors.bbi_endless.fixed.lr=3 competitors.bbi_endless.fixed.t0=2", True),
        # There is no volume at this energy.
        ("occupation.start=[-2,-2] competitors.bbi_endless.fixed.delta_e=0", False),
    ],
)
def test_an_occupation_that_is_not_known_is_no_crash(tmp_path, wild, gone):
    budget = "occupation.runs=16 occupation.steps=60 occupation.burn_in=50 occupation.every=1"
    words = f"{TINY} {budget} {wild}"
    tables, found = finished("two_basin", words, tmp_path)
    runs = tables["runs"].query("stage == 'occupation'")
    assert runs["run"].tolist() == list(range(16)) and runs["in_basin_2"].isna().any() == gone
    [answer] = [answer for answer in found if answer.claim == "basin-occupation"]
    assert judged(answer._replace(reduced="")) == "inconclusive"


@pytest.mark.parametrize(("first", "above"), [(1265, 0), (1267, 3)])
def test_blocks_of_runs_are_compared_with_the_released_ratio(first, above):
    """1,266 of 2,000 runs are a ratio of 1.7248; the last runs, less than a block, do not count."""
    basin = ([1] * first + [2] * (2000 - first)) * 3 + [1] * 100
    runs = pd.DataFrame({"stage": "entry", "variant": "paper", "run": range(len(basin)), "basin": basin})
    found = estimate({"runs": runs}, composed("two_basin"))
    [answer] = [one for one in found if (one.claim, one.n) == ("basin-ratio", len(basin))]
    assert (answer.numbers["blocks"], answer.numbers["above"]) == (3, above)
