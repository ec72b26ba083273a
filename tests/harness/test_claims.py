"""`paper.yaml` as data: what is in it, and how a mistake in it is reported."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.harness.claims import Paper, load_paper, published
from experiments.harness.errors import UserError
from experiments.report.runs import experiments
from tests.harness.conftest import ROOT

IDS = [
    *("energy", "speed-limit", "no-stall", "shallow-rate", "no-overshoot"),
    *("ackley-barrier", "ackley-regimes", "ackley-long-run", "ackley-success-bbi", "ackley-success-gdm"),
    *("ackley-gamma", "zakharov-speed", "zakharov-random"),
    *("basin-theory", "basin-ratio", "basin-entries", "basin-no-bounce", "basin-occupation"),
    *("pde-second-solution", "pde-solves", "pde-both"),
    *("mnist-sgd", "mnist-bbi", "cifar-sgd", "cifar-bbi", "no-overfit", "training-loss"),
    *("family", "volume-laws", "batch-rescale", "diffusion", "delta-v-tuning"),
]


def test_every_claim_of_the_paper_is_there():
    paper = load_paper()
    assert [name for name in paper.claims if name in IDS] == IDS
    assert {claim.experiment for claim in paper.claims.values()} <= set(experiments())


def test_samples_are_the_published_numbers():
    claims, value = load_paper().claims, published()
    for name in ("ackley-success-bbi", "ackley-success-gdm"):
        assert claims[name].published == claims[name].sample.successes / claims[name].sample.of
    entries = claims["basin-entries"]
    assert entries.sample.successes == value["basin-counts-1"][-1]
    assert entries.sample.of - entries.sample.successes == value["basin-counts-2"][-1]
    assert entries.published == pytest.approx(1139 / 661, abs=5e-5)
    for variant, sample in claims["pde-both"].sample.items():
        assert claims["pde-both"].published[variant] == pytest.approx(sample.successes / sample.of, abs=1e-6)


def test_it_agrees_with_itself():
    value = published()
    assert value["cifar-sgd-mean"] == pytest.approx(sum(value["cifar-sgd-runs"]) / 10)
    assert value["cifar-bbi-mean"] == pytest.approx(sum(value["cifar-bbi-runs"]) / 10)
    assert value["basin-gap-released"] == pytest.approx(1 - value["basin-ratio-released"] / 1.9259, abs=1e-4)
    assert value["basin-edge"] ** 2 == pytest.approx(1.9259, abs=1e-3)
    first, second = value["basin-counts-1"], value["basin-counts-2"]
    assert [a + b for a, b in zip(first, second, strict=True)] == [200 * k for k in range(1, 10)]


def test_history_is_in_order_of_time():
    changed = {name: claim.history for name, claim in load_paper().claims.items() if claim.history}
    assert {"diffusion", "ackley-gamma", "family", "ackley-long-run"} <= changed.keys()
    for name, history in changed.items():
        assert [one.date for one in history] == sorted(one.date for one in history), name


def test_every_threshold_is_read_by_an_estimate():
    """A threshold that no code reads would be a rule that is not applied."""
    code = "\n".join(path.read_text() for path in (ROOT / "experiments").rglob("estimates.py"))
    for name, claim in load_paper().claims.items():
        if claim.thresholds:
            assert f'thresholds("{name}")' in code, name
            assert all(re.search(rf'\["{key}"\]', code) for key in claim.thresholds), name


CLAIM = {name: "x" for name in ("section", "statement", "quantity", "unit", "comparisons", "experiment")}
CLAIM |= {"id": "a", "published": 1.0, "rule": "interval"}


def read(folder: Path, claim: dict[str, Any], **numbers: list[dict[str, Any]]) -> Paper:
    path = folder / "paper.yaml"
    path.write_text(yaml.safe_dump({"comparisons": "x", "claims": [claim], "published_numbers": numbers}))
    return load_paper(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rule": "guess"}, r"claim 'a': rule=guess: not known"),
        ({"tolerence": 0.1}, r"claim 'a': tolerence: .*did you mean 'tolerance'"),
        ({"published": None}, r"claim 'a': published must be given"),
        ({"published": "about 1"}, r"claim 'a': published"),
        ({"rule": "bound"}, r"claim 'a': tolerance must be given"),
        ({"rule": "ordering", "direction": "none"}, r"claim 'a': tolerance must be given"),
        ({"rule": "shape", "published": None}, r"claim 'a': require must be given"),
        ({"require": [{"number": "k"}]}, r"claim 'a': require.0: at_least or at_most must be given"),
        ({"sample": {"successes": 3, "of": 2}}, r"claim 'a': .*successes=3: must be 2 or less"),
        ({"history": [{"date": "late", "was": "x", "verdict": "x", "why": "x"}]}, r"claim 'a': history.0"),
        ({"unit": ""}, r"claim 'a': unit=: must be given, not empty"),
    ],
)
def test_an_error_names_the_claim_and_the_field(tmp_path, changed, message):
    with pytest.raises(UserError, match=message) as refused:
        read(tmp_path, CLAIM | changed)
    assert str(refused.value).startswith("paper.yaml, ")


def test_an_id_is_used_once(tmp_path):
    number = {"id": "a", "what": "x", "value": 1, "source": "x"}
    with pytest.raises(UserError, match="ids used twice: a"):
        read(tmp_path, CLAIM, x=[number])
