"""Write the verdicts on the paper's claims, from the tables alone."""

import sys

from experiments.harness.report import command, write

if __name__ == "__main__":
    sys.exit(command(__doc__ or "", write))
