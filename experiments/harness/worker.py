"""What a worker of the embedded cluster does first: Dask imports this module in it."""

import signal

from experiments.harness.quiet import quiet

# A terminal sends Ctrl-C to all processes. Only the main process reacts to it, and ends the workers.
signal.signal(signal.SIGINT, signal.SIG_IGN)
quiet()
