"""Looks: no result depends on them, and old tables are drawn with today's."""

from experiments.harness.looks import with_looks, without_looks
from experiments.harness.provenance import fingerprint

OLD = {
    "steps": 5,
    "protocols": {"paper": {"label": "paper"}},  # is in the tables
    "competitors": {
        "a": {"_target_": "A", "label": "old", "color": "red", "marker": "o", "fixed": {"lr": 1.0}},
        "mine": {"_target_": "M", "label": "mine", "color": "pink"},
    },
}
NEW = {
    "steps": 6,
    "protocols": {"paper": {"label": "new"}},
    "competitors": {
        "a": {"_target_": "A", "label": "new", "color": "blue", "marker": "s", "fixed": {"lr": 2}}
    },
}


def test_looks_do_not_make_other_settings():
    repainted = with_looks(OLD, NEW)
    assert repainted != OLD and fingerprint(repainted) == fingerprint(OLD)
    assert fingerprint({**OLD, "protocols": NEW["protocols"]}) != fingerprint(OLD)
    assert without_looks(OLD)["competitors"] == {
        "a": {"_target_": "A", "fixed": {"lr": 1.0}},
        "mine": {"_target_": "M"},
    }


def test_todays_looks_are_taken_and_nothing_else():
    found = with_looks(OLD, NEW)
    a, mine = (found["competitors"][name] for name in ("a", "mine"))
    assert a == {"_target_": "A", "label": "new", "color": "blue", "marker": "s", "fixed": {"lr": 1.0}}
    assert mine == OLD["competitors"]["mine"]
    assert (found["steps"], found["protocols"]) == (5, OLD["protocols"])
    another = {"competitors": {"a": {**NEW["competitors"]["a"], "_target_": "B"}}}
    assert with_looks(OLD, another) == OLD
