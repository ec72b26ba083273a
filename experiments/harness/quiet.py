"""What libraries say to their users is not for those of a command."""

import logging
import os
import warnings


def quiet() -> None:
    """Silence the warnings of libraries in this process; errors are still raised.

    Commands and workers call this, not functions: tests see every warning.
    """
    warnings.simplefilter("ignore")
    # Python's resource tracker, a process of its own, warns of semaphores that a signal left behind.
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    # torch sets the level of its own logger when it is imported, which may be later, and of no other.
    for name in ("torch", "torch.utils.cpp_extension", "matplotlib", "hyperopt", "distributed", "hydra"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
