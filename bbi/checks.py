"""Validation of the optimizer's arguments: each error names the argument, its value and what is allowed.

Values out of range and wrong shapes raise ValueError, other types TypeError, and a missing loss RuntimeError.
"""

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from bbi.laws import Law

_LOWEST = {
    "lr": 0.0,
    "weight_decay": 0.0,
    "delta_v": -math.inf,
    "delta_e": 0.0,
    "t0": 1.0,
    "t1": 1.0,
    "n_bounces": 0.0,
    "nu": 0.0,
    "eps1": 0.0,
    "eps2": 0.0,
}
_ABOVE_0 = ("eta", "s")
_ENDLESS = ("t0", "t1", "n_bounces", "eps1")
CLOCKS = {"t0": (1000, math.inf), "t1": (3000, math.inf), "n_bounces": (1, 0)}
"""The defaults of the settings of clocks, and what they are without a clock."""
WHOLE = tuple(CLOCKS)
"""Counts: a clock compares them with whole numbers, which a fraction never equals."""
VARIANTS = ("paper", "released", "released-start", "released-vectors", "released-bounce")
PER_REPLICA = ("lr", "delta_v", "delta_e", *WHOLE)
"""Settings that may hold one number for each replica."""


def settings(given: dict[str, Any]) -> None:
    """Check hyperparameters by name."""
    replicas = given.get("replicas")
    if replicas is not None and (not isinstance(replicas, Integral) or replicas < 1):
        raise ValueError(f"Invalid replicas: {replicas!r} (a whole number ≥ 1, or None for one run)")
    for name, value in given.items():
        if name in _LOWEST or name in _ABOVE_0:
            _number(name, value, int(replicas) if replicas is not None and name in PER_REPLICA else None)
    if given.get("variant", "paper") not in VARIANTS:
        raise ValueError(f"Invalid variant: {given['variant']!r} (one of {VARIANTS})")
    for name, kind, what in (("seed", Integral, "a whole number"), ("tune_delta_v", bool, "True or False")):
        if name in given and not isinstance(given[name], kind):
            raise TypeError(f"Invalid {name}: {given[name]!r} ({what})")
    clocks(given)


def clocks(given: dict[str, Any]) -> None:
    """Check that a partial refresh is not given clocks besides, or a variant in which nothing would move."""
    if not given.get("nu"):
        return
    if given.get("variant") in ("released", "released-bounce"):
        raise ValueError(
            f"variant={given['variant']!r} with nu={given['nu']} would never move, since a bounce uses up a "
            "step and every step has one: take variant='paper', or nu=0"
        )
    for name, neutral in CLOCKS.items():
        if name in given and (isinstance(given[name], Tensor) or given[name] not in neutral):
            raise ValueError(
                f"{name}={given[name]!r} has no effect with nu={given['nu']}, whose refresh in every step "
                f"takes the place of the clocks: leave out {name}, or set nu=0"
            )


def law(given: Any) -> None:
    """Check a law: an instance with the methods of :class:`bbi.laws.Law`."""
    if isinstance(given, type):
        raise TypeError(f"law must be an instance, got the class {given.__name__}: law={given.__name__}()")
    if not isinstance(given, Law):
        raise TypeError(f"law={given!r} is no law: take one of bbi.laws, such as law=BornInfeld()")


def _number(name: str, value: Any, replicas: int | None) -> None:
    if isinstance(value, Tensor):
        if value.numel() != 1 and replicas is None:
            raise ValueError(
                f"Tensor {name} must be 1-element, got shape {tuple(value.shape)} without replicas"
            )
        if value.numel() != 1 and value.shape != (replicas,):
            raise ValueError(f"Tensor {name} must be 1-element or ({replicas},), got {tuple(value.shape)}")
        # Reading a tensor on a GPU would synchronise it, so its values are not checked.
        values = value.detach().reshape(-1).tolist() if value.device.type == "cpu" else []
    elif isinstance(value, Real) and not isinstance(value, bool):
        values = [float(value)]
    else:
        raise TypeError(f"Invalid {name}: {value!r} (a number or a tensor)")
    low = _LOWEST.get(name, 0.0)
    bound = "" if low == -math.inf else f" {'>' if name in _ABOVE_0 else '>='} {low:g}"
    finite, or_inf = ("", ", or inf") if name in _ENDLESS else ("finite ", "")
    for x in values:
        if not x >= low or (x == low and name in _ABOVE_0) or (x == math.inf and name not in _ENDLESS):
            label = "learning rate" if name == "lr" else name
            raise ValueError(f"Invalid {label}: {x} ({name} must be a {finite}number{bound}{or_inf})")
        if name in WHOLE and x < math.inf and not float(x).is_integer():
            raise ValueError(f"Invalid {name}: {x} ({name} must be a whole number{bound}, or inf)")


def momenta(state: Mapping[Any, Any]) -> None:
    """Check that the state of each parameter, from a state dict, has its shape."""
    for p, kept in state.items():
        u = kept.get("momentum_buffer") if isinstance(p, Tensor) else None
        if u is not None and u.shape != p.shape:
            raise ValueError(
                f"the state dict has a momentum of shape {tuple(u.shape)} for a parameter of shape "
                f"{tuple(p.shape)}: load it with the model that it was saved with"
            )


def other_shape(p: Tensor, grad: Tensor, u: Tensor) -> ValueError:
    """The error for a parameter whose data were replaced by others of another shape."""
    return ValueError(
        f"a parameter of shape {tuple(p.shape)} has a gradient of shape {tuple(grad.shape)} and a momentum "
        f"of shape {tuple(u.shape)}: make a new optimizer when a parameter changes its size"
    )


def energy(law: Law, delta_e: Any) -> None:
    """Check that a law has an energy that can be chosen, where one is."""
    if (isinstance(delta_e, Tensor) or delta_e != 0) and law.isokinetic:
        raise ValueError(
            f"Invalid delta_e: {delta_e} (an isokinetic law moves at one speed, without an energy to choose: "
            "leave it out)"
        )


def group(new: dict[str, Any], defaults: dict[str, Any], own: Iterable[str]) -> None:
    """Check a parameter group: only the settings ``own`` to groups may differ from the optimizer's."""
    settings({**defaults, **{k: v for k, v in new.items() if k != "params"}})
    for name, value in new.items():
        shared = name in defaults and name not in own
        if shared and value is not defaults[name] and not _same(value, defaults[name]):
            raise ValueError(
                f"{name} belongs to the whole system, not to a parameter group: pass it to the optimizer "
                f"(a group may set {', '.join(own)})"
            )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.equal(torch.as_tensor(a), torch.as_tensor(b))
    return bool(a == b)


def parameter(p: Tensor, replicas: int | None) -> None:
    """Check one parameter: whole, floating point or complex, with the replica axis first if there is one."""
    if not (p.is_floating_point() or p.is_complex()):
        raise TypeError(f"parameters must be floating point or complex, got {p.dtype}")
    for mark, what in (("placements", "a DTensor"), ("_fsdp_flattened", "one that FSDP has flattened")):
        if getattr(p, mark, False):
            raise TypeError(
                f"parameters must be whole on every rank, got {what}: each rank would take its part for the "
                "system; use DistributedDataParallel, which keeps them whole"
            )
    if replicas is not None and (p.dim() == 0 or p.shape[0] != replicas):
        raise ValueError(
            f"with replicas={replicas} a parameter has shape ({replicas}, ...), got {tuple(p.shape)}"
        )


def together(p: Tensor, other: Tensor) -> None:
    """Check that two parameters of one system are on one device."""
    if p.device != other.device:
        raise ValueError(f"all parameters must be on one device, got {other.device} and {p.device}")


def process_group(group: Any) -> None:
    """Check a process group that a user passes: None, False, or one that this rank belongs to."""
    kind = dist.ProcessGroup if dist.is_available() else ()
    if group is not None and group is not False and not isinstance(group, kind):
        raise ValueError(
            f"Invalid process_group: {group!r} (a group that this rank belongs to, None for the default "
            "group, or False for a run of this rank alone)"
        )


WAYS = (
    "write `loss.backward()` and then `opt.step(loss=loss)`, or `opt.step(closure)` with a closure "
    "that returns the loss, or, where a framework calls `step()`, `opt.loss = loss` before it "
    "(`opt.optimizer.loss` if opt is the framework's wrapper)"
)


def closure(given: Any) -> None:
    """Check that a closure can be called."""
    if given is not None and not callable(given):
        raise TypeError(f"a closure must be callable, got {type(given).__name__}: {WAYS}")


def only(argument: Any, pending: Any, returned: Any) -> Any:
    """The loss of a step, of its argument ``loss=``, ``opt.loss`` and what its closure returned."""
    if argument is None:
        return returned if pending is None else pending
    if returned is not None:
        raise TypeError(f"a step takes a closure or a loss, not both: {WAYS}")
    if pending is not None:
        raise TypeError(f"a step takes opt.loss or loss=, not both: {WAYS}")
    return argument


def loss(value: Any, replicas: int | None) -> Tensor:
    """The loss as a detached float64 tensor, () or (R,)."""
    if value is None:
        raise RuntimeError(f"the optimizer needs the loss in every step: {WAYS}")
    try:
        if isinstance(value, Tensor) and value.is_complex():
            raise TypeError
        tensor = torch.as_tensor(value, dtype=torch.float64).detach()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"the loss must be a real number or tensor, got {value!r}: {WAYS}") from None
    if replicas is None and tensor.numel() != 1:
        raise ValueError(
            f"the loss must be one number, got shape {tuple(tensor.shape)}; with replicas=R it is (R,)"
        )
    if replicas is not None and tensor.shape != (replicas,):
        raise ValueError(
            f"with replicas={replicas} the loss has shape ({replicas},), got {tuple(tensor.shape)}"
        )
    return tensor.reshape(()) if replicas is None else tensor
