"""A step on a device does not synchronise it: no number is read, nothing is copied between devices.

Fake tensors claim to be on a GPU and hold no data, so that a step that looks at a value fails, and
a recorder of all operations sees what else would make the CPU wait: sizes that depend on data and
copies between devices.
"""

from typing import Any

import pytest
import torch
from contract import CASES
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

each = pytest.mark.parametrize("case", CASES, ids=str)
LOOKS = ("_local_scalar_dense", "nonzero", "masked_select", "equal.default", "is_nonzero", "unique")


class Waits(TorchDispatchMode):
    """Notes every operation that waits for a device."""

    def __init__(self) -> None:
        super().__init__()
        self.count, self.found = 0, []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.count += 1
        devices = {x.device.type for x in (*args, out) if isinstance(x, torch.Tensor)}
        copies = func._schema.name in ("aten::_to_copy", "aten::copy_", "aten::to") and len(devices) > 1
        looks = devices != {"cpu"} and any(word in str(func) for word in LOOKS)
        if copies or looks:
            self.found.append(f"{func} {sorted(devices)}")
        return out


def steps(case, device, replicas=None, lr_device="cpu"):
    lead = () if replicas is None else (replicas,)
    params = [torch.zeros((*lead, *s), device=device, requires_grad=True) for s in ((3, 4), (2,))]
    groups = [{"params": [p]} for p in params]
    opt = case.new(groups, replicas=replicas, lr=0.1)  # the check of a tensor would read it
    if isinstance(case.kwargs["lr"], torch.Tensor):
        for group in opt.param_groups:
            group["lr"] = torch.full((), 0.1, device=lr_device)
    with Waits() as waits:
        for k in range(4):
            for p in params:
                p.grad = torch.ones_like(p)
            if k in (1, 2):  # frozen for two steps
                params[-1].grad = None
            opt.step(loss=torch.ones(lead, device=device))
    return waits


@pytest.fixture
def gpu():
    """A device that is not there, for tensors without data."""
    with FakeTensorMode():
        yield torch.device("cuda", 0)


@each
def test_no_step_synchronises_the_device(case, gpu):
    waits = steps(case, gpu)
    assert waits.count > 100
    assert waits.found == []


@pytest.mark.parametrize("case", [case for case in CASES if case.info.name != "ECD"], ids=str)
def test_no_step_with_replicas_synchronises_the_device(case, gpu):
    assert steps(case, gpu, replicas=4).found == []


@pytest.mark.parametrize("case", [CASES[1]], ids=str)
def test_a_learning_rate_on_the_device_is_not_read_either(case, gpu):
    assert steps(case, gpu, lr_device=gpu).found == []


def test_meta_tensors_step_too():
    assert steps(CASES[0], "meta").found == []


def test_the_recorder_finds_synchronisation(gpu):
    x = torch.zeros(3, device=gpu)
    for look in (lambda: x.sum().item(), lambda: bool(x[0] > 0), lambda: float(x[0])):
        with pytest.raises(DataDependentOutputException):
            look()
    with Waits() as waits:
        x.cpu()
    assert waits.found == ["aten._to_copy.default ['cpu', 'cuda']"]


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@each
def test_on_a_gpu_no_step_synchronises(case):
    params = [torch.randn(3, 4, device="cuda", requires_grad=True)]
    opt = case.new(params)
    loss = torch.ones((), device="cuda")
    for p in params:
        p.grad = torch.randn_like(p)
    opt.step(loss=loss)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(8):
            opt.step(loss=loss)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert params[0].isfinite().all()
