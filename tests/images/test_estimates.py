"""The answers to section 4.5's claims, from rows that were made up: do they say no more than the rows?"""

import math
from itertools import pairwise

import pandas as pd
import pytest

from experiments.harness.claims import published
from experiments.harness.plotting import style
from experiments.harness.sections import section_of
from experiments.images.figures import table2
from tests.answers import CLAIMS, NUMBERS, judged, note
from tests.composed import composed

SGD, BBI = [99.10, 99.16, 99.20, 99.18] * 2, [99.20, 99.30, 99.28, 99.30] * 2  # means 99.16 and 99.27


def trained(competitor, accuracies, setting, losses=0.01):
    rows = pd.DataFrame({"test_accuracy": accuracies, "run": range(len(accuracies)), "train_loss": losses})
    return rows.assign(stage="train", competitor=competitor, setting=setting, status="done", epoch=50)


def made(*training_runs, comparable=True, steps=100.0, above=0.0, energy=1e-15):
    data = {"data": "MNIST", "comparable": comparable, "train_images": 60_000}
    chosen = [
        {"stage": "selected", "protocol": by, "competitor": who, "setting": f"{who}-{by}", **data}
        for who in ("sgd", "bbi")
        for by in ("paper", "validation")
    ]
    checked = {"stage": "conservation", "competitor": "bbi", "setting": "bbi-paper", "steps": steps}
    checked |= {"speed": 0.99, "stride": 1.1, "energy": energy, "above": above}
    rows = [pd.DataFrame([{"stage": "data", **data}, *chosen, checked])]
    return {"runs": pd.concat([*rows, *training_runs], ignore_index=True)}


def estimates(tables, experiment, *settings):
    section = section_of({"experiment": experiment})
    return section.estimate(tables, composed(experiment, *settings))


def answers(tables, *settings, experiment="mnist"):
    """Without the numbers beside the claims."""
    found = estimates(tables, experiment, *settings)
    return {(answer.claim, answer.variant): answer for answer in found if answer.claim in CLAIMS}


BOTH = [trained("sgd", SGD, "sgd-paper"), trained("bbi", BBI, "bbi-paper")]


def test_mean_and_median_are_those_of_the_chosen_training_runs():
    others = [trained("sgd", [10.0] * 4, "another"), trained("sgd", [98.0] * 8, "sgd-validation")]
    found = answers(made(*BOTH, *others))
    assert found["mnist-sgd", "mean"].estimate == pytest.approx(99.16)
    assert found["mnist-sgd", "median"].estimate == pytest.approx(99.17)
    assert found["mnist-sgd", "mean, validation selection, SGD"].estimate == pytest.approx(98.0)
    assert note(found["mnist-sgd", "mean"]).endswith("float32")
    assert "bfloat16" in note(answers(made(*BOTH), "engine.bf16=true")["mnist-sgd", "mean"])
    assert judged(found["mnist-sgd", "mean"]) == "reproduced"
    assert judged(found["mnist-bbi", "mean"]) == "not reproduced"  # 99.27 for 99.177


def test_no_more_runs_than_the_protocol_has():
    both = [trained("sgd", SGD, "sgd-paper", [0.5, 0.5] + [9.0] * 6), BOTH[1]]
    both[0].loc[5, "status"] = "diverged"
    found = answers(made(*both), "protocols.paper.runs=2")
    assert found["mnist-sgd", "mean"].n == 2 and found["mnist-sgd", "mean"].estimate == pytest.approx(99.13)
    assert "0 diverged" in note(found["mnist-sgd", "mean"])
    difference = found["no-overfit", "MNIST, paper selection, BBI"]
    assert difference.n == 2 and "0.01, SGD's 0.5" in note(difference)
    for answer in (found["mnist-sgd", "mean"], difference):
        assert note(answer).endswith("; 2 runs (profile paper: 60)")


def test_the_difference_is_bbi_minus_sgd_run_by_run():
    found = answers(made(*BOTH))["no-overfit", "MNIST, paper selection, BBI"]
    assert found.estimate == pytest.approx(0.11) and found.n == 8
    assert 0 < found.low < 0.11 < found.high < 0.15 and "BBI is ahead at 95 %" in note(found)
    swapped = [trained("sgd", BBI, "sgd-paper"), trained("bbi", SGD, "bbi-paper")]
    found = answers(made(*swapped))["no-overfit", "MNIST, paper selection, BBI"]
    assert found.estimate == pytest.approx(-0.11) and "SGD is ahead" in note(found)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_few_or_equal_runs_have_no_interval_and_reproduce_nothing(n):
    few = [trained("sgd", [99.166] * n, "sgd-paper"), trained("bbi", [99.2] * n, "bbi-paper")]
    found = answers(made(*few))
    assert judged(found["mnist-sgd", "mean"]) == "inconclusive"
    difference = found["no-overfit", "MNIST, paper selection, BBI"]
    assert judged(difference) == "inconclusive" and "too few" in note(difference)


def test_a_diverged_run_makes_the_interval_too_wide_to_tell():
    with_one = [trained("sgd", [99.17] * 9 + [9.8], "sgd-paper"), BOTH[1]]
    found = answers(made(*with_one))["mnist-sgd", "mean"]
    assert found.low < 99.166 < found.high and judged(found) == "inconclusive"


@pytest.mark.parametrize(
    ("tables", "settings", "reason"),
    [
        (made(*BOTH, comparable=False), (), "data: MNIST"),
        (made(*BOTH), ("recipe.batch=100",), "recipe.batch"),
        (made(*BOTH), ("epochs=5",), "epochs 5"),
    ],
)
def test_another_size_is_not_compared(tables, settings, reason):
    found = [a for a in answers(tables, *settings).values() if a.claim != "speed-limit"]
    accuracies = [a for a in found if a.claim != "batch-rescale"]
    assert accuracies and all(reason in a.reduced for a in accuracies)


def test_a_protocol_that_was_left_out_is_no_reduction_of_the_other():
    one = answers(made(*BOTH), "~protocols.validation")
    assert one["mnist-sgd", "mean"].reduced == ""
    assert one["no-overfit", "MNIST, paper selection, BBI"].reduced == ""
    assert judged(one["mnist-sgd", "mean"]) == "reproduced"
    both = answers(made(*BOTH), "protocols.validation.validation_images=9")
    assert both["mnist-sgd", "mean"].reduced == ""
    chosen_otherwise = answers(made(*BOTH), "protocols.paper.criterion=train_loss")
    assert "protocols.paper.criterion" in chosen_otherwise["mnist-sgd", "mean"].reduced


def test_another_competitor_is_no_reduction_of_this_one():
    tables = made(*BOTH)
    less = answers(tables, "grid.values.bbi.lr=[0.1]")
    assert (
        less["mnist-sgd", "mean"].reduced == "" and "grid.values.bbi.lr" in less["mnist-bbi", "mean"].reduced
    )
    assert "grid.values.bbi.lr" in less["no-overfit", "MNIST, paper selection, BBI"].reduced
    without = answers(tables, "~competitors.bbi_2000", experiment="cifar")
    assert without["cifar-sgd", "mean"].reduced == without["cifar-bbi", "mean"].reduced == ""


@pytest.mark.parametrize("width", [0.0, 0.02, 0.2, 3.0])
def test_the_accuracies_in_table2_can_be_read(width):
    spread = [99.1 + width * i / 7 for i in range(8)]
    tables = made(trained("sgd", spread, "sgd-paper"), trained("bbi", spread, "bbi-paper"))
    tables["runs"] = tables["runs"].assign(lr=0.01, momentum=0.95)  # a long label leaves less room
    with style():
        figure = table2(tables, composed("mnist"), "a title", published()).figure
        figure.canvas.draw()
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    shown = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    boxes = [label.get_window_extent() for label in shown]
    assert len(boxes) > 1 and all(a.x1 < b.x0 for a, b in pairwise(boxes))


@pytest.mark.parametrize("experiment", ["mnist", "cifar"])
def test_nothing_chosen_or_no_paper_protocol_is_no_crash(experiment):
    module = section_of({"experiment": experiment})
    data = {"stage": "data", "data": "MNIST", "comparable": True, "train_images": 9}
    who = {"competitor": ["sgd", "bbi"], "protocol": "paper", "lr": 0.1, "momentum": 0.9, "delta_e": 0.0}
    failed = pd.DataFrame({**who, "test_accuracy": 9.8, "validation_accuracy": 9.8, "status": "diverged"})
    if experiment == "mnist":
        failed = pd.concat([failed, failed.assign(protocol="validation")])
    tables = {"runs": pd.DataFrame([data]), "trials": failed}
    for settings in ((), ("~protocols.paper",)):
        cfg = composed(experiment, *settings)
        assert not [a for a in module.estimate(tables, cfg) if "grid" not in a.claim]
        assert module.draw(tables, cfg, published())


def test_energy_is_looked_at_across_changes_of_the_batch_only():
    variant = "MNIST minibatches, BBI"
    found = answers(made(*BOTH, steps=100.0, above=30.0), "checked_steps=1200")
    assert found["batch-rescale", variant].n == 69 and found["speed-limit", variant].n == 100
    assert judged(found["batch-rescale", variant]) == "inconclusive"
    whole = answers(made(*BOTH))["batch-rescale", variant]
    assert judged(whole) == "holds" and "100 % of a long one" in note(whole)
    single = answers(made(*BOTH, steps=1.0))["batch-rescale", variant]
    assert math.isnan(single.estimate) and judged(single) == "inconclusive"
    assert "float64" in note(single)


def trials(competitor, protocol, rows):
    table = pd.DataFrame(rows).assign(competitor=competitor, protocol=protocol, status="done")
    return table.assign(trial=range(len(table)))


def test_the_grids_numbers_are_of_the_paper_protocol_and_of_settings_that_are_listed():
    rows = {"lr": [0.2, 0.2, 0.02], "test_accuracy": [98.7, 99.1, 98.0]}
    tables = made(*BOTH)
    tables["trials"] = pd.concat(
        [
            trials("bbi", "paper", rows),
            trials("bbi", "validation", {"lr": [0.2], "test_accuracy": 50.0}),
            trials("sgd", "paper", {"lr": 0.3, "test_accuracy": [9.8, 9.8, 98.0]}),
        ]
    )
    found = {answer.claim: answer for answer in estimates(tables, "mnist")}
    assert found["mnist-grid-bbi"].estimate == 99.1
    assert found["mnist-grid-bbi-0.2"].estimate == pytest.approx(98.9)
    assert "98.70 to 99.10" in note(found["mnist-grid-bbi-0.2"])
    assert found["mnist-grid-sgd-diverged"].estimate == 9.8 and found["mnist-grid-sgd-diverged"].n == 3
    assert found.keys() <= NUMBERS.keys() | CLAIMS.keys()  # lr = 0.02 is no number of the released code


def test_the_released_numbers_of_bbi_stand_beside_t1_2000():
    chosen = {"stage": "selected", "protocol": "paper", "competitor": "bbi_2000", "setting": "x", "lr": 0.06}
    tables = made(trained("bbi_2000", [92.6, 92.8], "x"), trained("bbi", [1.0, 1.0], "bbi-paper"))
    tables["runs"] = pd.concat([tables["runs"], pd.DataFrame([chosen])], ignore_index=True)
    tables["trials"] = trials("bbi_2000", "paper", {"lr": [0.06] * 3, "momentum": math.nan})
    found = {answer.claim: answer for answer in estimates(tables, "cifar")}
    assert found["cifar-bbi-mean"].estimate == pytest.approx(92.7)
    assert found["cifar-bbi-lr"].estimate == 0.06 and found["cifar-bbi-lr"].n == 50
