"""Where units of work run: an embedded Dask cluster, the workers of a Dask scheduler, or this process.

All three are a :class:`concurrent.futures.Executor`. Dask starts a killed worker again and repeats its unit.
"""

import contextlib
import functools
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import Executor as BaseExecutor
from typing import Any

from experiments.harness import settings
from experiments.harness.errors import UserError

CONNECT_SECONDS = 10.0
REPLACE_SECONDS = 5.0
"""After so long workers that are lost are started again."""
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


class DaskExecutor(BaseExecutor):
    """Calls on the workers of a Dask client.

    Dask's own executor takes the result of a call whose worker ends just after it for an error.

    Args:
        client: Connected to a scheduler.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Submit a call of a module-level function with arguments that can be pickled."""
        found: Future[Any] = Future()
        # Equal calls of two experiments are two units: with pure=True they would share a result.
        computed = self._client.submit(fn, *args, pure=False, **kwargs)
        computed.add_done_callback(functools.partial(_hand_over, found))
        found.add_done_callback(functools.partial(_cancel, computed))
        return found


def _cancel(computed: Any, found: "Future[Any]") -> None:
    """Take a call that nobody waits for any more from the queue; one that runs goes on."""
    if found.cancelled() and computed.client.status == "running":
        computed.cancel()


def _hand_over(found: "Future[Any]", computed: Any) -> None:
    """Give the outcome of a Dask future to another one, unless that was cancelled."""
    from distributed.comm import CommClosedError

    if not found.set_running_or_notify_cancel():
        return
    try:
        found.set_result(computed.result())
    except (CancelledError, CommClosedError):
        found.set_exception(
            UserError("the scheduler does not answer any more; start it, then run the same command to go on")
        )
    except BaseException as error:  # to be raised where the result is asked for
        found.set_exception(error)


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
        from tornado.ioloop import PeriodicCallback

        dask.config.set({
            "distributed.scheduler.allowed-failures": ATTEMPTS,
            "distributed.comm.timeouts.connect": CONNECT_SECONDS,
            "distributed.deploy.lost-worker-timeout": REPLACE_SECONDS,
            "distributed.worker.preload": ["experiments.harness.worker"],
            "distributed.worker.memory.target": False,
            "distributed.worker.memory.spill": False,
            "distributed.worker.memory.pause": False,
            "distributed.worker.memory.terminate": False,
        })  # fmt: skip
        for name in ("distributed", "distributed.client"):  # importing it has set the level of both
            logging.getLogger(name).setLevel(logging.CRITICAL)
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
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # None would be port 8787, with a warning if it is taken
                silence_logs=logging.CRITICAL,
            )
            self._resources.callback(_close, cluster)
            # Dask replaces workers that are killed. Yet a run whose workers were killed again and again was
            # seen to lose them all and to wait for ever.
            again = PeriodicCallback(lambda: cluster.scale(workers), 1000 * REPLACE_SECONDS)
            cluster.loop.add_callback(again.start)
            self._resources.callback(cluster.loop.add_callback, again.stop)
            client = Client(cluster)
        self._resources.callback(_close, client)
        return DaskExecutor(client)


def _close(what: Any) -> None:
    """Close a client or a cluster. If the machine is too busy to answer, its processes end with this one."""
    with contextlib.suppress(TimeoutError):
        what.close(timeout=5)
