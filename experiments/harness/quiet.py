"""What libraries say to their users is not for those of a command."""

import logging
import os
import warnings


def quiet() -> None:
    """Silence the warnings of libraries in this process; errors are still raised.

    Commands and workers call this, not functions: tests see every warning.
    """
    warnings.simplefilter("ignore")
    # In processes that Python starts too: after a signal the one that cleans up tells what it cleans.
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    # torch sets the level of its own logger when it is imported, which may be later, and of no other.
    for name in ("torch", "torch.utils.cpp_extension", "matplotlib", "hyperopt", "distributed", "hydra"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
