"""Where units of work run: an embedded Dask cluster, the workers of a Dask scheduler, or this process.

All three are a :class:`concurrent.futures.Executor`. Dask starts a killed worker again and repeats its unit.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor as BaseExecutor
from concurrent.futures import Future
from typing import Any

from experiments.harness import settings
from experiments.harness.errors import UserError

CONNECT_SECONDS = 10.0
ATTEMPTS = 10
"""Workers that one unit may lose before it counts as the cause."""


class SerialExecutor(BaseExecutor):
    """Calls in this process, one after the other, in :meth:`submit`."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Make the call; the future is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class LazyExecutor(BaseExecutor):
    """The executor that the settings ask for, started when the first unit is submitted.

    Args:
        chosen: The settings.
    """

    def __init__(self, chosen: settings.Executor) -> None:
        self._chosen = chosen
        self._lock = threading.Lock()
        self._resources = contextlib.ExitStack()
        self._executor: BaseExecutor | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Submit a call of a module-level function with arguments that can be pickled.

        Raises:
            UserError: There is no scheduler at the address.
        """
        with self._lock:
            if self._executor is None:
                self._executor = self._start()
        return self._executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers of a local cluster at once, or release those of a scheduler."""
        with self._lock:
            self._resources.close()

    def _start(self) -> BaseExecutor:
        if self._chosen.kind == "serial":
            return SerialExecutor()
        # Imported here: it takes half a second, which other commands need not wait for.
        import dask
        from distributed import Client, LocalCluster

        dask.config.set({
            "distributed.scheduler.allowed-failures": ATTEMPTS,
            "distributed.comm.timeouts.connect": CONNECT_SECONDS,
            "distributed.worker.preload": ["experiments.harness.worker"],
            "distributed.worker.memory.target": False,
            "distributed.worker.memory.spill": False,
            "distributed.worker.memory.pause": False,
            "distributed.worker.memory.terminate": False,
        })  # fmt: skip
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        if self._chosen.kind == "dask":
            if not self._chosen.address:
                raise UserError("executor.address: must be given, such as tcp://10.0.0.1:8786")
            try:
                client = Client(self._chosen.address, timeout=CONNECT_SECONDS)
            except (OSError, ValueError) as error:
                raise UserError(
                    f"executor.address={self._chosen.address}: no scheduler answers ({error}); start one "
                    "with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`"
                ) from error
        else:
            workers = self._chosen.workers or len(os.sched_getaffinity(0))
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
            )
            self._resources.callback(_close, cluster)
            client = Client(cluster)
        self._resources.callback(_close, client)
        # Equal calls of two experiments are two units: with pure=True they would share a result.
        executor: BaseExecutor = client.get_executor(pure=False)
        return executor


def _close(what: Any) -> None:
    """Close a client or a cluster. If the machine is too busy to answer, its processes end with this one."""
    with contextlib.suppress(TimeoutError):
        what.close(timeout=5)
