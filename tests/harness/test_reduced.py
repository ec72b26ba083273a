"""What a run scaled down, against the published configuration, and how that is judged."""

import math

import pytest

from experiments.harness.claims import RULES, Claim, for_variant, load_paper
from experiments.harness.reduced import Reduced
from experiments.harness.settings import CONF
from experiments.harness.statistics import Estimate
from experiments.harness.verdicts import VERDICTS, judge
from tests.composed import composed

EXPERIMENTS = [file.stem for file in sorted((CONF / "experiment").glob("*.yaml"))]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_paper_profile_reduces_nothing(experiment: str) -> None:
    reduced = Reduced(composed(experiment))
    assert reduced.found == {} and reduced("*") == ""


@pytest.mark.parametrize("native", [False, True])
def test_a_precision_that_the_paper_profile_leaves_to_the_machine_does_not_count(native: bool) -> None:
    """A report is the same on a machine that computes in bfloat16 natively and on one that does not."""
    assert Reduced(composed("cifar", f"engine.bf16={native}")).found == {}
    assert ("engine.bf16" in Reduced(composed("mnist", f"engine.bf16={native}")).found) == native


def test_what_no_number_depends_on_does_not_count() -> None:
    paths = ("paths.results=elsewhere", "paths.data=there", "paths.download=false", "executor=serial")
    looks = ("competitors.gdm.label=x", "competitors.gdm.color=red", "competitors.gdm.marker=x")
    assert Reduced(composed("zakharov", "seed=3", "title=other", *paths, *looks)).found == {}


def test_settings_given_by_hand_count_for_the_claims_that_depend_on_them() -> None:
    cfg = composed("zakharov", "search.trials=7", "random.sides=[1.0]", "long.steps=20000")
    reduced = Reduced(cfg, always="data: other")
    assert reduced.found == {
        "search.trials": (7, 500), "random.sides": ([1.0], [1.0, 5.0]), "long.steps": (20000, 10000),
    }  # fmt: skip
    phrase = "random.sides [1.0] (published: [1.0, 5.0]), search.trials 7 (published: 500)"
    assert reduced("search.*", "random.sides") == f"data: other, {phrase}"
    assert reduced("steps") == reduced() == "data: other"  # a pattern is for the whole key


def test_a_competitor_left_out_counts() -> None:
    found = Reduced(composed("zakharov", "~competitors.gdm_log")).found
    assert found["competitors.gdm_log._target_"] == (None, "torch.optim.SGD")
    assert all(key.startswith("competitors.gdm_log.") for key in found)


def test_a_profile_counts_where_it_scales() -> None:
    found = Reduced(composed("mnist", profile="smoke")).found
    assert found["epochs"] == (2, 50) and found["recipe.train"] == (200, 60_000)
    assert found["grid.values.sgd.momentum"] == ([0.9], [0.85, 0.9, 0.95, 0.99, 0.999])
    assert not {"profile", "seed", "recipe.batch", "outputs"} & found.keys()


def claim(rule: str, published: object = 0.9) -> Claim:
    words = dict.fromkeys(["section", "statement", "quantity", "unit", "comparisons", "experiment"], "x")
    return Claim(id="x", rule=rule, published=published, tolerance=0.0, **words)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("estimate", [0.9, math.nan])
def test_another_size_is_never_compared(rule: str, estimate: float) -> None:
    ours = Estimate("x", estimate, 0.8, 1.0, 9, reduced="epochs 2 (published: 50)")
    assert judge(claim(rule), ours) == "reduced" and "reduced" in VERDICTS
    assert judge(claim(rule), ours._replace(reduced="")) in set(VERDICTS) - {"reduced", "not run"}


@pytest.mark.parametrize(
    ("variant", "number"),
    [
        ("mean", 99.2),
        ("median", 98.2),
        ("mean, validation", 99.2),
        ("median, validation, BBI, T1 = 2000", 98.2),
        ("mean validation", None),
        ("means, validation", None),
        ("validation, mean", None),
        ("", None),
    ],
)
def test_what_follows_a_comma_qualifies_a_variant(variant: str, number: float | None) -> None:
    both = claim("interval", {"mean": 99.2, "median": 98.2})
    assert for_variant(both.published, variant) == number
    assert for_variant(0.9, variant) == 0.9  # one number for all of them
    assert for_variant(None, variant) is None
    if number is not None:
        ours = Estimate("x", number, number, number, 9, variant=variant)
        assert judge(both, ours) == "reproduced"
        assert judge(both, ours._replace(estimate=90.0, low=90.0, high=90.0)) == "not reproduced"


def test_no_published_variant_has_a_comma() -> None:
    """It could not be found."""
    claims = load_paper().claims.values()
    variants = [name for one in claims if isinstance(one.published, dict) for name in one.published]
    assert variants and not [name for name in variants if "," in str(name)]
