"""Processes that share the work of an experiment; see :meth:`Lab.units` for how it is shared."""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from types import ModuleType

from experiments.harness.errors import PartDone
from experiments.harness.settings import Base
from experiments.harness.store import Lab


def compute(module: ModuleType, lab: Lab) -> None:
    """Run an experiment with one thread: cores are for processes, and no sum depends on their number."""
    import torch

    torch.set_num_threads(1)
    module.run(lab.cfg, lab)


@contextmanager
def started(count: int, module: str, settings: Base) -> Iterator[None]:
    """Run an experiment in further processes beside this one, each with its share: 1/count, 2/count, …

    They end with the block, or when this process dies. What goes wrong in them is not reported: this process
    meets the same unit of work, and the same error, itself.

    Args:
        count: Processes with this one, 0 for one a core.
        module: The experiment's.
        settings: Its settings.
    """
    count = count or len(os.sched_getaffinity(0))
    spawn = get_context("spawn")
    beside: list[SpawnProcess] = []
    # Ctrl-C goes to all processes of a terminal; only this one heeds it, and ends the others.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for number in range(1, count):
            process = spawn.Process(target=_work, args=(module, settings, number / count), daemon=True)
            process.start()
            beside.append(process)
        signal.signal(signal.SIGINT, handler)
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        for process in beside:
            process.terminate()
            process.join()


def _work(module: str, settings: Base, share: float) -> None:
    parent = parent_process()
    assert parent is not None
    threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    with suppress(KeyboardInterrupt, PartDone), Lab(settings, share=share) as lab:
        compute(importlib.import_module(module), lab)


def _follow(sentinel: int) -> None:
    """Die with the parent."""
    connection.wait([sentinel])
    os._exit(1)
