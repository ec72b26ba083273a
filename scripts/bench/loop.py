"""The plain C loop that ensembles are measured against: compiled at run time, called through ctypes."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("loop.c")
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
SETTINGS = ("lr", "delta_v", "delta_e", "t0", "t1", "n_bounces")


class Ended(NamedTuple):
    """How R runs of the loop ended; as in :class:`bbi.simulate.Run`."""

    theta: Tensor
    value: Tensor
    best: Tensor
    steps: Tensor
    bounces: Tensor


Loop = Callable[[Tensor, float, Mapping[str, float], int, int], Ended]
"""(start (R, 2), Ackley's coefficient, settings, steps, seed) → how the runs ended."""


def build() -> Loop | None:
    """Compile ``loop.c``; None where there is no C compiler (``cc``).

    Raises:
        subprocess.CalledProcessError: The compiler refuses the file.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:  # once loaded, the library needs no file
        library = Path(folder) / "loop.so"
        subprocess.run([compiler, *FLAGS, "-o", library, SOURCE, "-lm"], check=True)
        function = ctypes.CDLL(str(library)).ackley_runs
    function.restype = None
    function.argtypes = [
        ctypes.c_int64, ctypes.c_int64, ctypes.c_double, ctypes.c_void_p, ctypes.c_int64,
        *[ctypes.c_void_p] * 5,
    ]  # fmt: skip

    def loop(
        start: Tensor, coefficient: float, settings: Mapping[str, float], steps: int, seed: int
    ) -> Ended:
        theta = start.to(torch.float64, copy=True).contiguous()
        count = len(theta)
        value, best = torch.empty(2, count, dtype=torch.float64)
        moves, bounces = torch.empty(2, count, dtype=torch.int64)
        given = (ctypes.c_double * len(SETTINGS))(*(settings[name] for name in SETTINGS))
        pointers = [x.data_ptr() for x in (theta, value, best, moves, bounces)]
        function(count, steps, coefficient, given, seed, *pointers)
        return Ended(theta, value, best, moves, bounces)

    return loop
