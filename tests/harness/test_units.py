"""Units of work: their keys say all that they depend on, and are enough to compute them."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.harness import usercode
from experiments.harness.errors import UserError
from experiments.harness.ranges import Range
from experiments.harness.tables import Tables
from experiments.harness.units import Surroundings, derived_seed, perform, surroundings, unit, within
from tests.toys.hill import trial


def area(axis: Range, factor: float, where: list[float]) -> Tables:
    """A unit that needs a model, and numbers that JSON does not have."""
    rows = {
        "area": [factor * (axis.high - axis.low)],
        "where": [where[0]],
        "data": [surroundings().data or ""],
    }
    return {"runs": pd.DataFrame(rows)}


def misnamed() -> Tables:
    return {"losses": pd.DataFrame({"x": [1.0]})}


def listed() -> Tables:
    return {"runs": pd.DataFrame({"x": [[1, 2]]})}


def test_a_key_is_the_functions_name_and_its_arguments() -> None:
    key = unit(trial, number=3, lr=0.1, seed=7).key
    assert json.loads(key) == {
        "function": "tests.toys.hill:trial",
        "arguments": {"number": 3, "lr": 0.1, "seed": 7},
    }


plain = st.one_of(
    st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(max_size=5), st.booleans()
)


@given(st.tuples(plain, plain), st.tuples(plain, plain))
def test_other_arguments_are_another_unit(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    same = unit(trial, a=one[0], b=one[1]) == unit(trial, a=other[0], b=other[1])
    assert same == (repr(one) == repr(other))
    assert (unit(trial, a=one).digest == unit(trial, a=other).digest) == same


def test_a_change_of_a_users_own_class_is_another_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "owncode.py"
    keys = []
    for text in ("class Mine: ...", "class Mine: ...", "class Mine: pass"):
        file.write_text(text)
        usercode._digest.cache_clear()  # as in another process
        keys.append(unit(trial, optimizer=[{"_target_": "owncode.Mine", "lr": 0.1}], ensemble="single"))
    assert keys[0] == keys[1] != keys[2]
    inner = unit(trial, optimizer={"_target_": "owncode.Mine.Inner"}).key
    assert json.loads(inner)["code"]["owncode.Mine.Inner"] == json.loads(keys[2].key)["code"]["owncode.Mine"]
    with pytest.raises(UserError, match=r"owncode\.Mine: its module is not that.*run again"):
        perform(keys[0].key, Surroundings())
    for same in ("bbi.BBI", "torch.optim.SGD", "nowhere.Mine", "owncode"):
        assert "code" not in json.loads(unit(trial, optimizer={"_target_": same}).key)


def test_another_function_is_another_unit() -> None:
    assert unit(misnamed).digest != unit(listed).digest


def test_models_and_infinities_arrive() -> None:
    key = unit(area, axis=Range(low=1.0, high=3.0), factor=2.0, where=[math.inf]).key
    done = perform(key, Surroundings(data="there"))
    assert done.tables["runs"].to_dict("list") == {"area": [4.0], "where": [math.inf], "data": ["there"]}
    assert done.seconds > 0 and json.loads(done.made)["torch"]


def test_surroundings_end_with_the_unit() -> None:
    with within(Surroundings(data="inner")):
        assert surroundings().data == "inner"
    assert surroundings() == Surroundings()


def test_other_tables_and_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="not losses"):
        perform(unit(misnamed).key, Surroundings())
    with pytest.raises(TypeError, match="column x"):
        perform(unit(listed).key, Surroundings())


def test_seeds_follow_from_all_labels() -> None:
    labels = [(0,), (0, "a"), (0, "a", "bc"), (0, "ab", "c"), (0, "a", 1), (1, "a")]
    seeds = [derived_seed(*some) for some in labels]
    assert len(set(seeds)) == len(labels) and all(0 <= seed < 2**63 for seed in seeds)
    assert derived_seed(0, "a", 1) == derived_seed(0, "a", "1")  # labels are text
