"""Write the verdicts on the paper's claims, or with --figures draw all figures, from the tables alone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.__main__ import finish
from experiments.harness import report
from experiments.harness.errors import strict


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report or the figures of a profile and print the paths; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--profile", default="quick", help="smoke, quick, cpu or paper (default: %(default)s)"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="root (default: %(default)s)")
    parser.add_argument("--figures", action="store_true", help="draw the figures again")

    def command() -> int:
        given = strict(parser).parse_args(argv)
        action = report.draw if given.figures else lambda *where: [report.write(*where)]
        print(*action(given.results, given.profile), sep="\n")
        return 0

    return finish(command, "--results")


if __name__ == "__main__":
    sys.exit(main())
