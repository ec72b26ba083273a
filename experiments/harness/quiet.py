"""What libraries say to their users is not for those of a command."""

import logging
import warnings


def quiet() -> None:
    """Silence the warnings of libraries in this process; errors are still raised.

    Commands and workers call this, not functions: tests see every warning.
    """
    warnings.simplefilter("ignore")
    for name in ("torch", "matplotlib", "hyperopt", "distributed", "hydra"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
