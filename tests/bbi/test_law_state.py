"""A state dict knows its law: another one is refused."""

import pytest
import torch

from bbi import BBI, ECD, BornInfeld, ECDSep, Frictionless, Logarithmic, Power, Separable
from bbi.laws import Law


def start() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor([1.0, -1.5], dtype=torch.float64))


@pytest.mark.parametrize(
    ("saved", "loading", "words"),
    [
        (Power(Separable(), 2), Power(Separable(), 1), r"exponent=2\.0.* exponent=1\.0"),
        (Separable(0.5), Separable(), r"s=0\.5.*s=1\.0"),
        (Power(Separable()), BornInfeld(), r"Power\(law=Separable.*BornInfeld"),
        (Power(BornInfeld()), Power(Logarithmic()), r"BornInfeld.*Logarithmic"),
    ],
    ids=str,
)
def test_a_state_dict_of_another_law_is_refused_and_changes_nothing(
    saved: Law, loading: Law, words: str
) -> None:
    p, q = start(), start()
    opt, other, again = ECD([p], 0.01, law=saved), ECD([q], 0.02, law=loading), ECD([q], 0.02, law=saved)
    for _ in range(2):
        loss = p.square().sum()
        (p.grad,) = torch.autograd.grad(loss, p)
        opt.step(loss=loss)
    with pytest.raises(ValueError, match=words):
        other.load_state_dict(opt.state_dict())
    assert (other.param_groups[0]["lr"], dict(other.state)) == (0.02, {})
    again.load_state_dict(opt.state_dict())
    assert torch.equal(again.energy, opt.energy)


def test_a_law_is_known_by_its_class_and_its_numbers() -> None:
    class Mine:
        """A law whose repr is an address."""

        separable = isokinetic = False
        start = energy = momentum_squared = kick = drift = Frictionless.kick

    p = [start()]
    ECDSep(p, eta=2.0).load_state_dict(ECDSep(p, eta=2).state_dict())
    mine = ECD(p, law=Mine()).state_dict()
    ECD(p, law=Mine()).load_state_dict(mine)
    with pytest.raises(ValueError, match=r"one of .*Mine, and this optimizer has BornInfeld\(\)"):
        BBI(p).load_state_dict(mine)
