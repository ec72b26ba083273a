"""Two processes over gloo: every rank takes the same step, that of one process on the whole batch."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from bbi import BBI, ECDq1

STEPS = 40


def model() -> torch.nn.Module:
    torch.manual_seed(1)
    layers = [torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)]
    return torch.nn.Sequential(*layers).to(torch.float64)


def data() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(32, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return x, x.prod(1, keepdim=True)


def train(
    net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, cls: Any = BBI, **ranks: Any
) -> list[torch.Tensor]:
    # Bounces at steps 10, 20 and 30: ranks that drew different directions would part there.
    bouncing = {"delta_e": 0.5, "t0": 10, "n_bounces": 3, "t1": 15} if cls is BBI else {"nu": 0.1}
    optimizer = cls(net.parameters(), 0.02, seed=3, **bouncing, **ranks)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = (net(x) - y).square().mean()
        loss.backward()
        optimizer.step(loss=loss)
    assert optimizer.bounces >= 3
    return [p.detach().clone() for p in net.parameters()]


def rank(number: int, folder: str) -> None:
    store = dist.FileStore(os.path.join(folder, "store"), 2)
    dist.init_process_group("gloo", store=store, rank=number, world_size=2)
    x, y = data()
    half = slice(16 * number, 16 * (number + 1))
    found = [
        p for cls in (BBI, ECDq1) for p in train(DistributedDataParallel(model()), x[half], y[half], cls)
    ]
    torch.save(found, os.path.join(folder, f"{number}.pt"))
    # models of their own: in groups of one rank, and one rank by itself while the other one does nothing
    groups = [dist.new_group([member]) for member in range(2)]
    found = train(model(), x[half], y[half], process_group=groups[number])
    if number == 1:
        assert all(map(torch.equal, found, train(model(), x[half], y[half], process_group=False)))
        with pytest.raises(ValueError, match="process_group"):
            BBI(model().parameters(), process_group=groups[0])
    torch.save(found, os.path.join(folder, f"own{number}.pt"))
    # a gradient that is NaN on one rank only, as without DistributedDataParallel: no rank moves
    net = model()
    opt = BBI(net.parameters(), 0.02, delta_e=0.5)
    before = [p.detach().clone() for p in net.parameters()]
    for p in net.parameters():
        p.grad = torch.full_like(p, math.nan if number else 1.0)
    opt.step(loss=1.0)
    assert all(map(torch.equal, before, net.parameters()))
    assert opt.skipped == 1
    dist.destroy_process_group()
    # Gloo's threads may outlive the interpreter and then abort the process (pytorch #179291).
    os._exit(0)


@pytest.mark.skipif(not dist.is_gloo_available(), reason="torch was built without gloo")
def test_two_ranks_agree_with_each_other_and_with_one_process(tmp_path: Path) -> None:
    mp.spawn(rank, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{number}.pt", weights_only=True) for number in (0, 1))
    x, y = data()
    one_process = [p for cls in (BBI, ECDq1) for p in train(model(), x, y, cls)]
    for a, b, alone in zip(first, second, one_process, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a, alone, rtol=1e-9, atol=1e-11)
    for number in range(2):
        half = slice(16 * number, 16 * (number + 1))
        own = torch.load(tmp_path / f"own{number}.pt", weights_only=True)
        assert all(map(torch.equal, own, train(model(), x[half], y[half])))


@pytest.mark.parametrize("bad", [True, "gloo", 0])
def test_a_process_group_is_named_if_it_is_none(bad: Any) -> None:
    with pytest.raises(ValueError, match=f"Invalid process_group: {bad!r}"):
        BBI([torch.zeros(2)], process_group=bad)


@pytest.fixture
def one_rank() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("one_rank")
def test_a_shard_of_a_parameter_is_refused() -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    shard = distribute_tensor(torch.zeros(4), init_device_mesh("cpu", (1,)), [Shard(0)])
    with pytest.raises(TypeError, match="whole on every rank"):
        BBI([torch.nn.Parameter(shard)])


@pytest.mark.usefixtures("one_rank")
@pytest.mark.filterwarnings("ignore:FSDP is switching to use")
@pytest.mark.parametrize("originals", [False, True])
def test_parameters_that_fsdp_has_flattened_are_refused(originals: bool) -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel

    layer, cpu = torch.nn.Linear(3, 2), torch.device("cpu")
    net = FullyShardedDataParallel(layer, use_orig_params=originals, device_id=cpu)
    with pytest.raises(TypeError, match=r"FSDP has flattened.*use DistributedDataParallel"):
        BBI(net.parameters())
