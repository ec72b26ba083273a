"""What a training does, from the numbers of its steps: a recorder, and what :func:`diagnose` reads in it.

recorder = Recorder(optimizer)
for ...:
    loss.backward()
    optimizer.step(loss=loss)
    recorder.record()
print(*diagnose(recorder), sep="\\n")
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bbi.algorithm import no_clocks
from bbi.optimizer import ECD
from bbi.recorder import Recorder

ERROR = 1.0
"""Largest median of |H/E - 1| in a step.

On the tasks of scripts/tasks.py it was, at the best lr for the loss, at most 0.7 (BBI) and 0.98 (ECDSep) with
batches of 50, and 0.12 without; BBI that diverged had inf. There is one exception: the best lr of ECDSep on
Ackley had 2.6, which this calls too large."""
ABOVE = 0.25
"""Largest share of steps with V > E.

On a bowl without minibatches it was 0 at a good lr, 0.02 at a large one, and 0.99 where BBI diverged."""
FEWEST = 50
"""Steps below which nothing is said: medians and shares of fewer are chance."""


class Finding(NamedTuple):
    """One thing that is wrong with a training."""

    name: str
    """One of :data:`NAMES`."""
    setting: str
    """The setting to change."""
    text: str
    """What happens, with numbers, and what to change."""

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


NAMES = (
    "delta_v too high",
    "batch noise",
    "lr too large",
    "lr too small",
    "below the barrier",
    "no bounce",
    "too many bounces",
)
"""The findings of :func:`diagnose`, in the order in which it returns them."""


class _Run(NamedTuple):
    """The steps of a recorder that moved parameters, and what is known of all of them."""

    optimizer: ECD
    steps: int
    """Steps recorded, those included that made no move."""
    bounced: int
    """Bounces within them."""
    below: int
    """Steps with V ≤ ε2."""
    lost: int
    """Steps with V inf or NaN."""
    forgotten: bool
    """Whether there were steps before those that are remembered."""
    v: Tensor
    e: Tensor
    delta_v: Tensor
    noise: Tensor
    error: Tensor

    def group(self, name: str) -> Any:
        """A setting."""
        return self.optimizer.param_groups[0][name]


def diagnose(recorder: Recorder) -> list[Finding]:
    """What is wrong with a training, with numbers and the setting to change; empty where nothing is.

    A finding is a hint about the settings, from this run alone; it does not know the loss elsewhere. It reads
    the numbers of all steps, and so synchronises a device.

    Args:
        recorder: After 50 steps or more; with fewer there are no findings.

    Returns:
        The findings, in the order of :data:`NAMES`.

    Raises:
        TypeError: For anything but a :class:`Recorder`.
    """
    if not isinstance(recorder, Recorder):
        raise TypeError(f"diagnose reads a Recorder, got {type(recorder).__name__}: record the steps first")
    columns = recorder.columns()
    v, bounces = columns["potential"], columns["bounces"]
    if len(v) < FEWEST:
        return []
    below = v <= recorder.optimizer.param_groups[0]["eps2"]
    moved = ~below & (v < math.inf)
    run = _Run(
        recorder.optimizer,
        len(v),
        int(bounces[-1] - bounces[0]),
        int(below.sum()),
        int((~v.isfinite()).sum()),
        len(v) == recorder.kept,
        *(columns[name][moved] for name in ("potential", "energy", "delta_v", "noise", "energy_error")),
    )
    found = [_delta_v(run), _noise(run), _large(run)]
    if found[-1] is None and len(run.v) >= FEWEST // 2:  # else V says nothing about the rest
        found += [_small(run), _barrier(run), _clocks(run)]
    return [finding for finding in found if finding is not None]


def _delta_v(run: _Run) -> Finding | None:
    """Steps at V ≤ ε2 change nothing. One in ten: with fewer the loss passes ΔV now and then, as it may."""
    if run.below < 0.1 * run.steps:
        return None
    return Finding(
        NAMES[0],
        "delta_v",
        f"in {run.below} of {run.steps} steps the loss was at or below delta_v = "
        f"{float(run.optimizer.delta_v):.3g}, and no step was made. If that loss is not your goal, lower "
        "delta_v, or set tune_delta_v=True",
    )


def _noise(run: _Run) -> Finding | None:
    """A standard error σ > V: the coefficients are powers of V, which may then be anything from 0 to 2σ.

    The healthy trainings of the tests stay below, with batches of 50; one of them has σ = 0.36 V.
    """
    ratio = _median(_half(run.noise / run.v))
    if not 1 < ratio < 1e9:  # beyond, the run diverges, which is another finding
        return None
    return Finding(
        NAMES[1],
        "batch size",
        f"the standard error of V from batch to batch is {ratio:.2g} of V (median), and the speed "
        f"changes with V. Take batches {math.ceil(9 * ratio * ratio)} times as large, or lower delta_v",
    )


def _large(run: _Run) -> Finding | None:
    """|H/E - 1| above its limit beyond three standard errors of V, or V > E, which no exact motion reaches.

    H changes by at most its share of V with V: ∂ log H/∂ log V = ½ (1 + V²/E²) ≤ 1 for eq. (31).
    """
    unexplained = _half(run.error.abs() - 3 * torch.nan_to_num(run.noise / run.v))
    lr = _number(run.group("lr"))
    if run.lost > 0.1 * run.steps:
        return Finding(
            NAMES[2],
            "lr",
            f"the loss was inf or NaN in {run.lost} of {run.steps} steps. Lower lr = {lr}",
        )
    error = _median(unexplained)
    above = float(_half(run.optimizer.law.momentum_squared(run.v, run.e) < 0).double().mean())
    if not (error > ERROR or above > ABOVE):
        return None
    cause = "" if bool(run.noise.isfinite().any()) else ", if it is not the noise of batches (see `losses`)"
    return Finding(
        NAMES[2],
        "lr",
        f"the energy changes by {error:.2g} of itself in a step (median), and V is above E in {above:.0%} of "
        f"the steps. Lower lr = {lr}{cause}",
    )


def _small(run: _Run) -> Finding | None:
    """F changes from step to step by its rounding error, or over all steps by less than 5 %.

    The smallest change that a loss of p's precision can show is eps |F|; sums of many terms have errors of
    some eps. Any training worth its steps lowers V by more than 5 %; one that goes on from a long time ago,
    of which the start is forgotten, may not, and nothing is said.
    """
    parameter = next(p for group in run.optimizer.param_groups for p in group["params"])
    eps, lr = torch.finfo(parameter.dtype).eps, _number(run.group("lr"))
    loss = run.v + run.delta_v
    step = _median(loss.diff().abs() / loss[1:].abs())
    if step < 4 * eps:
        return Finding(
            NAMES[3],
            "lr",
            f"from step to step the loss changes by {step:.1g} of itself (median), and the precision of "
            f"{parameter.dtype} is {eps:.1g}: rounding decides. Raise lr = {lr}, or delta_e",
        )
    levels = torch.stack([part.median() for part in run.v.chunk(10)])
    change = float((levels.max() - levels.min()) / levels.max())
    if change > 0.05 or run.forgotten or _smooth(run.v):
        return None
    return Finding(
        NAMES[3],
        "lr",
        f"V changed by {change:.1%} in {run.steps} steps. Raise lr = {lr}, by factors of 3, until it does",
    )


def _barrier(run: _Run) -> Finding | None:
    """V comes back to where the motion turns, P(E, V) = 0 (V = E for eq. (31)), and finds nothing lower.

    A run below the barrier around its basin can only oscillate between walls of the height E (section 4.1).
    A turn is V within 5 % of E; between two turns V is below 0.87 of it. One turn is any start with δE = 0.
    Nothing is said where noise hides the oscillation.
    """
    law = run.optimizer.law
    near, far = law.momentum_squared(1.05 * run.v, run.e) <= 0, law.momentum_squared(1.15 * run.v, run.e) > 0
    events = torch.where(near, 1, torch.where(far, -1, 0))
    events = events[events != 0]
    turns = int(((events[1:] == 1) & (events[:-1] == -1)).sum())
    half = len(run.v) // 2
    before, after = float(run.v[:half].min()), float(run.v[half:].min())
    # Lower by 5 % is progress, and a V of 1 % of the highest is no high basin.
    if turns < 3 or not _smooth(run.v) or after < 0.95 * before or before < 0.01 * float(run.v.max()):
        return None
    return Finding(
        NAMES[4],
        "delta_e",
        f"V came back to the height where the motion turns {turns} times, and the lowest V, {before:.3g}, is "
        f"of the first half. Raise delta_e = {_number(run.group('delta_e'))}, for instance by V = "
        f"{float(run.v.max()):.3g}",
    )


def _clocks(run: _Run) -> Finding | None:
    """Bounces that never come while V finds nothing lower, or that come too often for the motion to go on.

    Bounces are for mixing where a run finds nothing lower (section 2): without a new lowest V in half of the
    steps they are missed. The shortest clock of the paper's experiments is 20 steps (section 4.1).
    """
    if run.group("nu") or no_clocks(float(run.group("t1")), float(run.group("n_bounces"))):
        return None  # a refresh in every step, or no bounces by wish
    t0, t1 = _number(run.group("t0")), _number(run.group("t1"))
    since = len(run.v) - 1 - int(run.v.argmin())
    if run.bounced == 0 and since > len(run.v) / 2:
        return Finding(
            NAMES[5],
            "t0, t1",
            f"no bounce in {run.steps} steps, and no new lowest V in the last {since}. Lower t0 = {t0} "
            f"or t1 = {t1}",
        )
    if run.bounced > run.steps / 20:
        return Finding(
            NAMES[6],
            "t0, t1",
            f"{run.bounced} bounces in {run.steps} steps leave fewer than 20 steps between two. Raise "
            f"t0 = {t0} or t1 = {t1}",
        )
    return None


def _smooth(v: Tensor) -> bool:
    """Whether V moves to and fro in many steps, by more than 5 %, and not from one step to the next.

    The range of n numbers of noise is about 6 to 8 times the median of their steps, and that of an
    oscillation period/2.2 times: 12 stands for 26 steps.
    """
    reach = float(v.max() - v.min())
    return reach > 0.05 * float(v.max()) and reach > 12 * _median(v.diff().abs())


def _half(x: Tensor) -> Tensor:
    """The later half."""
    return x[len(x) // 2 :]


def _median(x: Tensor) -> float:
    """The median of the numbers that are no NaN; NaN if there is none."""
    return float(x.nanmedian()) if len(x) else math.nan


def _number(x: Any) -> str:
    return f"{float(x):.3g}"
