"""A recorded step, replayed, is the step: all that it reads and writes stays where it was in memory.

On the CPU a recorder of operations takes the part of a CUDA graph: replayed, they run on the tensors
of the recording, and whatever was decided in Python then stays decided.
"""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bbi import BBI, ECDq1, ECDSep
from bbi import motion as module

BOUNCY = {"delta_e": 1.0, "t0": 4, "t1": 6, "n_bounces": 3, "seed": 5}
CASES = {
    "bounces": (BBI, BOUNCY),
    "decay": (BBI, {**BOUNCY, "weight_decay": 0.1}),
    "released": (BBI, {**BOUNCY, "variant": "released"}),
    "lowered": (BBI, {**BOUNCY, "delta_v": 4.0, "tune_delta_v": True}),
    "isokinetic": (ECDq1, {"eta": 1.4, "nu": 0.1, "weight_decay": 0.1}),
    "separable": (ECDSep, {"eta": 1.4, "nu": 0.1, "delta_e": 1.0}),
}
each = pytest.mark.parametrize("case", CASES)
STEPS = 25


class Tape(TorchDispatchMode):
    """Records operations with their arguments and results."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.namespace == "aten":
            self.calls.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        """Run them again, with the results in the place of the first ones."""
        for func, args, kwargs, out in self.calls:
            for old, new in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Run:
    """Parameters in a bowl, with gradients at fixed places, and their optimizer."""

    def __init__(self, case: str, replicas: int | None, device: str = "cpu") -> None:
        self.lead = () if replicas is None else (replicas,)
        shapes = [(*self.lead, 3), (*self.lead, 2, 2)]
        g = torch.Generator().manual_seed(1)
        self.params = [torch.randn(s, generator=g, dtype=torch.float64).to(device) for s in shapes]
        for p in self.params:
            p.grad = torch.zeros_like(p)
        cls, settings = CASES[case]
        self.lr = torch.full((), 0.05, dtype=torch.float64, device=device)
        self.opt = cls(self.params, self.lr, replicas=replicas, **settings)

    def step(self) -> None:
        loss: Any = 0.5
        for p in self.params:
            p.grad.copy_(2 * p)
            loss = loss + (p * p).reshape(*self.lead, -1).sum(-1)
        self.opt.step(loss=loss)

    def numbers(self) -> dict[str, torch.Tensor]:
        return {k: x for k, x in self.opt.param_groups[0]["system"].items() if isinstance(x, torch.Tensor)}

    def same(self, other: "Run") -> None:
        assert all(torch.equal(p, q) for p, q in zip(self.params, other.params, strict=True))
        assert (
            self.numbers().keys() == other.numbers().keys() >= {"c0", "c1", "u2", "p2", "energy", "delta_v"}
        )
        for name, x in self.numbers().items():
            assert torch.equal(x, other.numbers()[name]), name
        assert (self.opt.bounces >= 3).all()


@each
def test_a_step_recorded_and_replayed_is_many_steps(case, monkeypatch):
    monkeypatch.setattr(module, "may_hold", lambda flag: True)  # as on a device
    eager, replayed = Run(case, replicas=3), Run(case, replicas=3)
    for run in (eager, replayed):
        run.step()
    with Tape() as tape:
        replayed.step()
    assert not [func for func, *_ in tape.calls if "_local_scalar_dense" in str(func)]
    eager.step()
    read = replayed.opt.potential
    for k in range(STEPS):
        if k == 10:
            for run in (eager, replayed):
                run.lr.mul_(0.5)
        eager.step()
        tape.replay()
    replayed.same(eager)
    assert (read != replayed.opt.potential).all()  # what was read is no part of the state


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("replicas", [None, 3])
@each
def test_a_cuda_graph_replayed_is_many_steps(case, replicas):
    eager, replayed = Run(case, replicas, "cuda"), Run(case, replicas, "cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            replayed.step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        replayed.step()
    for _ in range(STEPS):
        graph.replay()
    for _ in range(3 + STEPS):
        eager.step()
    replayed.same(eager)
