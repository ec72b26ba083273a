"""Write the verdicts on the paper's claims, or with --figures draw all figures, from the tables alone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.__main__ import finish
from experiments.harness.errors import strict
from experiments.harness.quiet import quiet
from experiments.report import write
from experiments.report.markdown import README


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report or the figures and print the paths; the exit code.

    The tables of README and docs are of the results beside them.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="root (default: %(default)s)")
    parser.add_argument("--figures", action="store_true", help="draw the figures of a profile again")
    parser.add_argument(
        "--profile", default="quick", help="of the figures: smoke, quick, cpu or paper (default: %(default)s)"
    )

    def command() -> int:
        given = strict(parser).parse_args(argv)
        if given.figures:
            written = write.draw(given.results, given.profile)
        else:
            written = write.write(given.results)
            if given.results.resolve() == README.parent / "results":
                written += write.write_readme(given.results)
        print(*written, sep="\n")
        return 0

    return finish(command, "--results")


if __name__ == "__main__":
    quiet()
    sys.exit(main())
