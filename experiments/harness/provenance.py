"""What made a result: the code, the libraries, the machine, the settings and the time it took."""

import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from experiments.harness.looks import without_looks
from experiments.harness.settings import Experiment

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("torch", "numpy", "scipy", "hyperopt", "pandas", "distributed")


def fingerprint(settings: Mapping[str, Any]) -> str:
    """SHA-256 of the settings on which results depend, of the resolved ones as plain data."""
    return hashlib.sha256(json.dumps(without_looks(settings), sort_keys=True).encode()).hexdigest()


@functools.cache
def maker() -> dict[str, Any]:
    """What computes in this process: commit, torch, processor. It is stored with every unit of work."""
    code, machine = _code(), _machine()
    here = {"cpu": machine["cpu"], "gpu": machine["gpu"], "torch": _version("torch")}
    return {"commit": code["commit"], "dirty": code["dirty"], **here}


def describe(
    cfg: Experiment, command: str, started: float, units: Sequence[tuple[str, float]]
) -> dict[str, Any]:
    """Where a result comes from.

    Args:
        cfg: The settings.
        command: The command that was run.
        started: When it was started, in seconds since the epoch.
        units: For each unit of the result, those of earlier, interrupted runs included: :func:`maker` as it
            was there, in JSON, and the seconds that it took.

    Returns:
        Data for JSON.
    """
    now = time.time()
    by_maker: dict[str, list[float]] = {}
    for made, seconds in units:
        by_maker.setdefault(made, []).append(seconds)
    return {
        "command": command,
        "seed": cfg.seed,
        "code": _code(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        "machine": _machine(),
        "started": _utc(started),
        "finished": _utc(now),
        "seconds": {
            "this_run": round(now - started, 3),
            "all_units": round(sum(seconds for _, seconds in units), 3),
        },
        "units": [
            {**json.loads(made), "units": len(each), "seconds": round(sum(each), 3)}
            for made, each in sorted(by_maker.items())
        ],
    }


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _code() -> dict[str, Any]:
    """Version of the project, and the commit it stands at where it is a git checkout.

    Results are left out of ``dirty``: writing them is what a run is for.
    """
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", ".", ":(exclude)results") if commit else None
    return {"version": _version("bbi"), "commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    """Output of a git command, or None where there is no git or no checkout."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _machine() -> dict[str, Any]:
    torch = sys.modules.get("torch")  # not imported for this: a process that computes has it
    gpu = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
    return {
        "os": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": gpu,
        "threads": torch.get_num_threads() if torch is not None else None,
    }


def _cpu() -> str:
    """The processor's name, from the kernel where it tells more than the standard library."""
    with contextlib.suppress(OSError):
        if found := re.search(r"^model name\s*: *(.+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return found[1].strip()
    return platform.processor() or platform.machine()
