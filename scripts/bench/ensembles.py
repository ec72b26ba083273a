"""The speed of ``bbi.simulate`` on the Ackley function, and what limits it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bbi import BBI
from bbi.laws import BornInfeld
from bbi.rules import ECDRule
from bbi.simulate import Run, simulate
from bench.loop import Loop
from bench.timing import Row, compare, in_turn
from experiments.landscapes.functions import Ackley

ROOT = Path(__file__).resolve().parents[2]
POTENTIAL = Ackley(0.02)
RULE = ECDRule(BornInfeld())
SETTINGS = {"lr": 0.0096, "delta_v": 1e-4, "delta_e": 2.0, "t0": 20.0, "t1": 100.0, "n_bounces": 4.0}
SEED = 0
RUN_STEP = "ns per run and step"
SIMULATE, EAGER, C_LOOP = "simulate", "simulate, eager", "C loop"
MEMORY, FUNCTIONS = "state in and out by copy_", "functions alone"
STEPS = {1: 19999, 16: 19999, 100: 6399, 512: 3199, 10**4: 319, 10**5: 127, 10**6: 63}
"""Steps by number of runs. One less than a multiple of 32 wastes no call of the kernel."""


def starts(count: int) -> Tensor:
    """Random points of [-4, 4]², those of section 4.1."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.rand(count, 2, dtype=torch.float64, generator=generator) * 8 - 4


def run(start: Tensor, steps: int, compiled: bool = True) -> Run:
    """The ensemble that is timed."""
    return simulate(POTENTIAL, start, RULE, SETTINGS, steps, seed=SEED, compiled=compiled)


def _against_c(bench: str, loop: Loop, count: int, steps: int, turns: int, **limit: float) -> Row:
    start, moves = starts(count), dict[str, float]()

    def ours() -> None:
        moves[SIMULATE] = float(run(start, steps).steps.sum())

    def c() -> None:
        ended = loop(start, POTENTIAL.coefficient, SETTINGS, steps, SEED)
        moves[C_LOOP] = float(ended.steps.sum())

    times = in_turn({SIMULATE: ours, C_LOOP: c}, turns, warm=count <= 512)
    return compare(bench, times, SIMULATE, C_LOOP, RUN_STEP, moves, 1, replicas=count, **limit)


def ensemble(loop: Loop) -> list[Row]:
    """500 runs, a tenth of the paper's 30,000 steps at a time, against the same in C."""
    return [_against_c("ensemble", loop, 500, 3000, 15, ratio_limit=0.6)]


def replicas(loop: Loop) -> list[Row]:
    """Cost of a step of one run against the number of runs."""
    return [_against_c("replicas", loop, count, steps, 3) for count, steps in STEPS.items()]


def _stepper(step: Callable[[Tensor], Any], theta: torch.nn.Parameter, steps: int) -> Callable[[], None]:
    """Steps of an optimizer class, which takes its gradients from the function that ensembles use."""

    def loop() -> None:
        for _ in range(steps):
            value, theta.grad = POTENTIAL(theta.detach())
            step(value)

    return loop


def single() -> list[Row]:
    """One run: compiled, eager, and by the classes BBI and SGD."""
    start, unit = starts(1), "µs per step"
    theta, other = (torch.nn.Parameter(start[0].clone()) for _ in range(2))
    bbi = BBI([theta], **SETTINGS)
    sgd = torch.optim.SGD([other], SETTINGS["lr"], momentum=0.9)
    per = {SIMULATE: STEPS[1], EAGER: 319, "class BBI": 500, "class SGD": 500}
    times = in_turn(
        {
            SIMULATE: lambda: run(start, per[SIMULATE]),
            EAGER: lambda: run(start, per[EAGER], compiled=False),
            "class BBI": _stepper(lambda value: bbi.step(loss=value), theta, per["class BBI"]),
            "class SGD": _stepper(lambda value: sgd.step(), other, per["class SGD"]),
        },
        9,
    )
    pairs = ((SIMULATE, "class BBI"), (SIMULATE, "class SGD"), ("class BBI", "class SGD"))
    first = compare("one run", times, SIMULATE, EAGER, unit, per, 1, time_limit=10.0)
    return [first, *(compare("one run", times, what, against, unit, per, 1) for what, against in pairs)]


def eager() -> list[Row]:
    """500 replicas by the class BBI, for any loss, beside the compiled ensemble."""
    count, steps = 500, 100
    start = starts(count)
    theta = torch.nn.Parameter(start.clone())
    bbi = BBI([theta], **SETTINGS, replicas=count)
    value, theta.grad = POTENTIAL(start)
    per = {"class BBI, eager": steps, SIMULATE: 1000}

    def loop() -> None:
        for _ in range(steps):
            bbi.step(loss=value)

    times = in_turn({"class BBI, eager": loop, SIMULATE: lambda: run(start, per[SIMULATE])}, 9)
    return [
        compare(
            "500 replicas", times, "class BBI, eager", SIMULATE, "µs per step", per, 1, replicas=count,
            time_limit=150.0,
        )
    ]  # fmt: skip


def limits() -> list[Row]:
    """Two lower bounds on a step's cost, each beside that cost.

    One is the time that main memory needs to move a run's state to its slot and back, once a run; the
    other that of a step's transcendental functions and roots, on numbers that stay in the cache.
    """
    count = 10**5
    steps, start = STEPS[count], starts(count)
    tensors = 6 + len(run(start[:1], 0).scalars) + len(RULE.settings)  # value, best, steps, code, limit, key
    traffic = 2 * 8 * (2 * start.shape[1] + tensors)
    source = torch.ones(2**24, dtype=torch.float64)  # 128 MiB, well beyond any cache
    target = torch.empty_like(source)
    x = torch.rand(4096, dtype=torch.float64) + 0.5
    out, repeats = torch.empty_like(x), 200
    functions = 2 * [torch.exp, torch.cos, torch.sin, torch.sqrt]  # a random vector is rarely needed

    def calls() -> None:
        for _ in range(repeats):
            for function in functions:
                function(x, out=out)

    contenders = {SIMULATE: lambda: run(start, steps), MEMORY: lambda: target.copy_(source), FUNCTIONS: calls}
    moved = 2 * 8 * source.numel()
    per = {SIMULATE: count * steps, MEMORY: moved / traffic * steps, FUNCTIONS: len(x) * repeats}
    times = in_turn(contenders, 5)
    return [
        compare("limit", times, bound, SIMULATE, RUN_STEP, per, 1, replicas=count)
        for bound in (MEMORY, FUNCTIONS)
    ]


COMPILE = """
import time
import torch
torch.set_num_threads(1)
from bench.ensembles import run, starts
start = starts(500)
begin = time.perf_counter()
run(start, 1)
print(time.perf_counter() - begin)
"""


def compiling() -> list[Row]:
    """Seconds from the first call to the first step: without and with a kernel on disk, in new processes.

    Raises:
        subprocess.CalledProcessError: There is no C++ compiler.
    """
    times: dict[str, list[float]] = {"compile, warm": [], "compile, cold": []}
    for _ in range(2):
        with tempfile.TemporaryDirectory() as cache:
            path = os.pathsep.join((str(ROOT / "scripts"), str(ROOT), os.environ.get("PYTHONPATH", "")))
            environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache, "PYTHONPATH": path}
            for name in reversed(times):
                command = [sys.executable, "-W", "error:no compiled kernel:RuntimeWarning", "-c", COMPILE]
                done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
                times[name].append(float(done.stdout))
    warm, cold = times
    per = {warm: 1, cold: 1}
    return [
        compare("compile", times, cold, warm, "s", per, 1, replicas=500, time_limit=5.0),
        compare("compile", times, warm, cold, "s", per, 1, replicas=500),
    ]
