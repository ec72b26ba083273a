"""Settings of the measure that are refused, in one line that says what is allowed."""

import pytest

from tests.landscapes.commands import refusal

MORE = "occupation.competitors.adam"
REFUSED = {
    f"+optimizer@{MORE}=adam {MORE}.space=null +{MORE}.fixed.lr=0.01": "torch.optim.Adam has no delta_e",
    "occupation.places.five.dimension=2": "places: two have the same dimension",
    "occupation.energies=[2.0,2.0]": "occupation.energies=[2.0, 2.0]: must be all different",
    "~entries.competitors.bbi.fixed.t1": "competitors.bbi.fixed.t1: must be given",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_work_is_refused_in_one_line(words: str) -> None:
    assert REFUSED[words] in refusal("measure", words)
