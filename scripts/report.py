"""Write the verdicts on the paper's claims, or with --figures draw all figures, from the tables alone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.__main__ import complain
from experiments.harness import report
from experiments.harness.errors import UserError, strict


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report or the figures of a profile and print the paths; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--profile", default="quick", help="smoke, quick, cpu or paper (default: %(default)s)"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="root (default: %(default)s)")
    parser.add_argument("--figures", action="store_true", help="draw the figures again")
    try:
        given = strict(parser).parse_args(argv)
        action = report.draw if given.figures else lambda *where: [report.write(*where)]
        print(*action(given.results, given.profile), sep="\n")
    except UserError as error:
        return complain(error)
    except OSError as error:
        return complain(UserError(f"cannot write {error.filename}: {error.strerror}; choose --results"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
