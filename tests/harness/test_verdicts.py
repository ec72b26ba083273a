"""The rules by hand-made cases, and `paper.yaml` as the data that they read."""

import math

import pytest

from experiments.harness.statistics import Estimate
from experiments.harness.verdicts import RULES, judge, load_paper, sentence

NAN, INF = math.nan, math.inf


def _claim(rule, published=None, **more):
    return {"id": "x", "rule": rule, "published": published, **more}


def _ours(estimate, low=None, high=None, holds=None, variant=""):
    low, high = (estimate if low is None else low), (estimate if high is None else high)
    return Estimate("x", estimate, low, high, 100, "", holds, variant)


@pytest.mark.parametrize(
    ("claim", "ours", "verdict"),
    [
        # interval: the published number in ours
        (_claim("interval", 0.9), _ours(0.88, 0.80, 0.93), "reproduced"),
        (_claim("interval", 0.9), _ours(0.88, 0.80, 0.90), "reproduced"),
        (_claim("interval", 0.9), _ours(0.76, 0.67, 0.83), "not reproduced"),
        (_claim("interval", 0.9), _ours(0.76, 0.67, 0.83, holds=True), "not reproduced"),
        (_claim("interval", 0.9), _ours(NAN, 0.0, 1.0), "inconclusive"),
        (_claim("interval", 0.9), _ours(0.9, NAN, NAN), "inconclusive"),
        (_claim("interval", 1.7), _ours(2.0, 1.0, INF), "inconclusive"),
        (_claim("interval", 0.9), _ours(INF), "not reproduced"),
        # interval: ours in the tolerance of the published number, as in "within 11 % of 1.93"
        (_claim("interval", 1.93, tolerance=0.11), _ours(1.7248, 1.58, 1.88), "reproduced"),
        (_claim("interval", 1.93, tolerance=0.11), _ours(1.684, 1.664, 1.704), "not reproduced"),
        (_claim("interval", 1.93, tolerance=0.11), _ours(1.70, 1.60, 1.80), "inconclusive"),
        (_claim("interval", 1.93, tolerance=0.11), _ours(2.20, 2.16, 2.24), "not reproduced"),
        (_claim("interval", 1.93, tolerance=0.0026), _ours(1.9259), "reproduced"),
        (_claim("interval", -2.0, tolerance=0.02), _ours(-2.03, -2.031, -2.029), "reproduced"),
        (_claim("interval", -2.0, tolerance=0.02), _ours(-2.05, -2.051, -2.049), "not reproduced"),
        # interval: too wide to tell
        (_claim("interval", 0.9, resolution=0.25), _ours(0.8, 0.38, 0.96), "inconclusive"),
        (_claim("interval", 1.93, tolerance=0.11, resolution=0.4), _ours(1.9, 0.9, 4.0), "inconclusive"),
        (_claim("interval", 0.9, resolution=0.25), _ours(0.1, 0.0, 0.4), "not reproduced"),
        # interval: one number for each variant; one that is not named needs `holds`
        (_claim("interval", {"mean": 99.2, "median": 98.2}), _ours(99.2, variant="mean"), "reproduced"),
        (_claim("interval", {"mean": 99.2, "median": 98.2}), _ours(99.2, variant="median"), "not reproduced"),
        (_claim("interval", {"mean": 99.2}), _ours(1, variant="other", holds=True), "holds"),
        (_claim("interval", {"mean": 99.2}), _ours(0, variant="other", holds=False), "inconclusive"),
        # interval: agreement with a small share is none where not one run shows what is claimed
        (_claim("interval", 0.083), _ours(0.0, 0.0, 0.243, holds=False), "inconclusive"),
        (_claim("interval", 0.083), _ours(0.083, 0.015, 0.35, holds=True), "reproduced"),
        (_claim("interval", 0.9), _ours(0.0, 0.0, 0.2, holds=False), "not reproduced"),
        # ordering: a difference, or that there is none
        (_claim("ordering"), _ours(0.5, 0.1, 0.9), "holds"),
        (_claim("ordering"), _ours(-0.5, -0.9, -0.1), "violated"),
        (_claim("ordering"), _ours(0.5, 0.0, 0.9), "inconclusive"),
        (_claim("ordering"), _ours(0.5, NAN, NAN), "inconclusive"),
        (_claim("ordering"), _ours(INF), "holds"),
        (_claim("ordering", 1e-4), _ours(-0.5, -0.9, -0.1, holds=True), "holds"),
        (_claim("ordering", direction="none", tolerance=0.5), _ours(-0.19, -0.3, -0.1), "holds"),
        (_claim("ordering", direction="none", tolerance=0.5), _ours(-0.19, -0.6, 0.2), "inconclusive"),
        (_claim("ordering", direction="none", tolerance=0.5), _ours(0.9, 0.6, 1.2), "violated"),
        (_claim("ordering", direction="none", tolerance=0.5), _ours(-0.9, -1.2, -0.6), "violated"),
        (
            _claim("ordering", direction="none", tolerance={"a": 0.1, "b": 0.5}),
            _ours(0.2, 0.15, 0.25, variant="a, more"),
            "violated",
        ),
        (
            _claim("ordering", direction="none", tolerance={"a": 0.1, "b": 0.5}),
            _ours(0.2, 0.15, 0.25, variant="b"),
            "holds",
        ),
        # bound
        (_claim("bound", tolerance=1.0), _ours(1.0), "holds"),
        (_claim("bound", tolerance=1.0), _ours(1.0 + 1e-9), "violated"),
        (_claim("bound", tolerance=0.0), _ours(INF), "violated"),
        (_claim("bound", tolerance=1.0), _ours(NAN), "inconclusive"),
        (_claim("bound", tolerance=1.0), _ours(0.5, NAN, NAN), "holds"),
        (_claim("bound", tolerance=0.05), _ours(0.0, 0.0, 0.04), "holds"),
        (_claim("bound", tolerance=0.05), _ours(0.0, 0.0, 0.24), "inconclusive"),  # 0 of 12 proves little
        (_claim("bound", tolerance=0.05), _ours(0.2, 0.06, 0.5), "violated"),
        (_claim("bound"), _ours(NAN, holds=False), "violated"),
        # shape
        (_claim("shape", -1.0), _ours(-1.01, -1.05, -0.97), "reproduced"),
        (_claim("shape", -1.0), _ours(-1.5, -1.6, -1.4), "not reproduced"),
        (_claim("shape", -1.0), _ours(-1.5, -1.6, -1.4, holds=True), "holds"),
        (_claim("shape"), _ours(NAN, holds=True), "holds"),
        (_claim("shape"), _ours(NAN, holds=False), "violated"),
    ],
)
def test_judge(claim, ours, verdict):
    assert judge(claim, ours) == verdict


@pytest.mark.parametrize(
    ("claim", "ours"),
    [
        (_claim("interval"), _ours(1.0)),
        (_claim("interval", {"mean": 99.2}), _ours(99.2, variant="maen")),
        (_claim("bound"), _ours(1.0)),
        (_claim("shape"), _ours(1.0)),
    ],
)
def test_judge_refuses_to_guess(claim, ours):
    with pytest.raises(ValueError, match="nothing to judge by"):
        judge(claim, ours)


CLAIMS = [
    *("energy", "speed-limit", "no-stall", "shallow-rate", "no-overshoot"),
    *("ackley-barrier", "ackley-regimes", "ackley-long-run", "ackley-success-bbi", "ackley-success-gdm"),
    *("ackley-gamma", "zakharov-speed", "zakharov-random"),
    *("basin-theory", "basin-ratio", "basin-no-bounce", "basin-occupation"),
    *("pde-second-solution", "pde-solves", "pde-both"),
    *("mnist-sgd", "mnist-bbi", "cifar-sgd", "cifar-bbi", "no-overfit"),
    *("family", "volume-laws", "batch-rescale", "diffusion", "delta-v-tuning"),
]


def test_paper_yaml_states_every_claim_completely():
    claims, numbers = load_paper()
    assert [claim["id"] for claim in claims] == CLAIMS
    optional = {"tolerance", "resolution", "direction", "note"}
    required = {"id", "section", "statement", "quantity", "published", "rule", "experiment", "command"}
    for claim in claims:
        assert required <= claim.keys() <= required | optional, claim["id"]
        assert claim["rule"] in RULES and claim["experiment"] in numbers
        assert claim["command"] == f"python -m experiments experiment={claim['experiment']} profile=paper"
        published = claim["published"]
        for value in published.values() if isinstance(published, dict) else [published]:
            assert value is None or isinstance(value, (int, float)), claim["id"]  # YAML takes 1e-4 for text
        if claim["rule"] == "bound" or claim.get("direction") == "none":
            limits = claim["tolerance"]
            for limit in limits.values() if isinstance(limits, dict) else [limits]:
                assert isinstance(limit, float), claim["id"]
    for some in numbers.values():
        assert all(number.keys() - {"note"} == {"id", "what", "value", "source"} for number in some)


def test_paper_yaml_agrees_with_itself():
    _, numbers = load_paper()
    value = {number["id"]: number["value"] for some in numbers.values() for number in some}
    assert value["cifar-sgd-mean"] == pytest.approx(sum(value["cifar-sgd-runs"]) / 10)
    assert value["cifar-bbi-mean"] == pytest.approx(sum(value["cifar-bbi-runs"]) / 10)
    assert value["basin-gap-released"] == pytest.approx(1 - value["basin-ratio-released"] / 1.9259, abs=1e-4)
    assert value["basin-edge"] ** 2 == pytest.approx(1.9259, abs=1e-3)
    first, second = value["basin-counts-1"], value["basin-counts-2"]
    assert [a + b for a, b in zip(first, second, strict=True)] == [200 * k for k in range(1, 10)]
    assert value["pde-boundary"] == pytest.approx(math.sin(20) ** 2, abs=1e-6)


def test_paper_yaml_is_checked(tmp_path):
    path = tmp_path / "paper.yaml"
    path.write_text("claims:\n- {id: a, rule: interval}\n- {id: b, rule: guess}\npublished_numbers: {}\n")
    with pytest.raises(ValueError, match="guess"):
        load_paper(path)
    path.write_text("claims:\n- {id: a, rule: bound}\npublished_numbers: {ackley: [{id: a}]}\n")
    with pytest.raises(ValueError, match=r"twice: \['a'\]"):
        load_paper(path)


def test_a_sentence_is_a_template_filled_with_named_numbers():
    entry = {
        "id": "x",
        "note": "{{ solved }} of {{ n }}\n  points, {{ (estimate, low, high) | range }}; "
        "{{ lr | fmt('.1e') }}",
    }
    ours = Estimate("x", 0.5, 0.4, 0.6, 10, {"solved": 5, "lr": 0.25})
    assert sentence(entry, ours) == "5 of 10 points, 0.5 [0.4, 0.6]; 2.5e-01"
    assert sentence({"id": "x"}, ours) == ""
    with pytest.raises(ValueError, match=r"the note of x in paper\.yaml: 'solved' is undefined"):
        sentence(entry, ours._replace(numbers={"lr": 1.0}))
