"""Redraw all figures, from the tables alone."""

import sys

from experiments.harness.report import command, draw

if __name__ == "__main__":
    sys.exit(command(__doc__ or "", draw))
