"""``torch.distributed.checkpoint`` resumes a run to the bit, and state dicts of old versions load."""

import copy
import warnings

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import state_dict as helpers

from bbi import BBI, ECDSep

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
CASES = {
    "bbi": (BBI, {"delta_e": 1.0, "t0": 3, "t1": 4, "n_bounces": 5, "delta_v": 0.5, "tune_delta_v": True}),
    "ecdsep": (ECDSep, {"delta_e": 1.0, "nu": 0.1}),
    "replicas": (BBI, {"delta_e": 1.0, "t0": 3, "n_bounces": 5, "replicas": 2}),
}
each = pytest.mark.parametrize("case", CASES)


class Net(torch.nn.Module):
    """A weight in float32 and one in float64; with replicas a leading axis."""

    def __init__(self, replicas):
        super().__init__()
        lead = () if replicas is None else (replicas,)
        g = torch.Generator().manual_seed(3)
        self.a = torch.nn.Parameter(torch.randn(*lead, 4, generator=g))
        self.b = torch.nn.Parameter(torch.randn(*lead, 3, generator=g, dtype=torch.float64))

    def forward(self):
        return self.a.double().square().sum(-1) + self.b.square().sum(-1) + 1


def new(case, lr=0.03):
    cls, settings = CASES[case]
    net = Net(settings.get("replicas"))
    return net, cls([{"params": [net.a]}, {"params": [net.b], "lr": 0.5 * lr}], lr, **settings)


def train(net, opt, steps):
    for _ in range(steps):
        opt.zero_grad()
        loss = net()
        loss.sum().backward()
        opt.step(loss=loss)
    opt.zero_grad()


def numbers(net, opt):
    system = opt.param_groups[0]["system"]
    assert system["members"] == [0, 4]
    return [*net.parameters(), *(torch.as_tensor(system[k]) for k in sorted(system.keys() - {"members"}))]


def finish(net, opt, other, other_opt):
    """Train both on, and compare all bits."""
    train(net, opt, 8)
    train(other, other_opt, 8)
    assert all(map(torch.equal, numbers(net, opt), numbers(other, other_opt)))
    assert opt.bounces.min() >= 2


@each
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("before", [0, 6])
def test_a_checkpoint_on_disk_is_loaded_into_a_fresh_optimizer(case, flat, before, tmp_path):
    options = helpers.StateDictOptions(flatten_optimizer_state_dict=flat)
    net, opt = new(case)
    train(net, opt, before)
    model_state, opt_state = helpers.get_state_dict(net, opt, options=options)
    other, other_opt = new(case, lr=7.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own deprecated storages
        dcp.save({"net": model_state, "opt": opt_state}, checkpoint_id=tmp_path, no_dist=True)
        empty, empty_opt = helpers.get_state_dict(other, other_opt, options=options)
        dcp.load({"net": empty, "opt": empty_opt}, checkpoint_id=tmp_path, no_dist=True)
    helpers.set_state_dict(
        other, other_opt, model_state_dict=empty, optim_state_dict=empty_opt, options=options
    )
    finish(net, opt, other, other_opt)


def test_asking_for_the_state_of_a_fresh_optimizer_leaves_it_fresh():
    net, opt = new("bbi")
    helpers.get_optimizer_state_dict(net, opt)
    assert opt.energy.isnan()
    other, other_opt = new("bbi")
    finish(net, opt, other, other_opt)


@each
@pytest.mark.parametrize("steps", [0, 6])
def test_a_state_dict_that_keeps_the_numbers_in_the_state_is_read(case, steps):
    # the layout of versions that did not know torch.distributed.checkpoint
    net, opt = new(case)
    train(net, opt, steps)
    old = copy.deepcopy(opt.state_dict())
    system = old["param_groups"][0].pop("system")
    if steps:
        old["state"]["system"] = {k: v for k, v in system.items() if k != "skipped"}
    other, other_opt = new(case, lr=7.0)
    other.load_state_dict(net.state_dict())
    other_opt.load_state_dict(old)
    assert "system" not in other_opt.state
    finish(net, opt, other, other_opt)
