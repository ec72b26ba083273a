"""The rules by hand-made cases."""

import math

import pytest

from experiments.harness.claims import Claim
from experiments.harness.statistics import Estimate
from experiments.harness.verdicts import judge, sentence

NAN, INF = math.nan, math.inf
WORDS = dict.fromkeys(["section", "statement", "quantity", "unit", "comparisons", "experiment"], "x")


def _claim(rule, published=None, **more):
    return Claim(**{"id": "x", "rule": rule, "published": published, **WORDS, **more})


def _ours(estimate, low=None, high=None, variant="", counts=None, **numbers):
    low, high = (estimate if low is None else low), (estimate if high is None else high)
    return Estimate("x", estimate, low, high, 100, numbers, counts, variant)


BOTH = {"mean": 99.2, "median": 98.2}
SAMPLE = {"sample": {"successes": 90, "of": 100}}
FEW = {"sample": {"successes": 1, "of": 12}}
NONE = {"direction": "none", "tolerance": 0.5}
EACH = {"direction": "none", "tolerance": {"a": 0.1, "b": 0.5}}
SEEN = {"require": [{"number": "seen", "at_least": 1}]}
PROVES_LITTLE = {"require": [{"number": "seen", "at_least": 1, "otherwise": "inconclusive"}]}
ONE_VARIANT = {"tolerance": {"a": 1.0}, "require": [{"number": "k", "at_most": 2, "variant": "b"}]}


@pytest.mark.parametrize(
    ("claim", "ours", "verdict"),
    [
        # interval: the published number in ours
        (_claim("interval", 0.9), _ours(0.88, 0.80, 0.93), "reproduced"),
        (_claim("interval", 0.9), _ours(0.88, 0.80, 0.90), "reproduced"),
        (_claim("interval", 0.9), _ours(0.76, 0.67, 0.83), "not reproduced"),
        (_claim("interval", 0.9), _ours(NAN, 0.0, 1.0), "inconclusive"),
        (_claim("interval", 0.9), _ours(0.9, NAN, NAN), "inconclusive"),
        (_claim("interval", 1.7), _ours(2.0, 1.0, INF), "inconclusive"),
        (_claim("interval", 0.9), _ours(INF), "not reproduced"),
        # interval: ours in the tolerance of the published number, as in "within 11 % of 1.93"
        (_claim("interval", 1.93, tolerance=0.11), _ours(1.7248, 1.58, 1.88), "reproduced"),
        (_claim("interval", 1.93, tolerance=0.11), _ours(1.684, 1.664, 1.704), "not reproduced"),
        (_claim("interval", 1.93, tolerance=0.11), _ours(1.70, 1.60, 1.80), "inconclusive"),
        (_claim("interval", 1.93, tolerance=0.11), _ours(2.20, 2.16, 2.24), "not reproduced"),
        (_claim("interval", -2.0, tolerance=0.02), _ours(-2.03, -2.031, -2.029), "reproduced"),
        # interval: too wide to tell
        (_claim("interval", 0.9, resolution=0.25), _ours(0.8, 0.38, 0.96), "inconclusive"),
        (_claim("interval", 0.9, resolution=0.25), _ours(0.1, 0.0, 0.4), "not reproduced"),
        # interval: one number for each variant
        (_claim("interval", BOTH), _ours(99.2, variant="mean"), "reproduced"),
        (_claim("interval", BOTH), _ours(99.2, variant="median, more"), "not reproduced"),
        # interval: a published count has a sampling error; ours alone would miss it
        (_claim("interval", 0.9, **SAMPLE), _ours(0.84, 0.81, 0.86, counts=(840, 1000)), "reproduced"),
        (_claim("interval", 0.9), _ours(0.84, 0.81, 0.86, counts=(840, 1000)), "not reproduced"),
        (_claim("interval", 0.9, **SAMPLE), _ours(0.66, 0.56, 0.75, counts=(66, 100)), "not reproduced"),
        (_claim("interval", 1 / 12, **FEW), _ours(0.3, 0.2, 0.4, counts=(30, 100)), "reproduced"),
        (_claim("interval", 0.9, resolution=0.2, **SAMPLE), _ours(0.8, 0.5, 0.9, counts=(8, 10)),
         "inconclusive"),
        (_claim("interval", 0.9, **SAMPLE), _ours(0.9, NAN, NAN, counts=(9, 10)), "inconclusive"),
        # ordering: a difference, or that there is none
        (_claim("ordering"), _ours(0.5, 0.1, 0.9), "holds"),
        (_claim("ordering"), _ours(-0.5, -0.9, -0.1), "violated"),
        (_claim("ordering"), _ours(0.5, 0.0, 0.9), "inconclusive"),
        (_claim("ordering"), _ours(0.5, NAN, NAN), "inconclusive"),
        (_claim("ordering"), _ours(INF), "holds"),
        (_claim("ordering", margin=0.9), _ours(0.75, 0.66, 0.82), "violated"),
        (_claim("ordering", margin=0.9), _ours(1.0, 0.96, 1.0), "holds"),
        (_claim("ordering", **NONE), _ours(-0.19, -0.3, -0.1), "holds"),
        (_claim("ordering", **NONE), _ours(-0.19, -0.6, 0.2), "inconclusive"),
        (_claim("ordering", **NONE), _ours(0.9, 0.6, 1.2), "violated"),
        (_claim("ordering", **NONE), _ours(-0.9, -1.2, -0.6), "violated"),
        (_claim("ordering", **NONE), _ours(-0.9, NAN, NAN), "inconclusive"),
        (_claim("ordering", **EACH), _ours(0.2, 0.15, 0.25, variant="a, more"), "violated"),
        (_claim("ordering", **EACH), _ours(0.2, 0.15, 0.25, variant="b"), "holds"),
        # bound
        (_claim("bound", tolerance=1.0), _ours(1.0), "holds"),
        (_claim("bound", tolerance=1.0), _ours(1.0 + 1e-9), "violated"),
        (_claim("bound", tolerance=1.0), _ours(NAN), "inconclusive"),
        (_claim("bound", tolerance=1.0), _ours(0.5, NAN, NAN), "holds"),
        (_claim("bound", tolerance=0.05), _ours(0.0, 0.0, 0.04), "holds"),
        (_claim("bound", tolerance=0.05), _ours(0.0, 0.0, 0.24), "inconclusive"),  # 0 of 12 proves little
        (_claim("bound", tolerance=0.05), _ours(0.2, 0.06, 0.5), "violated"),
        # shape
        (_claim("shape", -1.0), _ours(-1.5, -1.6, -1.4), "not reproduced"),
        (_claim("shape", **SEEN), _ours(NAN, seen=3), "holds"),
        (_claim("shape", **SEEN), _ours(NAN, seen=0), "violated"),
        # conditions beside the rule: the worst verdict counts
        (_claim("interval", 0.083, **PROVES_LITTLE), _ours(0.0, 0.0, 0.243, seen=0), "inconclusive"),
        (_claim("interval", 0.083, **PROVES_LITTLE), _ours(0.083, 0.015, 0.35, seen=1), "reproduced"),
        (_claim("interval", 0.9, **PROVES_LITTLE), _ours(0.0, 0.0, 0.2, seen=0), "not reproduced"),
        (_claim("interval", {"mean": 1.0}, **PROVES_LITTLE), _ours(1, variant="other", seen=1), "holds"),
        (_claim("ordering", **SEEN), _ours(0.5, 0.1, 0.9, seen=0), "violated"),
        (_claim("ordering", **SEEN), _ours(0.5, 0.1, 0.9, seen=NAN), "inconclusive"),
        (_claim("ordering", **SEEN), _ours(-0.5, -0.9, -0.1, seen=1), "violated"),
        (_claim("ordering", **SEEN), _ours(0.5, -0.1, 0.9, seen=1), "inconclusive"),
        # conditions for one variant
        (_claim("bound", **ONE_VARIANT), _ours(0.5, variant="a"), "holds"),
        (_claim("bound", **ONE_VARIANT), _ours(9.0, variant="b, more", k=2), "holds"),
        (_claim("bound", **ONE_VARIANT), _ours(9.0, variant="b", k=3), "violated"),
    ],
)  # fmt: skip
def test_judge(claim, ours, verdict):
    assert judge(claim, ours) == verdict


@pytest.mark.parametrize(
    ("claim", "variant"),
    [
        (_claim("interval", {"mean": 99.2}), "maen"),
        (_claim("bound", tolerance={"a": 1.0}), "b"),
        (_claim("ordering", **EACH), "c"),
    ],
)
def test_judge_refuses_to_guess(claim, variant):
    with pytest.raises(ValueError, match="nothing to judge by"):
        judge(claim, _ours(99.2, variant=variant))


def test_a_sentence_is_a_template_filled_with_named_numbers():
    note = "{{ solved }} of {{ n }}\n  points, {{ (estimate, low, high) | range }}; {{ lr | fmt('.1e') }}"
    entry = _claim("ordering", note=note)
    ours = Estimate("x", 0.5, 0.4, 0.6, 10, {"solved": 5, "lr": 0.25})
    assert sentence(entry, ours) == "5 of 10 points, 0.5 [0.4, 0.6]; 2.5e-01"
    assert sentence(_claim("ordering"), ours) == ""
    with pytest.raises(ValueError, match=r"the note of x in paper\.yaml: 'solved' is undefined"):
        sentence(entry, ours._replace(numbers={"lr": 1.0}))
