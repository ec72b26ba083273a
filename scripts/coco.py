"""Write the runs of the race in COCO's format, which ``cocopp`` reads: one folder an optimizer.

    python scripts/coco.py results/paper/race coco
    python -m cocopp coco/bbi coco/lbfgs_restarts

The functions are numbered in the order of their names in the settings. COCO's own functions have other
numbers, so that comparisons with its archive have no meaning.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from experiments.__main__ import finish
from experiments.harness.errors import UserError, strict
from experiments.harness.results import read_tables
from experiments.race.coco import write


def main(argv: Sequence[str] | None = None) -> int:
    """Write the folders and print their paths; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="folder of a finished race, such as results/paper/race")
    parser.add_argument("output", type=Path, help="where the folders are written")

    def command() -> int:
        given = strict(parser).parse_args(argv)
        tables = read_tables(given.results)
        settings = yaml.safe_load((given.results / "config.yaml").read_text())
        if "entrants" not in settings:
            raise UserError(f"{given.results} holds no race; give the folder of one")
        names, targets = settings["functions"]["names"], settings["functions"]["targets"]
        labels = {name: one["label"] for name, one in settings["entrants"].items()}
        print(*write(tables["runs"], names, targets, labels, given.output), sep="\n")
        return 0

    return finish(command, "another output folder")


if __name__ == "__main__":
    sys.exit(main())
